#include "store/dump/user_log.hpp"

#include "model/command.hpp"
#include "store/mongo/bson/wire_documents.hpp"

namespace dyad::dump {
namespace {

// Up to the first hole. Answers how many events there are after it.
Result<std::size_t> walk_events(const Dump& from, const std::string& user, LogWalk& walk) {
    std::size_t beyond = 0;
    TRY(from.each(mongo::kEvents, user, [&](BsonView document) -> Status {
        const std::int64_t offset = document.number("offset").value_or(0);
        if (offset <= 0) return Done{};
        // The same document may stand there twice where it was written to while it was read.
        if (!walk.empty() && static_cast<Offset>(offset) < walk.next()) return Done{};
        if (!walk.empty() && static_cast<Offset>(offset) > walk.next()) {
            ++beyond;
            return Done{};
        }
        return walk.add(document);
    }));
    TRY(walk.finish());
    return beyond;
}

// What is in the documents and in no event of the backup.
Status find_ahead(const Dump& from, DumpedLog& log) {
    TRY(from.each(mongo::kState, log.user, [&](BsonView document) -> Status {
        const std::string_view kind = document.text("kind").value_or("");
        const std::string_view text = document.text("text").value_or("");
        if (text.empty() || !log.is_after_end(document.number("offset").value_or(0))) return Done{};
        if (kind == "context") {
            ASSIGN_OR_RETURN(Context context, read_context(text));
            ContextChange change;
            change.action = context.deleted ? ContextAction::deleted : ContextAction::updated;
            change.previous_version = context.version - 1;
            change.context = std::make_shared<const Context>(std::move(context));
            log.ahead.emplace_back(std::move(change));
        } else if (kind == "mode") {
            ASSIGN_OR_RETURN(ModeState mode, read_mode(text));
            log.ahead.emplace_back(ModeChange{std::move(mode)});
        }  // a claim has its token by an event: without it there is none
        return Done{};
    }));
    return from.each(mongo::kResponses, log.user, [&](BsonView document) -> Status {
        const auto text = document.text("dyad.text");
        if (!text || !log.is_after_end(document.number("dyad.offset").value_or(0))) return Done{};
        ASSIGN_OR_RETURN(ResponseRecord record, read_response(*text));
        log.ahead.emplace_back(ResponseChange{std::move(record)});
        return Done{};
    });
}

}  // namespace

Result<DumpedLog> survey(const Dump& from, const std::string& user, std::uint64_t new_seed) {
    DumpedLog log;
    log.user = user;
    LogWalk walk(user);
    ASSIGN_OR_RETURN(log.beyond, walk_events(from, user, walk));
    std::optional<LogHead> head;
    Offset first_kept = 1;
    TRY(from.each(mongo::kHeads, user, [&](BsonView document) -> Status {
        if (const BsonView projected = document.sub("projected"); projected.valid()) {
            ASSIGN_OR_RETURN(head, mongo::head_in(projected));
        }
        first_kept = static_cast<Offset>(document.number("firstKept").value_or(1));
        log.forgotten = static_cast<Version>(document.number("forgotten").value_or(0));
        return Done{};
    }));
    log.exists = head || !walk.empty();
    if (!log.exists) return log;
    // The head may be of later than the events; of earlier, where it says how far the documents
    // are.
    log.old_end = walk.empty() ? *head : walk.old_end();
    log.first_kept = walk.empty() ? log.old_end.offset + 1 : walk.first();
    if (!walk.empty() && head && walk.first() > head->offset + 1)
        return fail(Errc::storage_damaged, "user " + user + ": events between " +
                                               std::to_string(head->offset) + " and " +
                                               std::to_string(walk.first()) + " are missing");
    const Epoch own = head && head->offset >= log.old_end.offset ? head->epoch : log.old_end.epoch;
    const Epoch epoch = new_seed != 0 ? first_head(user, new_seed).epoch : own;
    if (epoch != (walk.empty() ? own : walk.first_epoch()) || epoch != log.old_end.epoch)
        log.epoch = epoch;
    TRY(find_ahead(from, log));
    const bool behind = head && head->offset <= log.old_end.offset;
    // Where the documents are ahead, all events that there are bring them in order.
    log.projected.offset = behind && log.ahead.empty() ? head->offset : log.first_kept - 1;
    if (walk.empty()) {
        log.end = log.old_end;
        log.end.epoch = epoch;
        log.projected = log.end;
    }
    return log;
}

Status write_events(const Dump& from, DumpedLog& log, const LogWalk::Take& take) {
    const Offset projected = log.projected.offset;
    LogWalk walk(log.user, log.epoch, [&](EventBatchPtr batch) -> Status {
        if (log.events == 0 && projected < batch->first)
            log.projected = {.epoch = batch->epoch,
                             .offset = batch->first - 1,
                             .hash = batch->prev_hash,
                             .timestamp_ms = batch->entries.front().timestamp_ms};
        if (projected >= batch->first && projected <= batch->last())
            log.projected = {.epoch = batch->epoch,
                             .offset = projected,
                             .hash = batch->entry(projected).hash,
                             .timestamp_ms = batch->entry(projected).timestamp_ms};
        log.events += batch->size();
        log.end = batch->head();
        return take(std::move(batch));
    });
    // An adopted document has its fingerprint in its operation.
    TRY(from.each(mongo::kEvents, log.user, [&](BsonView document) -> Status {
        if (document.text("sourceInstanceId") == kForeignInstance)
            log.adopted.emplace(document.text("operationId").value_or(""));
        return Done{};
    }));
    const auto beyond = walk_events(from, log.user, walk);
    return beyond ? Status(Done{}) : beyond.error();
}

EventBatchPtr append_adopted(DumpedLog& log, const Change& change, const std::string& operation,
                             Random& random) {
    if (!log.exists) log.exists = true;
    EventDraft draft{.source_instance_id = kForeignInstance,
                     .operation_id = operation,
                     .timestamp_ms = log.end.timestamp_ms};
    random.fill(draft.salt);
    auto batch = std::make_shared<EventBatch>();
    Change placed = change;
    if (auto* const context = std::get_if<ContextChange>(&placed)) {
        Context moved = *context->context;
        moved.offset = log.end.offset + 1;
        context->context = std::make_shared<const Context>(std::move(moved));
    }
    append_change(*batch, log.end, placed, draft);
    return batch;
}

}  // namespace dyad::dump
