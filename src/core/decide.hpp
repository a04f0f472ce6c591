// Step 3 of a write: decide a command against the state at the log's end. Pure.
#pragma once

#include "model/change.hpp"
#include "model/command.hpp"

#include <set>
#include <variant>

namespace dyad::core {

// The state that a decision sees: the durable state and, over it, the changes of the batch that is
// being put together. Lifetime: as long as `durable`.
class View {
  public:
    explicit View(const State& durable) : durable_(&durable) {}

    ContextPtr context(std::string_view key) const;  // deleted ones too
    const ModeState* mode(std::string_view instance_id) const;
    const Conflict* conflict(std::string_view id) const;
    std::vector<std::string> conflicts_of(std::string_view key) const;  // open ones, their ids
    std::size_t live_contexts() const noexcept;
    std::size_t live_bytes() const noexcept;
    std::size_t open_conflicts() const noexcept;
    std::size_t instances() const noexcept;

    // Lays `change` over what the view showed so far.
    void add(const Change& change);

  private:
    const State* durable_;
    State over_;  // what the batch touched, as it is after it
    std::set<std::string, std::less<>> closed_conflicts_;
    std::size_t closed_durable_ = 0;
    std::size_t new_instances_ = 0;
    std::int64_t live_contexts_delta_ = 0;
    std::int64_t live_bytes_delta_ = 0;
};

// What the decision rests on beside the view.
struct Decision {
    std::int64_t now_ms = 0;          // the event's timestamp
    Offset offset = 0;                // the event's offset
    std::int64_t context_ttl_ms = 0;  // default life of a context; 0 = for ever
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
