#include "server/client.hpp"

#include "base/limits.hpp"
#include "server/cell.hpp"
#include "server/http_session.hpp"

#include <algorithm>

namespace dyad::server {
namespace {

// How long a client may take to close its side.
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
    closing_bytes_ = static_cast<std::uint32_t>(held_bytes());
    close_after_output();
}

bool Client::check(std::int64_t now_ms) {
    if (closing_since_s_ == 0) {
        protocol_->check(now_ms);
        return true;
    }
    const auto now_s = static_cast<std::uint32_t>(now_ms / 1000);
    if (const auto held = static_cast<std::uint32_t>(held_bytes()); held != closing_bytes_) {
        closing_bytes_ = held;
        closing_since_s_ = now_s;
    }
    constexpr auto kStallSeconds = static_cast<std::uint32_t>(limits::write_stall_ms / 1000);
    return now_s - closing_since_s_ < (held_bytes() > 0 ? kStallSeconds : kLingerSeconds);
}

void Client::on_closed() {
    protocol_->on_closed();
    cell_.discard(*this);
}

}  // namespace dyad::server
