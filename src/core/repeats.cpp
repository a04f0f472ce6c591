#include "core/repeats.hpp"

#include "base/check.hpp"
#include "base/metrics.hpp"
#include "core/user_log.hpp"

namespace dyad::core {
namespace {

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

void Repeats::begin(const Pending& pending) {
    if (sets_mode(pending)) open_modes_ += 1;
}

void Repeats::end(const Pending& pending) {
    if (sets_mode(pending)) open_modes_ -= 1;
    CHECK(open_modes_ >= 0);
    user_.mark_dirty();
}

void Repeats::answer(Pending&& pending) {
    CHECK(pending.applied_at && *pending.applied_at <= user_.head().offset);
    begin(pending);
    look(std::make_shared<Pending>(std::move(pending)));
}

void Repeats::answer_unless_applied(Pending&& pending, Answer&& answer) {
    CHECK(pending.command);
    begin(pending);
    const auto shared = std::make_shared<PendingAnswer>(std::move(pending), std::move(answer));
    const Command& command = *shared->first.command;
    user_.heart().ports.log.find(
        user_.user_id(), {command.instance_id, command.operation_id},
        user_.calls().wrap([this, shared](const Result<std::optional<Offset>>& applied) {
            Pending& asked = shared->first;
            if (!applied) return refuse(asked, applied.error());
            if (!*applied) {
                end(asked);
                return user_.writer().reply(asked, std::move(shared->second));
            }
            asked.applied_at = *applied;
            look(std::make_shared<Pending>(std::move(asked)));
        }));
}

void Repeats::look(const PendingPtr& pending) {
    CHECK(pending->applied_at);
    const Offset offset = *pending->applied_at;
    if (offset == 0) return answer_expired(*pending);
    if (const Block* const block = user_.feed().find(offset))
        return answer_from(*pending, block->batch());
    user_.heart().ports.log.read(
        user_.user_id(), offset - 1, 1,
        user_.calls().wrap([this, pending, offset](const Result<LogSlice>& slice) {
            if (!slice && slice.error().code != Errc::history_gone)
                return refuse(*pending, slice.error());
            if (!slice) return answer_expired(*pending);
            for (const EventBatchPtr& batch : slice->batches)
                if (batch->first <= offset && offset <= batch->last())
                    return answer_from(*pending, *batch);
            decide_again(*pending);  // a backup has taken the log's place
        }));
}

void Repeats::answer_from(Pending& pending, const EventBatch& batch) {
    const Offset offset = *pending.applied_at;
    const Result<EventView> event = decode_event(batch.text(offset));
    if (!event) return refuse(pending, event.error());
    if (event->source_instance_id != pending.command->instance_id ||
        event->operation_id != pending.command->operation_id)
        return decide_again(pending);  // ... which has another event there
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

// It was applied, and that is all that can be said.
void Repeats::answer_expired(Pending& pending) {
    metrics::duplicates.add();
    refuse(pending,
           fail(Errc::already_applied, "id: this operation was applied; its event has expired"));
}

void Repeats::decide_again(Pending& pending) {
    pending.applied_at.reset();
    end(pending);
    user_.writer().put_back(std::move(pending));
}

void Repeats::refuse(Pending& pending, const Error& error) {
    end(pending);
    user_.writer().reply(pending, Rejection{error, nullptr});
}

}  // namespace dyad::core
