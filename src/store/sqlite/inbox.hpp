// What threads hand to one that takes it in its own time, in the order in which it was handed over.
// Threads: any may put, one takes.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <iterator>
#include <mutex>
#include <utility>

namespace dyad::sqlite {

template <class T>
class Inbox {
  public:
    // False once it is closed: `item` is as it was. Without `now` whoever waits for a time goes on
    // waiting.
    bool put(T&& item, bool now = true) {
        std::unique_lock held(mutex_);
        if (closed_) return false;
        items_.push_back(std::move(item));
        if (now || waiting_ == Waiting::for_ever) wake(std::move(held));
        return true;
    }
    // Appends all that is there to `out`. Where nothing is, waits for something, or for the end of
    // `patience_ms`; for ever where that is negative.
    void take(std::deque<T>& out, std::int64_t patience_ms) {
        std::unique_lock held(mutex_);
        if (items_.empty() && !woken_ && patience_ms != 0) {
            const auto ready = [this] { return waiting_ == Waiting::no; };
            waiting_ = patience_ms < 0 ? Waiting::for_ever : Waiting::for_a_time;
            if (patience_ms < 0)
                ready_.wait(held, ready);
            else
                ready_.wait_for(held, std::chrono::milliseconds(patience_ms), ready);
            waiting_ = Waiting::no;
        }
        woken_ = false;
        if (out.empty()) {
            out.swap(items_);
            return;
        }
        std::move(items_.begin(), items_.end(), std::back_inserter(out));
        items_.clear();
    }
    // Whoever takes, takes now.
    void wake() {
        std::unique_lock held(mutex_);
        woken_ = true;
        wake(std::move(held));
    }
    // True where nothing was left in it: nothing will be from now on.
    bool close_if_empty() {
        const std::lock_guard held(mutex_);
        closed_ = closed_ || items_.empty();
        return closed_;
    }

  private:
    enum class Waiting : std::uint8_t { no, for_a_time, for_ever };
    // One signal per turn from idle to busy: a thread that is at work looks by itself.
    void wake(std::unique_lock<std::mutex> held) {
        const bool signal = std::exchange(waiting_, Waiting::no) != Waiting::no;
        held.unlock();
        if (signal) ready_.notify_one();
    }

    std::mutex mutex_;
    std::condition_variable ready_;
    std::deque<T> items_;
    Waiting waiting_ = Waiting::no;
    bool woken_ = false;
    bool closed_ = false;
};

}  // namespace dyad::sqlite
