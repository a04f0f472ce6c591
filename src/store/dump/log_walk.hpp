// One user's log, document by document of sync_events: held against its chain, and written anew in
// another epoch where that is asked for.
#pragma once

#include "model/event.hpp"
#include "store/mongo/bson/event_documents.hpp"

#include <functional>
#include <optional>
#include <string>

namespace dyad::dump {

class LogWalk {
  public:
    using Take = std::function<Status(EventBatchPtr)>;
    // `epoch`: the events get hashes of their own in it. `take`: gets whole batches.
    explicit LogWalk(std::string user, std::optional<Epoch> epoch = {}, Take take = {})
        : user_(std::move(user)), epoch_(epoch), take_(std::move(take)) {}

    // The next event. Requires: its offset is next().
    // Errors: storage_damaged, with the user and the offset.
    Status add(mongo::BsonView document);
    // After the last one. Errors: the same.
    Status finish() { return flush(); }

    bool empty() const noexcept { return first_ == 0; }
    Offset first() const noexcept { return first_; }
    Offset next() const noexcept { return next_; }  // 0: any
    Epoch first_epoch() const noexcept { return first_epoch_; }
    // Of what was taken; in the old log, and as it was written anew.
    const LogHead& old_end() const noexcept { return old_end_; }
    const LogHead& end() const noexcept { return end_; }

  private:
    Status flush();
    Status damaged(const Error& error) const;

    std::string user_;
    std::optional<Epoch> epoch_;
    Take take_;
    EventBatch building_;
    Offset first_ = 0;
    Offset next_ = 0;
    Epoch first_epoch_ = 0;
    LogHead old_end_;
    LogHead end_;
};

// The batch in another epoch, behind `head`, which moves on to its end.
Result<EventBatch> rechain(const EventBatch& batch, LogHead& head);

}  // namespace dyad::dump
