// Which instances of one user asked for inspired mode though the log does not say so: not yet, or
// not at all. Privacy holds from the moment it is asked for, whatever becomes of the event that is
// to note it; only a mode that is said later, and is durable, ends it.
//
// Asks and modes are told apart by the order in which this node heard of them (`Serial`). Pure.
#pragma once

#include "model/event.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dyad::core {

class PrivacyAsks {
  public:
    using Serial = std::uint64_t;  // 2, 3 … of what a user's instances say to this node

    bool empty() const noexcept { return instances_.empty(); }
    // The newest ask of this instance that stands; 0: none does.
    Serial standing(std::string_view instance) const;
    // Whether a command is private that came when `ask` was the newest one.
    bool stands(std::string_view instance, Serial ask) const;

    // A command that asks is on its way into the log.
    void ask(const std::string& instance, Serial serial, std::uint64_t operation_key);
    // It was refused, or there never was a command: what was asked cannot be noted.
    void refuse(const std::string& instance, Serial serial);
    // It was private by the log, which does not say so any more, from `end` on, though nobody asked
    // for another mode. Counts for all its commands that are not in the log yet.
    void keep(const std::string& instance, Offset end);
    // It is one that was answered before: no new ask.
    void forget_repeated(std::string_view instance, Serial serial);
    // The log says inspired now, by this operation: it speaks for itself.
    void noted(std::string_view instance, std::uint64_t operation_key);
    // The log says another mode, which the instance asked for at `serial`.
    void ended(std::string_view instance, Serial serial);
    // The same, asked for elsewhere. Counts where the event came after the log's end `settled` for
    // the ask: whether it was meant before or after the ask is not known of others.
    void ended_elsewhere(std::string_view instance, Offset offset);
    // All that was in the log when `ask` was refused ends at `end`.
    void settle(std::string_view instance, Serial ask, Offset end);
    // The log is another one now.
    void settle_all(Offset end);
    // Keeps at most `most` of the instances that nobody speaks for and that wait for nothing.
    void trim(std::size_t most, const std::function<bool(const std::string&)>& is_present);

  private:
    static constexpr Serial kAlways = 1;
    static constexpr Offset kUnsettled = std::numeric_limits<Offset>::max();
    struct Asks {
        std::vector<std::pair<Serial, std::uint64_t>> open;  // without an answer; operation keys
        Serial first = 0;  // of those that were refused and stand; 0: none, kAlways: of all time
        Serial last = 0;
        Offset end = kUnsettled;
    };
    using Instances = std::map<std::string, Asks, std::less<>>;

    void drop_where_over(Instances::iterator at);

    Instances instances_;
};

}  // namespace dyad::core
