// Accepts connections in a loop. Without a free descriptor it closes one connection per turn rather
// than leave it waiting; where not even that works, it pauses, so that the loop never spins.
// Threads: the loop's.
#pragma once

#include "net/loop.hpp"

#include <functional>

namespace dyad::net {

class Listener : private Watcher {
  public:
    // `accepted` gets non-blocking sockets. Requires: `socket` listens.
    Listener(Loop& loop, Fd socket, std::function<void(Fd)> accepted);
    ~Listener() override;

    std::uint16_t port() const { return local_port(socket_.get()); }
    // No more are accepted, and the port is free.
    void close();

  private:
    void on_ready(std::uint32_t epoll_events) override;
    void exhausted();
    bool shed_one();

    Loop& loop_;
    Fd socket_;
    Fd reserve_;  // given up to accept and close a connection when descriptors run out
    std::function<void(Fd)> accepted_;
    Loop::TimerId resume_ = 0;  // of a pause; 0: none
    std::int64_t warned_ms_ = 0;
};

}  // namespace dyad::net
