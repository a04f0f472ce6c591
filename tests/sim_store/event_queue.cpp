#include "sim_store/event_queue.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <utility>

namespace dyad::sim {

void EventQueue::after(std::int64_t delay_us, Action action) {
    CHECK(delay_us >= 0);
    heap_.push_back({now_us_ + delay_us, sequence_++, std::move(action)});
    std::push_heap(heap_.begin(), heap_.end(), Later{});
}

bool EventQueue::step() {
    if (heap_.empty()) return false;
    std::pop_heap(heap_.begin(), heap_.end(), Later{});
    Entry entry = std::move(heap_.back());
    heap_.pop_back();
    now_us_ = entry.time_us;
    ++steps_;
    entry.action();
    return true;
}

void EventQueue::run_until(std::int64_t time_us) {
    while (!heap_.empty() && heap_.front().time_us <= time_us)
        step();
    now_us_ = std::max(now_us_, time_us);
}

void EventQueue::run_all() {
    while (step()) {
    }
}

}  // namespace dyad::sim
