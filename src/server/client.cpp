#include "server/client.hpp"

#include "server/cell.hpp"
#include "server/http_session.hpp"

#include <algorithm>

namespace dyad::server {
namespace {

// How long a client may take to close its side, or to read what was sent last.
constexpr std::uint32_t kLingerSeconds = 5;

}  // namespace

Client::Client(Cell& cell, net::Fd fd)
    : net::Connection(cell.loop(), std::move(fd)),
      cell_(cell),
      protocol_(std::make_unique<HttpSession>(*this)) {}

void Client::on_bytes(std::span<char> bytes) {
    while (std::unique_ptr<Protocol> next = protocol_->on_bytes(bytes)) {
        protocol_ = std::move(next);
        if (bytes.empty()) return;
    }
}

void Client::continue_reading() {
    if (closing()) return;
    std::string backlog = protocol_->take_backlog();
    if (!backlog.empty()) on_bytes(backlog);
}

void Client::close() {
    if (closing()) return;
    closing_since_s_ = std::max(static_cast<std::uint32_t>(cell_.loop().now_ms() / 1000), 1U);
    close_after_output();
}

bool Client::check(std::int64_t now_ms) {
    if (closing_since_s_ != 0)
        return static_cast<std::uint32_t>(now_ms / 1000) - closing_since_s_ < kLingerSeconds;
    protocol_->check(now_ms);
    return true;
}

void Client::on_closed() {
    protocol_->on_closed();
    cell_.discard(*this);
}

}  // namespace dyad::server
