#include "server/client.hpp"

#include "base/limits.hpp"
#include "base/metrics.hpp"
#include "server/cell.hpp"
#include "server/http_session.hpp"

namespace dyad::server {
namespace {

// How long a client may take to close its side.
constexpr std::int64_t kLingerMs = 5000;

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

// The one place that judges who reads too slowly.
bool Client::check(std::int64_t now_ms) {
    const std::int64_t since_ms = stalled_since_ms();
    const std::int64_t stalled_ms = since_ms == INT64_MAX ? 0 : now_ms - since_ms;
    const bool slow = held_bytes() > 0 && stalled_ms >= limits::write_stall_ms;
    if (closing()) return !slow && (held_bytes() > 0 || stalled_ms < kLingerMs);
    if (!slow) {
        protocol_->check(now_ms);
        return true;
    }
    metrics::slow_closed.add();
    protocol_->shut(Errc::slow_client);
    return true;
}

void Client::on_closed() {
    protocol_->on_closed();
    cell_.discard(*this);
}

}  // namespace dyad::server
