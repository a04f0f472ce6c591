#include "store/dump/log_walk.hpp"

namespace dyad::dump {
namespace {

constexpr std::size_t kEvents = 256, kBytes = 256 * 1024;  // of one batch

}  // namespace

Result<EventBatch> rechain(const EventBatch& batch, LogHead& head) {
    EventBatch again;
    EventView event;
    for (Offset offset = batch.first; offset <= batch.last(); ++offset) {
        TRY(decode_event(batch.text(offset), event));
        const EventEntry& entry = batch.entry(offset);
        append_event(again, head, draft_of(event, entry.fingerprint, entry.salt));
    }
    return again;
}

Status LogWalk::damaged(const Error& error) const {
    return fail(Errc::storage_damaged, "user " + user_ + ": " + error.detail);
}

Status LogWalk::add(mongo::BsonView document) {
    const Epoch epoch = static_cast<Epoch>(document.number("epoch").value_or(0));
    if (building_.size() >= kEvents || building_.texts.size() >= kBytes ||
        (!building_.empty() && building_.epoch != epoch))
        TRY(flush());
    if (const Status added = mongo::add_event(building_, document); !added)
        return damaged(added.error());
    if (first_ == 0) {
        first_ = building_.first;
        first_epoch_ = epoch;
    }
    next_ = building_.last() + 1;
    return Done{};
}

Status LogWalk::flush() {
    if (building_.empty()) return Done{};
    EventBatch batch = std::exchange(building_, {});
    if (const Status good = verify_batch(batch); !good) return damaged(good.error());
    const bool begins = batch.first == first_;
    // A log that is the user's own, and the only one, from its first event on.
    const bool linked =
        begins ? batch.first > 1 || batch.prev_hash == genesis_hash(user_, batch.epoch)
               : batch.prev_hash == old_end_.hash && batch.first == old_end_.offset + 1 &&
                     batch.entries.front().timestamp_ms >= old_end_.timestamp_ms;
    if (!linked)
        return damaged(fail(
            Errc::storage_damaged,
            "event " + std::to_string(batch.first) + ": it does not chain to the event before it"));
    old_end_ = batch.head();
    if (epoch_) {
        if (begins)
            end_ = {.epoch = *epoch_,
                    .offset = batch.first - 1,
                    .hash = batch.first == 1 ? genesis_hash(user_, *epoch_) : batch.prev_hash};
        ASSIGN_OR_RETURN(batch, rechain(batch, end_));
    }
    end_ = batch.head();
    return take_ ? take_(std::make_shared<const EventBatch>(std::move(batch))) : Status(Done{});
}

}  // namespace dyad::dump
