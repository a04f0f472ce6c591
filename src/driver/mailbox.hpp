// What threads hand to one or several that take it in their own time, in the order in which it was
// handed over.
//
//     while (std::optional<Task> task = mailbox.take_one()) ...   one of several workers
//     while (!mailbox.ended()) mailbox.take(tasks, patience_ms)    one that has work of its own,
//     too
//
// Whoever is at work looks by itself: only a sleeper is signalled, once.
//
// Threads: any may put and stop; take() is for a single taker.
#pragma once

#include "base/mutex.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

namespace dyad::driver {

template <class T>
class Mailbox {
  public:
    // False once it has ended: `item` is as it was. Without `now` whoever waits for a time goes on
    // waiting.
    bool put(T&& item, bool now = true) EXCLUDES(mutex_) {
        bool signal = false;
        {
            const MutexLock held(mutex_);
            if (ended_) return false;
            items_.push_back(std::move(item));
            signal = (now || waiting_for_a_time_ == 0) && signalled_ < waiting_;
            signalled_ += signal ? 1 : 0;
        }
        if (signal) changed_.notify_one();
        return true;
    }
    // Takes the first `count` out of `items`, for one taker. False once it has ended.
    bool put_all(std::vector<T>& items, std::size_t count) EXCLUDES(mutex_) {
        bool signal = false;
        const auto end = items.begin() + static_cast<std::ptrdiff_t>(count);
        {
            const MutexLock held(mutex_);
            if (ended_) return false;
            items_.insert(items_.end(), std::make_move_iterator(items.begin()),
                          std::make_move_iterator(end));
            signal = count != 0 && signalled_ < waiting_;
            signalled_ += signal ? 1 : 0;
        }
        items.erase(items.begin(), end);
        if (signal) changed_.notify_one();
        return true;
    }
    // Appends all that is there to `out`. Where nothing is, waits for something, for stop(), or for
    // the end of `patience_ms`; for ever where that is negative. May also end with nothing.
    void take(std::deque<T>& out, std::int64_t patience_ms) EXCLUDES(mutex_) {
        const MutexLock held(mutex_);
        if (items_.empty() && !std::exchange(stop_unseen_, false) && patience_ms != 0)
            wait(patience_ms);
        if (out.empty()) {
            out.swap(items_);
            return;
        }
        std::move(items_.begin(), items_.end(), std::back_inserter(out));
        items_.clear();
    }
    // Waits for the first that is there; nothing once it has ended.
    std::optional<T> take_one() EXCLUDES(mutex_) {
        const MutexLock held(mutex_);
        while (items_.empty()) {
            if (stopping_) {
                ended_ = true;
                return std::nullopt;
            }
            wait(-1);
        }
        std::optional<T> first(std::move(items_.front()));
        items_.pop_front();
        return first;
    }
    // What is there is still to be taken, and what is put meanwhile; then it has ended.
    void stop() EXCLUDES(mutex_) {
        {
            const MutexLock held(mutex_);
            stopping_ = stop_unseen_ = true;
            signalled_ = waiting_;
        }
        changed_.notify_all();
    }
    bool is_stopping() const noexcept { return stopping_; }
    // True where it is stopped and nothing was left in it: nothing will be from now on.
    bool ended() EXCLUDES(mutex_) {
        if (!stopping_) return false;
        const MutexLock held(mutex_);
        ended_ = ended_ || items_.empty();
        return ended_;
    }

  private:
    void wait(std::int64_t patience_ms) REQUIRES(mutex_) {
        const std::size_t for_a_time = patience_ms < 0 ? 0 : 1;
        waiting_ += 1;
        waiting_for_a_time_ += for_a_time;
        if (patience_ms < 0)
            changed_.wait(mutex_);
        else
            changed_.wait_for_ms(mutex_, patience_ms);
        waiting_ -= 1;
        waiting_for_a_time_ -= for_a_time;
        // Whoever wakes by itself may use up another's signal: that one is signalled twice, then.
        if (signalled_ > 0) signalled_ -= 1;
    }

    Mutex mutex_;
    Condition changed_;
    std::deque<T> items_ GUARDED_BY(mutex_);
    std::size_t waiting_ GUARDED_BY(mutex_) = 0;             // takers
    std::size_t waiting_for_a_time_ GUARDED_BY(mutex_) = 0;  // of them
    std::size_t signalled_ GUARDED_BY(mutex_) = 0;           // of them, and not awake yet
    bool stop_unseen_ GUARDED_BY(mutex_) = false;            // by take()
    bool ended_ GUARDED_BY(mutex_) = false;
    std::atomic<bool> stopping_{false};
};

}  // namespace dyad::driver
