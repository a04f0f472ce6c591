// What is known of operations that were applied, and the answers to those that come again: step 2
// of shared/log.md, "Writing".
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "core/guarded.hpp"
#include "core/user_log.hpp"

namespace dyad::core {
namespace {

constexpr std::string_view kScope = "distributed_memory";
const std::vector<EventBatchPtr> kNoBatches;

}  // namespace

// Only who writes needs the operations, and they grow with the log: whoever comes back to read is
// served without them.
void UserLog::read_operations() {
    reading_operations_ = true;
    ports().store.operations(
        user_id_, guarded([this, loads = loads_](const Result<std::vector<std::uint64_t>>& keys) {
            reading_operations_ = false;
            if (loads == loads_)
                operations_read(keys);
            else  // of a log that has been replaced since
                engine_.mark_dirty(*this);
        }));
}

void UserLog::operations_read(const Result<std::vector<std::uint64_t>>& keys) {
    if (keys) {
        operations_.reserve(operations_.size() + keys->size());
        for (const std::uint64_t key : *keys)
            operations_.emplace(key, 0);
        operations_known_ = true;
        engine_.mark_dirty(*this);
        return;
    }
    if (keys.error().code != Errc::storage_damaged)  // the store says that, once
        log::warn(kScope,
                  "the operations of a user could not be read: " + keys.error().to_string());
    std::deque<Pending> sent;  // they may have been applied
    for (Pending& pending : std::exchange(queue_, {})) {
        if (pending.tries != 0)
            sent.push_back(std::move(pending));
        else
            reply(pending, Rejection{keys.error(), nullptr});
    }
    queue_ = std::move(sent);
    if (!queue_.empty()) retry_later();
}

bool UserLog::is_repeat(const Pending& pending) const {
    return !pending.is_new && operations_.contains(pending.key);
}

void UserLog::answer_repeat(Pending pending) {
    const Offset known = operations_.at(pending.key);
    if (std::holds_alternative<SetMode>(pending.command->body)) repeated_modes_ += 1;
    auto shared = std::make_shared<Pending>(std::move(pending));
    if (known != 0) {
        repeat_found(std::move(shared), known);
        return;
    }
    ports().store.find_operation(user_id_, shared->key,
                                 guarded([this, shared](const Result<Offset>& found) {
                                     if (!found)
                                         refuse_repeat(*shared, found.error());
                                     else if (*found == 0)
                                         repeat_expired(*shared);
                                     else
                                         repeat_found(shared, *found);
                                 }));
}

// It is known and not in the log any more: it was applied, and that is all that can be said.
void UserLog::repeat_expired(Pending& pending) {
    metrics::duplicates.add();
    refuse_repeat(pending, fail(Errc::already_applied,
                                "id: this operation was applied; its event has expired"));
}

void UserLog::refuse_repeat(Pending& pending, const Error& error) {
    end_repeat(pending);
    reply(pending, Rejection{error, nullptr});
}

// What follows a mode that comes again waits until it is known to be one.
void UserLog::end_repeat(const Pending& pending) {
    if (std::holds_alternative<SetMode>(pending.command->body)) repeated_modes_ -= 1;
    engine_.mark_dirty(*this);
}

void UserLog::repeat_found(std::shared_ptr<Pending> pending, Offset offset) {
    if (const Block* const block = feed_.find(offset)) {
        answer_from(*pending, block->batch(), offset);
        return;
    }
    ports().store.read_log(
        user_id_, offset - 1, 1, guarded([this, pending, offset](const Result<LogSlice>& slice) {
            if (!slice && slice.error().code != Errc::history_gone) {
                refuse_repeat(*pending, slice.error());
                return;
            }
            for (const EventBatchPtr& batch : slice ? slice->batches : kNoBatches) {
                if (batch->first <= offset && offset <= batch->last()) {
                    answer_from(*pending, *batch, offset);
                    return;
                }
            }
            repeat_expired(*pending);
        }));
}

// An ask for privacy that was carried out before is no new one; and another mode that was, is older
// than the asks that stand.
void UserLog::repeat_mode(const Pending& pending) {
    if (!asks_for_privacy(*pending.command)) return;
    privacy_.forget_repeated(mode_owner(*pending.command), pending.serial);
    delivery_.privacy_changed(mode_owner(*pending.command));
}

void UserLog::answer_from(Pending& pending, const EventBatch& batch, Offset offset) {
    const Result<EventView> event = decode_event(batch.text(offset));
    if (!event) return refuse_repeat(pending, event.error());
    const EventEntry& entry = batch.entry(offset);
    if (event->source_instance_id != pending.command->instance_id ||
        event->operation_id != pending.command->operation_id) {
        pending.is_new = true;
        end_repeat(pending);
        queue_.push_front(std::move(pending));
        return;
    }
    if (entry.fingerprint != pending.fingerprint)
        return refuse_repeat(pending,
                             fail(Errc::operation_reused,
                                  "id, or Idempotency-Key: was used for something else at offset " +
                                      std::to_string(offset) + "; choose a new one"));
    const Result<Change> change = decode_change(*event);
    if (!change) return refuse_repeat(pending, change.error());
    if (pending.own) pending.own->add(offset);
    repeat_mode(pending);
    end_repeat(pending);
    metrics::duplicates.add();
    const LogHead at{.epoch = batch.epoch,
                     .offset = offset,
                     .hash = entry.hash,
                     .timestamp_ms = entry.timestamp_ms};
    Reply answer = reply_of(*change, *pending.command, at);
    answer.duplicate = true;
    reply(pending, std::move(answer));
}

}  // namespace dyad::core
