#include "store/mongo/user_logs.hpp"

#include "store/mongo/state_documents.hpp"

#include <algorithm>
#include <utility>

namespace dyad::mongo {
namespace {

constexpr Offset kReach = 1024;  // how far beyond a known end the end is looked for at once
constexpr Offset kOffsetMax = Offset{1} << 62;
constexpr int kTries = 5;  // of a read that others' writes overtake
constexpr std::size_t kLoadBytes = 8 << 20;

Bson between(const std::string& user_id, Offset from, Offset to) {
    const Bson range = Bson().number("$gte", signed_bits(from)).number("$lte", signed_bits(to));
    return Bson().text("userId", user_id).sub("offset", range);
}

Bson by_offset(int direction) {
    return Bson().number("offset", direction);
}

bool follows(const EventBatch& batch, const LogHead& head) {
    return batch.epoch == head.epoch && batch.first == head.offset + 1 &&
           batch.prev_hash == head.hash;
}

Bson operation_filter(const std::string& user_id, const OperationId& operation) {
    return Bson()
        .text("userId", user_id)
        .text("sourceInstanceId", operation.instance_id)
        .text("operationId", operation.operation_id);
}

}  // namespace

Result<HeadDocument> UserLogs::head_document(const std::string& user_id) {
    HeadDocument head;
    head.projected = first_head_of(user_id);
    ASSIGN_OR_RETURN(const auto found, client_.find_one(kHeads, Bson().text("_id", user_id)));
    if (!found) return head;
    const BsonView view = found->view();
    head.exists = true;
    head.has_oldest = view.date("oldest").has_value();
    head.first_kept = static_cast<Offset>(view.number("firstKept").value_or(1));
    head.forgotten = static_cast<Version>(view.number("forgotten").value_or(0));
    if (const BsonView projected = view.sub("projected"); projected.valid()) {
        ASSIGN_OR_RETURN(head.projected, head_in(projected));
    }
    return head;
}

Result<UserLogs::Window> UserLogs::window(const std::string& user_id, Offset from,
                                          std::size_t bytes_max) {
    Window window;
    Status good = Done{};
    std::size_t bytes = 0;
    TRY(client_.each(kEvents, between(user_id, from, from + kWindow - 1), {.sort = by_offset(1)},
                     [&](BsonView document) {
                         const auto offset = static_cast<Offset>(*document.number("offset"));
                         const Offset next = window.batch.empty() ? from : window.batch.last() + 1;
                         if (offset != next) return false;  // expired, or on its way
                         good = add_event(window.batch, document);
                         bytes = window.batch.texts.size();
                         window.more = bytes >= bytes_max;
                         return good.has_value() && !window.more;
                     }));
    TRY(std::move(good));
    if (!window.batch.empty()) TRY(verify_batch(window.batch));
    window.more = window.more || window.batch.size() == kWindow;
    return window;
}

Result<std::optional<LogHead>> UserLogs::last_between(const std::string& user_id, Offset from,
                                                      Offset to) {
    ASSIGN_OR_RETURN(const auto found,
                     client_.find_one(kEvents, between(user_id, std::max<Offset>(from, 1), to),
                                      {.sort = by_offset(-1), .fields = head_fields()}));
    if (!found) return std::optional<LogHead>();
    ASSIGN_OR_RETURN(LogHead head, head_in(found->view()));
    return std::optional(head);
}

// A range that is bounded on both sides, from where the log was seen to end last.
Result<LogHead> UserLogs::end_of(const std::string& user_id, std::optional<LogHead> from) {
    const auto known = shared_.heads.find(user_id);
    if (known && (!from || from->offset < known->head.offset)) from = known->head;
    bool sure = false;  // `from` is an end, if nothing is found
    if (!from) {
        ASSIGN_OR_RETURN(const HeadDocument head, head_document(user_id));
        from = head.projected;
        sure = true;
    }
    Offset reach = kReach;
    for (LogHead at = *from;;) {
        ASSIGN_OR_RETURN(const auto last, last_between(user_id, at.offset, at.offset + reach));
        if (last && last->offset < at.offset + reach) return *last;
        if (last) {
            at = *last;
            reach *= 2;
        } else if (!std::exchange(sure, true)) {
            // What was known has expired, or is of another time.
            ASSIGN_OR_RETURN(const HeadDocument head, head_document(user_id));
            at = head.projected;
        } else {
            ASSIGN_OR_RETURN(const auto any, last_between(user_id, at.offset, kOffsetMax));
            return any ? *any : at;
        }
    }
}

Status UserLogs::prove(const std::string& user_id, const LogHead& end) {
    TRY(shared_.prove(client_, era_));
    shared_.heads.saw(user_id, end, era_);
    return Done{};
}

// By the event itself: where it stands and nothing is behind it, the log ends there, and nothing
// else need be asked. Nothing: it does not stand there, or is all that can be had at once.
Result<std::optional<LogSlice>> UserLogs::behind(const std::string& user_id, Offset after,
                                                 std::size_t bytes_max) {
    if (after == 0 || after >= kOffsetMax) return std::optional<LogSlice>();
    ASSIGN_OR_RETURN(Window window, this->window(user_id, after, bytes_max));
    if (window.batch.empty() || (window.more && window.batch.size() == 1))
        return std::optional<LogSlice>();
    LogSlice slice;
    slice.head = window.batch.head();
    if (slice.head.offset > after)
        slice.batches.push_back(std::make_shared<const EventBatch>(std::move(window.batch)));
    if (window.more) {
        ASSIGN_OR_RETURN(slice.head, end_of(user_id, slice.head));
    }
    return std::optional(std::move(slice));
}

Result<LogSlice> UserLogs::read(const std::string& user_id, Offset after, std::size_t bytes_max) {
    ASSIGN_OR_RETURN(auto quick, behind(user_id, after, bytes_max));
    if (quick) {
        TRY(prove(user_id, quick->head));
        return *std::move(quick);
    }
    for (int tries = 0; tries < kTries; ++tries) {
        LogSlice slice;
        Window window;
        if (after < kOffsetMax) {
            ASSIGN_OR_RETURN(window, this->window(user_id, after + 1, bytes_max));
        }
        if (window.batch.empty()) {
            ASSIGN_OR_RETURN(const HeadDocument head, head_document(user_id));
            if (after + 1 < head.first_kept)
                return fail(Errc::history_gone,
                            "the log begins with event " + std::to_string(head.first_kept));
            slice.first_kept = head.first_kept;
            ASSIGN_OR_RETURN(slice.head, end_of(user_id));
            if (slice.head.offset > after) {
                // Written meanwhile; or there is a hole, which only another log can have.
                if (tries + 1 < kTries) continue;
                return fail(Errc::history_gone, "the log does not go on after this event");
            }
        } else {
            slice.head = window.batch.head();
            const LogHead last = slice.head;
            slice.batches.push_back(std::make_shared<const EventBatch>(std::move(window.batch)));
            if (window.more) {
                ASSIGN_OR_RETURN(slice.head, end_of(user_id, last));
            }
        }
        TRY(prove(user_id, slice.head));
        return slice;
    }
    return fail(Errc::storage_unavailable, "the log changes faster than it can be read");
}

Result<std::optional<Offset>> UserLogs::find(const std::string& user_id,
                                             const OperationId& operation) {
    ASSIGN_OR_RETURN(const auto found,
                     client_.find_one(kEvents, operation_filter(user_id, operation),
                                      {.fields = Bson().number("offset", 1)}));
    TRY(shared_.prove(client_, era_));
    if (!found) return std::optional<Offset>();
    const std::int64_t offset = found->view().number("offset").value_or(0);
    return std::optional(static_cast<Offset>(std::max<std::int64_t>(offset, 0)));  // below: expired
}

Result<std::vector<Position>> UserLogs::heads(const std::vector<std::string>& user_ids) {
    std::vector<Position> positions;
    std::vector<LogHead> ends;
    for (const std::string& user_id : user_ids) {
        ASSIGN_OR_RETURN(ends.emplace_back(), end_of(user_id));
        positions.push_back(ends.back().position());
    }
    if (!user_ids.empty()) TRY(shared_.prove(client_, era_));
    for (std::size_t i = 0; i < user_ids.size(); ++i)
        shared_.heads.saw(user_ids[i], ends[i], era_);
    return positions;
}

// The state as it was projected, and what the log has beyond that. Nothing where events expired
// meanwhile: their place is projected then.
Result<std::optional<LoadedLog>> UserLogs::try_load(const std::string& user_id) {
    ASSIGN_OR_RETURN(const HeadDocument head, head_document(user_id));
    LoadedLog loaded{.head = head.projected, .first_kept = head.first_kept, .state = {}};
    TRY(read_state(client_, user_id, loaded.state));
    loaded.state.forgotten_version = std::max(loaded.state.forgotten_version, head.forgotten);
    for (bool more = true; more;) {
        ASSIGN_OR_RETURN(const Window window,
                         this->window(user_id, loaded.head.offset + 1, kLoadBytes));
        more = window.more;
        if (window.batch.empty()) break;
        if (!follows(window.batch, loaded.head)) return std::optional<LoadedLog>();
        TRY(for_each_change(window.batch, [&](Offset, const Change& change) {
            fold(loaded.state, change);
            return Status(Done{});
        }));
        loaded.head = window.batch.head();
    }
    return std::optional(std::move(loaded));
}

Result<LoadedLog> UserLogs::load(const std::string& user_id) {
    for (int tries = 0; tries < kTries; ++tries) {
        ASSIGN_OR_RETURN(auto loaded, try_load(user_id));
        if (!loaded) continue;
        ASSIGN_OR_RETURN(const LogHead end, end_of(user_id, loaded->head));
        if (end.offset != loaded->head.offset) continue;
        TRY(prove(user_id, end));
        return *std::move(loaded);
    }
    return fail(Errc::storage_unavailable, "the log changes faster than it can be read");
}

// ---- writing --------------------------------------------------------------------------------

// Requests that are inserted together.
struct UserLogs::Insert {
    const std::string& user_id;
    std::span<const AppendRequest* const> requests;
    std::vector<AppendResult>& results;

