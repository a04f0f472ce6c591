// Virtual time and what is due in it: the only source of order in a simulation. What is due at the
// same microsecond runs in the order it was asked for, so a run is a function of its seed.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace dyad::sim {

class EventQueue {
  public:
    using Action = std::function<void()>;

    std::int64_t now_us() const noexcept { return now_us_; }
    // Runs `action` `delay_us` from now. Requires: delay_us >= 0.
    void after(std::int64_t delay_us, Action action);
    // Runs what is due next and moves the time on to it. False where nothing is due.
    bool step();
    // Runs everything due up to `time_us`, and moves the time on to it.
    void run_until(std::int64_t time_us);
    // Runs until nothing is due. Requires: no action that asks for itself again for ever.
    void run_all();
    std::uint64_t steps() const noexcept { return steps_; }
    bool empty() const noexcept { return heap_.empty(); }

  private:
    struct Entry {
        std::int64_t time_us;
        std::uint64_t sequence;
        Action action;
    };
    struct Later {
        bool operator()(const Entry& a, const Entry& b) const noexcept {
            return a.time_us != b.time_us ? a.time_us > b.time_us : a.sequence > b.sequence;
        }
    };

    std::vector<Entry> heap_;
    std::int64_t now_us_ = 0;
    std::uint64_t sequence_ = 0;
    std::uint64_t steps_ = 0;
};

}  // namespace dyad::sim
