// One thread's event loop over epoll(7): file descriptors, timers, and work posted from elsewhere.
//
// Level-triggered: a handler may leave bytes in the socket (it is full upstream, or its turn was
// long enough) and is called again. An event costs no allocation and no lock.
//
// Threads: run() and everything else on one thread, but post() and stop(), which any may call.
#pragma once

#include "base/mutex.hpp"
#include "net/socket.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <sys/epoll.h>

namespace dyad::net {

// Whoever has a descriptor in the loop.
class Watcher {
  public:
    virtual ~Watcher() = default;
    // 0 for `epoll_events`: what fail_later() promised.
    virtual void on_ready(std::uint32_t epoll_events) = 0;
};

class Loop {
  public:
    using TimerId = std::uint64_t;

    Loop();
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    // Until stop(). What was posted before stop() still runs.
    void run();
    // One turn: waits at most `timeout_ms` (-1: until something happens).
    void run_once(int timeout_ms);
    void stop();
    void post(std::function<void()> work);

    // Requires: `watcher` stays until remove(). Errors: unavailable (no more memory or watches).
    Status add(int fd, std::uint32_t epoll_events, Watcher* watcher);
    // For a watcher that add() could not take and that cannot be told so at once: on_ready(0) in
    // the next turn, unless it was removed. modify() does nothing for it.
    void fail_later(Watcher* watcher) { failed_.push_back(watcher); }
    void modify(int fd, std::uint32_t epoll_events, Watcher* watcher);
    // Also takes its events out of the turn under way, so that the watcher may be destroyed.
    void remove(int fd, Watcher* watcher);

    // Once, in this turn or a later one; never in the same turn as the timer that asked for it. For
    // the few timers of a thread: what many connections wait for is checked in sweeps.
    TimerId after(std::int64_t delay_ms, std::function<void()> call);
    void cancel(TimerId id);
    // Called at the end of each turn, when all that arrived has been handled.
    void set_end_of_turn(std::function<void()> call) { end_of_turn_ = std::move(call); }
    // Steady time of this turn.
    std::int64_t now_ms() const noexcept { return now_ms_; }
    // Shared by all connections of the loop; its content is gone with the next read.
    std::span<char> receive_buffer() noexcept { return receive_buffer_; }

  private:
    struct Timer {
        std::int64_t due_ms;
        TimerId id;
        std::function<void()> call;
    };

    void run_ready();
    void run_failed();
    void run_posted();
    void run_timers();
    int wait_ms(int timeout_ms) const;

    Fd epoll_;
    Fd wake_;                               // eventfd
    std::array<epoll_event, 512> ready_{};  // of the turn under way
    std::size_t ready_count_ = 0;
    std::size_t ready_at_ = 0;
    std::vector<Watcher*> failed_;
    Mutex posted_mutex_;
    std::vector<std::function<void()>> posted_ GUARDED_BY(posted_mutex_);
    std::vector<std::function<void()>> running_;  // taken from posted_; keeps its capacity
    bool wake_sent_ GUARDED_BY(posted_mutex_) = false;
    std::atomic<bool> stopped_{false};
    std::vector<Timer> timers_;  // a heap, the soonest first
    TimerId next_timer_ = 1;
    std::function<void()> end_of_turn_;
    std::int64_t now_ms_ = 0;
    std::vector<char> receive_buffer_;
};

}  // namespace dyad::net
