#include "net/connection.hpp"

#include <algorithm>

#include <sys/socket.h>

namespace dyad::net {
namespace {

constexpr std::size_t kPartsMax = 1024;  // IOV_MAX

}  // namespace

Connection::Connection(Loop& loop, Fd fd)
    : loop_(loop), fd_(std::move(fd)), interest_(static_cast<std::uint8_t>(EPOLLIN)) {
    if (!loop_.add(fd_.get(), interest_, this)) loop_.fail_later(this);
}

Connection::~Connection() {
    if (fd_.valid()) loop_.remove(fd_.get(), this);
}

bool Connection::send(std::string_view bytes) {
    const iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    return send(std::span(&part, 1));
}

bool Connection::send(std::span<const iovec> parts) {
    if (state_ != State::open) return false;
    while (!held_ && !parts.empty()) {
        const std::span<const iovec> group = parts.first(std::min(parts.size(), kPartsMax));
        const IoResult sent = send_some(fd_.get(), group);
        if (sent.state == Io::closed) {
            // Nothing may follow what is missing now. The loop finds the end of the stream and
            // tells the handler, outside of this call.
            shut_down(SHUT_RDWR);
            return false;
        }
        hold(group, sent.bytes);
        parts = parts.subspan(group.size());
    }
    if (!held_) return true;
    hold(parts, 0);
    update_interest();
    return false;
}

void Connection::hold(std::span<const iovec> parts, std::size_t skip_bytes) {
    // A client that always leaves something to send must not make this grow by what has gone.
    if (held_ && held_->at > held_->bytes.size() / 2) {
        held_->bytes.erase(0, held_->at);
        held_->at = 0;
    }
    for (const iovec& part : parts) {
        const std::size_t skip = std::min(skip_bytes, part.iov_len);
        skip_bytes -= skip;
        if (skip == part.iov_len) continue;
        if (!held_) {
            held_ = std::make_unique<Held>();
            note_progress();
        }
        held_->bytes.append(static_cast<const char*>(part.iov_base) + skip, part.iov_len - skip);
    }
}

void Connection::note_progress() noexcept {
    progress_ds_ = static_cast<std::uint32_t>(loop_.now_ms() / 100);
}

std::int64_t Connection::stalled_since_ms() const noexcept {
    return held_ || state_ == State::lingering ? std::int64_t{100} * progress_ds_ : INT64_MAX;
}

void Connection::pause_reading(bool paused) {
    paused_ = paused;
    if (state_ == State::open) update_interest();
}

void Connection::update_interest() {
    const bool ignore = peer_ended_ || (paused_ && state_ == State::open);
    const auto interest =
        static_cast<std::uint8_t>((ignore ? 0U : EPOLLIN) | (held_ ? EPOLLOUT : 0U));
    if (interest == interest_) return;
    interest_ = interest;
    loop_.modify(fd_.get(), interest, this);
}

void Connection::close_after_output() {
    if (state_ != State::open) return;
    note_progress();
    if (!held_) return shut_down(SHUT_WR);
    state_ = State::flushing;
    update_interest();
}

void Connection::shut_down(int how) {
    state_ = State::lingering;
    note_progress();
    ::shutdown(fd_.get(), how);
    update_interest();
}

void Connection::on_ready(std::uint32_t epoll_events) {
    if (epoll_events == 0) return finish();  // the loop could not take it
    if (epoll_events & EPOLLOUT) write_held();
    if (state_ == State::closed) return;
    if (epoll_events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read(epoll_events);
}

void Connection::write_held() {
    if (!held_) return;
    const iovec part{held_->bytes.data() + held_->at, held_bytes()};
    const IoResult sent = send_some(fd_.get(), std::span(&part, 1));
    if (sent.state == Io::closed) return finish();
    held_->at += sent.bytes;
    if (sent.bytes > 0) note_progress();
    if (held_bytes() > 0) return;
    held_.reset();
    if (state_ == State::flushing) return peer_ended_ ? finish() : shut_down(SHUT_WR);
    on_drained();
    if (state_ == State::closed) return;
    if (peer_ended_ && !held_) return finish();
    update_interest();
}

void Connection::read(std::uint32_t epoll_events) {
    const IoResult got = receive_some(fd_.get(), loop_.receive_buffer());
    if (got.state == Io::would_block) return;
    if (got.state == Io::ok) {
        // Closing: what still comes in is thrown away until the peer has closed, too.
        if (state_ == State::open) on_bytes(loop_.receive_buffer().first(got.bytes));
        return;
    }
    // A peer that has said all it has to say may still wait for the rest of its answer.
    if (!held_ || (epoll_events & (EPOLLHUP | EPOLLERR))) return finish();
    peer_ended_ = true;
    update_interest();
}

void Connection::finish() {
    state_ = State::closed;
    loop_.remove(fd_.get(), this);
    fd_.reset();
    held_.reset();
    on_closed();
}

}  // namespace dyad::net
