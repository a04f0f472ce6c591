// Answers the commands whose operation was applied before, as they were answered then: step 2 of
// shared/log.md, "Writing". That it was is the store's to know: it says so of an append that would
// repeat it, and is asked before a command that changes nothing is answered.
#pragma once

#include "core/pending.hpp"
#include "model/event.hpp"

#include <functional>

namespace dyad::core {

class UserLog;

// The log's end after one event of a batch.
LogHead head_at(const EventBatch& batch, Offset offset);

class Repeats {
  public:
    explicit Repeats(UserLog& user) : user_(user) {}

    // A mode that came again is looked up: what it means for what follows it is not known yet.
    bool has_open_mode() const noexcept { return open_modes_ > 0; }
    // Requires: applied_at is of an event that is in the log up to its durable end, or expired.
    void answer(Pending&& pending);
    // Gives `answer`, which is of no event, unless the operation was applied before.
    void answer_unless_applied(Pending&& pending, Answer&& answer);

  private:
    void begin(const Pending& pending);
    void end(const Pending& pending);
    void look(const PendingPtr& pending);
    void answer_from(Pending& pending, const EventBatch& batch);
    void answer_expired(Pending& pending);
    void decide_again(Pending& pending);
    void refuse(Pending& pending, const Error& error);

    UserLog& user_;
    int open_modes_ = 0;
};

}  // namespace dyad::core
