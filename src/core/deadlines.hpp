// When each user has to be looked at next: one moment per user, the earliest first. What is due is
// found without a look at the others.
//
// A moment only moves up; who was looked at too early says anew when its next one is. So what is
// put off again and again (an expiry, a command's time) costs nothing until its old moment comes.
#pragma once

#include <cstdint>
#include <limits>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

namespace dyad::core {

class UserLog;

class Deadlines {
  public:
    static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

    // A user's place; part of the user. `serial` is the user's own and breaks ties, so that the
    // order is the same in every run.
    struct Slot {
        UserLog* user = nullptr;
        std::uint64_t serial = 0;
        std::int64_t when_ms = kNever;
    };

    void move_up(Slot& slot, std::int64_t when_ms) {
        if (when_ms >= slot.when_ms) return;
        remove(slot);
        slot.when_ms = when_ms;
        queue_.insert(key_of(slot));
    }
    void remove(Slot& slot) {
        if (slot.when_ms == kNever) return;
        queue_.erase(key_of(slot));
        slot.when_ms = kNever;
    }
    // Takes out what is due by `now_ms`, the earliest first.
    std::vector<Slot*> take_due(std::int64_t now_ms) {
        std::vector<Slot*> due;
        while (!queue_.empty() && std::get<0>(*queue_.begin()) <= now_ms) {
            due.push_back(std::get<2>(*queue_.begin()));
            due.back()->when_ms = kNever;
            queue_.erase(queue_.begin());
        }
        return due;
    }
    std::int64_t first_ms() const noexcept {
        return queue_.empty() ? kNever : std::get<0>(*queue_.begin());
    }
    // Everybody, the earliest first.
    std::vector<Slot*> all() const {
        std::vector<Slot*> slots;
        slots.reserve(queue_.size());
        for (const auto& [when_ms, serial, slot] : queue_)
            slots.push_back(slot);
        return slots;
    }

  private:
    using Key = std::tuple<std::int64_t, std::uint64_t, Slot*>;
    static Key key_of(Slot& slot) { return {slot.when_ms, slot.serial, &slot}; }

    std::set<Key> queue_;
};

}  // namespace dyad::core
