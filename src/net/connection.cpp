#include "net/connection.hpp"

#include <array>

#include <sys/socket.h>

namespace dyad::net {

Connection::Connection(Loop& loop, Fd fd) : loop_(loop), fd_(std::move(fd)) {
    CHECK(loop_.add(fd_.get(), EPOLLIN, this).has_value());
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
    std::size_t taken = 0;
    if (!held_) {
        const IoResult sent = send_some(fd_.get(), parts);
        if (sent.state == Io::closed) {
            // Reading finds the end of the stream too, and tells the handler, outside this call.
            return false;
        }
        taken = sent.bytes;
    }
    for (const iovec& part : parts) {
        const std::size_t skip = std::min(taken, part.iov_len);
        taken -= skip;
        if (skip == part.iov_len) continue;
        if (!held_) held_ = std::make_unique<std::string>();
        held_->append(static_cast<const char*>(part.iov_base) + skip, part.iov_len - skip);
    }
    if (held_) update_interest();
    return !held_;
}

void Connection::pause_reading(bool paused) {
    if (paused_ == paused) return;
    paused_ = paused;
    if (state_ == State::open) update_interest();
}

void Connection::update_interest() {
    const bool write = held_ != nullptr;
    const std::uint32_t events = (paused_ && state_ == State::open ? 0u : EPOLLIN) |
                                 (write ? static_cast<std::uint32_t>(EPOLLOUT) : 0u);
    want_write_ = write;
    loop_.modify(fd_.get(), events, this);
}

void Connection::close_after_output() {
    if (state_ != State::open) return;
    state_ = State::flushing;
    if (!held_)
        shut_down();
    else
        update_interest();
}

void Connection::shut_down() {
    state_ = State::lingering;
    ::shutdown(fd_.get(), SHUT_WR);
    update_interest();
}

void Connection::on_ready(std::uint32_t epoll_events) {
    if (epoll_events & EPOLLOUT) {
        write_held();
        if (state_ == State::closed) return;
        if (!held_ && state_ == State::flushing) shut_down();
    }
    if (epoll_events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read();
}

void Connection::write_held() {
    if (!held_) return;
    const iovec part{held_->data() + held_at_, held_->size() - held_at_};
    const IoResult sent = send_some(fd_.get(), std::span(&part, 1));
    if (sent.state == Io::closed) {
        finish();
        return;
    }
    held_at_ += static_cast<std::uint32_t>(sent.bytes);
    if (held_at_ != held_->size()) return;
    held_.reset();
    held_at_ = 0;
    update_interest();
    if (state_ == State::open) on_drained();
}

void Connection::read() {
    const IoResult got = receive_some(fd_.get(), loop_.receive_buffer());
    if (got.state == Io::would_block) return;
    if (got.state == Io::closed) {
        finish();
        return;
    }
    // Closing: what still comes in is thrown away until the peer has closed, too.
    if (state_ == State::open) on_bytes(loop_.receive_buffer().first(got.bytes));
}

void Connection::finish() {
    state_ = State::closed;
    loop_.remove(fd_.get(), this);
    fd_.reset();
    on_closed();
}

}  // namespace dyad::net
