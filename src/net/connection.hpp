// A byte stream with a client: a socket in a loop, and output that is held only while the socket
// is full.
//
// TLS will stand between this class and the socket: a filter, owned here, that send() and the read
// path go through when it is present.
//
// Lifetime: owned by whoever handles it; destroying it closes the socket at once. Threads: the
// loop's.
#pragma once

#include "net/loop.hpp"

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace dyad::net {

class Connection : private Watcher {
  public:
    // Takes over a connected, non-blocking socket. Where the loop cannot watch it, on_closed()
    // follows in the next turn.
    Connection(Loop& loop, Fd fd);
    ~Connection() override;
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // Sends the parts, one after the other, in one system call (per 1,024 parts) where the socket
    // takes them; holds what it does not take. False: something is held, and on_drained() follows
    // when it has gone; or the connection is closing or broken, and on_closed() follows.
    bool send(std::span<const iovec> parts);
    bool send(std::string_view bytes);
    std::size_t held_bytes() const noexcept { return held_ ? held_->bytes.size() - held_->at : 0; }
    // Since when the client owes us something, by the loop's time: no byte of what is held has
    // gone, or our side is shut and its side is not. close_after_output() begins anew. INT64_MAX:
    // it owes nothing.
    std::int64_t stalled_since_ms() const noexcept;

    // Sends nothing after what is held, then shuts down its side and waits for the client to close,
    // so that the last bytes arrive before the reset that unread input would cause. The owner
    // bounds the wait: it destroys the connection when that takes too long.
    void close_after_output();
    bool closing() const noexcept { return state_ != State::open; }
    // No more reading (the handler is busy) or reading again.
    void pause_reading(bool paused);
    Loop& loop() noexcept { return loop_; }

  protected:
    // What has arrived, in the loop's buffer, which the handler may write to.
    virtual void on_bytes(std::span<char> bytes) = 0;
    virtual void on_drained() = 0;
    // The connection is over. The owner destroys it later in the turn, not inside this call.
    virtual void on_closed() = 0;

  private:
    enum class State : std::uint8_t { open, flushing, lingering, closed };
    struct Held {
        std::string bytes;   // more than have gone
        std::size_t at = 0;  // as many have gone
    };

    void on_ready(std::uint32_t epoll_events) override;
    void read(std::uint32_t epoll_events);
    void write_held();
    void hold(std::span<const iovec> parts, std::size_t skip_bytes);
    void update_interest();
    void shut_down(int how);
    void note_progress() noexcept;
    void finish();

    Loop& loop_;
    std::unique_ptr<Held> held_;
    std::uint32_t progress_ds_ = 0;  // the last progress, in tenths of a second
    Fd fd_;
    State state_ = State::open;
    bool paused_ = false;
    bool peer_ended_ = false;    // it sends nothing more, but may still read
    std::uint8_t interest_ = 0;  // what epoll watches for
};

}  // namespace dyad::net