    void answer(std::size_t from, const AppendResult& result) {
        for (std::size_t i = from; i < requests.size(); ++i)
            results[i] = result;
    }
};

// Whether the log ends where `batch` begins.
Result<bool> UserLogs::may_follow(const std::string& user_id, const EventBatch& batch) {
    const Offset before = batch.first - 1;
    ASSIGN_OR_RETURN(const auto last, last_between(user_id, before, batch.first));
    if (last) return follows(batch, *last);
    // The log is empty, or its last event has expired.
    ASSIGN_OR_RETURN(const HeadDocument head, head_document(user_id));
    if (!follows(batch, head.projected)) return false;
    if (before < head.first_kept) return true;
    return fail(Errc::storage_damaged,
                "MongoDB: the log ends before event " + std::to_string(before) +
                    ", of which dyad_state knows; restore all collections of one time");
}

std::vector<AppendResult> UserLogs::append(const std::string& user_id,
                                           std::span<const AppendRequest* const> requests) {
    CHECK(!requests.empty());
    std::vector<AppendResult> results(requests.size());
    Insert insert{user_id, requests, results};
    const EventBatch& first = *requests.front()->batch;
    const auto known = shared_.heads.find(user_id);
    if (!known || !known->is_fresh() || !follows(first, known->head)) {
        const Result<bool> may = may_follow(user_id, first);
        // Nothing was sent that could be in the log.
        if (!may) return insert.answer(0, {AppendOutcome::refused, may.error()}), results;
        if (!*may) {
            shared_.heads.forget(user_id);
            return insert.answer(0, {.outcome = AppendOutcome::conflict}), results;
        }
    }
    std::vector<Bson> documents;
    LogHead end = first.head();
    for (std::size_t i = 0; i < requests.size(); ++i) {
        const AppendRequest& request = *requests[i];
        CHECK(!request.batch->empty() && request.changes.size() == request.batch->size());
        if (i > 0 && !follows(*request.batch, end)) {
            insert.answer(i, {.outcome = AppendOutcome::conflict});
            insert.requests = requests.first(i);
            break;
        }
        for (std::size_t n = 0; n < request.changes.size(); ++n)
            documents.push_back(event_document(user_id, *request.batch, request.batch->first + n,
                                               request.changes[n]));
        end = request.batch->head();
    }
    const Result<Written> written = client_.insert(kEvents, documents);
    const bool all = written && written->count == static_cast<std::int64_t>(documents.size());
    if (all && written->failures.empty()) {
        shared_.heads.saw(user_id, end, era_);
        insert.answer(0, {.outcome = AppendOutcome::committed});
        return results;
    }
    shared_.heads.forget(user_id);
    if (written && !written->failures.empty())
        failed(insert, written->failures.front());
    else if (written)
        insert.answer(0, {.outcome = AppendOutcome::unknown});
    else if (written.error().code == Errc::storage_unavailable)
        insert.answer(0, {AppendOutcome::refused, written.error()});
    else
        insert.answer(0, {.outcome = AppendOutcome::unknown});
    return results;
}

// Everything before the failure is committed.
void UserLogs::failed(Insert& insert, const Written::Failure& failure) {
    std::size_t i = 0;
    std::size_t event = failure.index;
    while (event >= insert.requests[i]->batch->size()) {
        event -= insert.requests[i]->batch->size();
        insert.results[i] = {.outcome = AppendOutcome::committed};
        i += 1;
        CHECK(i < insert.requests.size());
    }
    insert.answer(i, {.outcome = AppendOutcome::conflict});
    if (failure.of_index("operationId"))
        insert.results[i] = repeated(insert.user_id, *insert.requests[i]->batch, event);
    else if (failure.code != kDuplicateKey)
        insert.results[i] = event == 0 ? AppendResult{AppendOutcome::refused, error_of(failure)}
                                       : AppendResult{.outcome = AppendOutcome::unknown};
}

// The event's operation is in the log: where? Somebody may have written this very batch.
AppendResult UserLogs::repeated(const std::string& user_id, const EventBatch& batch,
                                std::size_t event) {
    const Result<EventView> view = decode_event(batch.text(batch.first + event));
    CHECK(view.has_value());
    const auto at = find(user_id, {view->source_instance_id, view->operation_id});
    if (!at) return {.outcome = AppendOutcome::unknown};
    if (!*at || (**at >= batch.first + event)) return {.outcome = AppendOutcome::conflict};
    return {.outcome = AppendOutcome::duplicate,
            .duplicates = {{event, **at}},
            .is_untouched = event == 0};
}

}  // namespace dyad::mongo
