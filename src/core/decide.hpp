// Step 3 of a write: decide a command against the state at the log's end. Pure.
#pragma once

#include "base/limits.hpp"
#include "core/view.hpp"
#include "model/change.hpp"
#include "model/command.hpp"

#include <functional>
#include <string_view>
#include <variant>

namespace dyad::core {

class ProvenTime;

// What the decision rests on beside the view.
struct Decision {
    std::int64_t now_ms = 0;           // the event's timestamp
    std::int64_t proven_ms = 0;        // what is over by then may expire
    const ProvenTime* time = nullptr;  // what slow clocks dated; null: nothing
    Offset offset = 0;                 // the event's offset
    std::int64_t context_ttl_ms = 0;   // default life of a context; 0 = for ever
    // Its instance asked for inspired mode before it, and that could not be noted.
    bool is_private = false;
    std::size_t instances_max = limits::instances_per_user_max;
    std::size_t private_instances_max = limits::private_instances_per_user_max;
    // Whether an instance has a live session here; null: none has.
    const std::function<bool(std::string_view)>* is_present = nullptr;
};

// Nothing to log: the answer stands (merge strategy `ignore`, an expiry that is no longer due).
struct NoChange {
    ContextPtr context;
    std::string incoming;  // canonical JSON of what was not stored
};
// The decision needs what is not in memory: the context's data at this version (merge), or the
// context as it was then (restore). Ask again with it filled in.
struct NeedsVersion {
    std::string key;
    Version version = 0;
};

using Decided = std::variant<Change, NoChange, NeedsVersion, Rejection>;

// Requires: validate(command) succeeded.
Decided decide(const View& view, const Command& command, const Decision& at);

// The answer where nothing was logged.
Reply reply_without_event(const NoChange& outcome, const std::string& operation_id,
                          const LogHead& head);

// The reply that an event stands for.
Reply reply_of(const Change& change, const Command& command, const LogHead& head);

}  // namespace dyad::core
