#include "core/operations.hpp"

#include "base/check.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "core/user_log.hpp"

namespace dyad::core {
namespace {

constexpr std::string_view kScope = "distributed_memory";

bool sets_mode(const Pending& pending) {
    return std::holds_alternative<SetMode>(pending.command->body);
}

}  // namespace

LogHead head_at(const EventBatch& batch, Offset offset) {
    const EventEntry& entry = batch.entry(offset);
    return {.epoch = batch.epoch,
            .offset = offset,
            .hash = entry.hash,
            .timestamp_ms = entry.timestamp_ms};
}

void Operations::reset() {
    offsets_.clear();
    table_ = user_.head().offset == 0 ? Table::known : Table::unread;
}

bool Operations::decided() {
    if (table_ == Table::unread) read();
    return table_ == Table::known && repeated_modes_ == 0;
}

void Operations::read() {
    table_ = Table::reading;
    user_.heart().ports.store.operations(
        user_.user_id(),
        user_.calls().wrap([this, loads = user_.loads()](
                               const Result<std::vector<std::uint64_t>>& keys) {
            if (loads != user_.loads()) return;  // of a log that has been replaced since
            if (keys) {
                offsets_.reserve(offsets_.size() + keys->size());
                for (const std::uint64_t key : *keys)
                    offsets_.emplace(key, 0);
                table_ = Table::known;
                user_.mark_dirty();
                return;
            }
            table_ = Table::unread;
            if (keys.error().code != Errc::storage_damaged)  // the store says that, once
                log::warn(kScope, "the operations of a user could not be read: " +
                                      keys.error().to_string());
            user_.writer().cannot_read_operations(keys.error());
        }));
}

Offset Operations::offset_of(std::uint64_t key) const {
    const auto at = offsets_.find(key);
    return at == offsets_.end() ? 0 : at->second;
}

bool Operations::is_repeat(const Pending& pending) const {
    return pending.key_is == KeyIs::unread && offsets_.contains(pending.key);
}

void Operations::answer_repeat(Pending&& pending) {
    CHECK(is_repeat(pending));
    const Offset known = offsets_.at(pending.key);
    if (sets_mode(pending)) repeated_modes_ += 1;
    const auto shared = std::make_shared<Pending>(std::move(pending));
    if (known != 0) return found(shared, known);
    user_.heart().ports.store.find_operation(
        user_.user_id(), shared->key,
        user_.calls().wrap([this, shared](const Result<Offset>& offset) {
            if (!offset)
                refuse(*shared, offset.error());
            else if (*offset == 0)
                has_expired(*shared);
            else
                found(shared, *offset);
        }));
}

void Operations::found(const PendingPtr& pending, Offset offset) {
    if (const Block* const block = user_.feed().find(offset))
        return answer_from(*pending, block->batch(), offset);
    user_.heart().ports.store.read_log(
        user_.user_id(), offset - 1, 1,
        user_.calls().wrap([this, pending, offset](const Result<LogSlice>& slice) {
            if (!slice && slice.error().code != Errc::history_gone)
                return refuse(*pending, slice.error());
            if (slice)
                for (const EventBatchPtr& batch : slice->batches)
                    if (batch->first <= offset && offset <= batch->last())
                        return answer_from(*pending, *batch, offset);
            has_expired(*pending);
        }));
}

void Operations::answer_from(Pending& pending, const EventBatch& batch, Offset offset) {
    const Result<EventView> event = decode_event(batch.text(offset));
    if (!event) return refuse(pending, event.error());
    if (event->source_instance_id != pending.command->instance_id ||
        event->operation_id != pending.command->operation_id)
        return is_new(pending);
    if (batch.entry(offset).fingerprint != pending.fingerprint)
        return refuse(pending,
                      fail(Errc::operation_reused,
                           "id, or Idempotency-Key: was used for something else at offset " +
                               std::to_string(offset) + "; choose a new one"));
    const Result<Change> change = decode_change(*event);
    if (!change) return refuse(pending, change.error());
    if (pending.own) pending.own->add(offset);
    user_.privacy().repeated(pending);
    end(pending);
    metrics::duplicates.add();
    Reply answer = reply_of(*change, *pending.command, head_at(batch, offset));
    answer.duplicate = true;
    user_.writer().reply(pending, std::move(answer));
}

void Operations::is_new(Pending& pending) {
    pending.key_is = KeyIs::anothers;
    end(pending);
    user_.writer().put_back(std::move(pending));
}

// It is known and not in the log any more: it was applied, and that is all that can be said.
void Operations::has_expired(Pending& pending) {
    metrics::duplicates.add();
    refuse(pending, fail(Errc::already_applied,
                         "id: this operation was applied; its event has expired"));
}

void Operations::refuse(Pending& pending, const Error& error) {
    end(pending);
    user_.writer().reply(pending, Rejection{error, nullptr});
}

// What follows a mode that comes again waits until it is known to be one.
void Operations::end(const Pending& pending) {
    if (sets_mode(pending)) repeated_modes_ -= 1;
    CHECK(repeated_modes_ >= 0);
    user_.mark_dirty();
}

}  // namespace dyad::core
