#include "store/sqlite/reads.hpp"

#include "base/log.hpp"
#include "store/sqlite/whole.hpp"

#include <algorithm>

namespace dyad::sqlite {

Result<LoadedLog> Reads::load(const std::string& user_id) {
    ASSIGN_OR_RETURN(UserLog* const found, tables_.find_log(user_id));
    LoadedLog loaded;
    loaded.head = first_head(user_id, tables_.epoch_seed_);
    if (found == nullptr) return loaded;
    UserLog& log = *found;
    loaded.head = log.head;
    loaded.first_kept = log.first_kept;
    if (log.id != 0) TRY(tables_.projections_.load(log.id, loaded.state));
    for (Unapplied& next : log.unapplied) {
        TRY(next.decode());
        for (const Change& change : next.changes)
            fold(loaded.state, change);
    }
    return loaded;
}

// A write of the disk that was lost leaves pages that verify and do not follow each other.
Result<LogSlice> Reads::whole_slice(const UserLog& log, Offset after, LogSlice slice) const {
    bool whole = !slice.batches.empty() && slice.batches.front()->first <= after + 1;
    for (std::size_t i = 1; i < slice.batches.size(); ++i)
        whole = whole && slice.batches[i]->first == slice.batches[i - 1]->last() + 1 &&
                slice.batches[i]->prev_hash == slice.batches[i - 1]->head().hash;
    if (whole && slice.batches.back()->last() >= log.head.offset)
        whole = slice.batches.back()->head().hash == log.head.hash;
    if (whole) return slice;
    return fail(Errc::storage_damaged,
                db_.path() + ": the log of " + log.name +
                    " has events that do not follow each other after event " +
                    std::to_string(after) + "; " + kDamageAdvice);
}

Result<LogSlice> Reads::log(const std::string& user_id, Offset after, std::size_t bytes_max) {
    ASSIGN_OR_RETURN(UserLog* const found, tables_.find_log(user_id));
    LogSlice slice;
    slice.head = first_head(user_id, tables_.epoch_seed_);
    if (found == nullptr) return slice;
    const UserLog& log = *found;
    slice.head = log.head;
    slice.first_kept = log.first_kept;
    if (after >= log.head.offset) return slice;
    if (after + 1 < log.first_kept)
        return fail(Errc::history_gone, "the log begins at event " +
                                            std::to_string(log.first_kept) + "; event " +
                                            std::to_string(after + 1) + " is gone");
    const Offset memory_begins =
        log.unapplied.empty() ? log.head.offset + 1 : log.unapplied.front().batch->first;
    if (after + 1 < memory_begins) TRY(tables_.log_.read(log.id, after, bytes_max, slice.batches));
    std::size_t bytes = 0;
    for (const EventBatchPtr& batch : slice.batches)
        bytes += batch->texts.size();
    const Offset read_to = slice.batches.empty() ? after : slice.batches.back()->last();
    if (read_to + 1 < memory_begins) return whole_slice(log, after, std::move(slice));
    for (const Unapplied& next : log.unapplied) {
        if (bytes != 0 && bytes >= bytes_max) break;
        if (next.batch->last() <= after) continue;
        slice.batches.push_back(next.batch);
        bytes += next.batch->texts.size();
    }
    return whole_slice(log, after, std::move(slice));
}

Result<std::vector<Position>> Reads::heads(const std::vector<std::string>& user_ids) {
    std::vector<Position> ends;
    for (const std::string& user_id : user_ids) {
        ASSIGN_OR_RETURN(const LogHead head, tables_.head(user_id));
        ends.push_back(head.position());
    }
    return ends;
}

// Exact, for a user whose newest changes are not applied, too.
Result<bool> Reads::has_expired(const std::string& user_id, std::int64_t now_ms) {
    ASSIGN_OR_RETURN(UserLog* const found, tables_.find_log(user_id));
    if (found == nullptr) return false;
    if (found->unapplied.empty()) return tables_.projections_.has_expired(found->id, now_ms);
    ASSIGN_OR_RETURN(const LoadedLog loaded, load(user_id));
    const auto is_due = [now_ms](const auto& ends) {
        return !ends.empty() && ends.begin()->first <= now_ms;
    };
    return is_due(loaded.state.expiries) || is_due(loaded.state.claim_ends);
}

// What is not applied may have made a context or a claim of any of its users expire.
Status Reads::add_unapplied_with_expired(std::int64_t now_ms, std::vector<std::string>& users) {
    for (UserLog* log : tables_.dirty_) {
        bool any = false;
        TRY(visit_unapplied(*log, INT64_MAX, [&](Offset, const EventEntry&, const Change& change) {
            const auto* context = std::get_if<ContextChange>(&change);
            const auto* claim = std::get_if<ClaimChange>(&change);
            any = (context != nullptr && !context->context->deleted &&
                   context->context->expires_at_ms.value_or(INT64_MAX) <= now_ms) ||
                  (claim != nullptr && claim->is_held() && claim->claim.expires_at_ms <= now_ms);
            return !any;
        }));
        if (any && std::find(users.begin(), users.end(), log->name) == users.end())
            users.push_back(log->name);
    }
    return Done{};
}

Result<std::vector<std::string>> Reads::users_with_expired(std::int64_t now_ms, std::size_t limit) {
    ASSIGN_OR_RETURN(auto may_have, tables_.projections_.users_who_may_have_expired(now_ms, limit));
    TRY(add_unapplied_with_expired(now_ms, may_have));
    std::vector<std::string> users;
    if (may_have.empty()) return users;
    TRY(tables_.change([&]() -> Status {  // where none has, that is noted
        for (std::string& user : may_have) {
            ASSIGN_OR_RETURN(const bool expired, has_expired(user, now_ms));
            if (expired && users.size() < limit) users.push_back(std::move(user));
        }
        return Done{};
    }));
    return users;
}

Result<std::vector<std::string>> Reads::users() {
    ASSIGN_OR_RETURN(std::vector<std::string> users, tables_.log_.users());
    for (const UserLog* log : tables_.dirty_)
        if (!std::binary_search(users.begin(), users.end(), log->name)) users.push_back(log->name);
    std::sort(users.begin(), users.end());
    users.erase(std::unique(users.begin(), users.end()), users.end());
    return users;
}

Result<ClockMark> Reads::load_clock() {
    ASSIGN_OR_RETURN(const auto kept, db_.text("SELECT value FROM meta WHERE key = 'clock'"));
    if (kept) return decode_clock_mark(*kept);
    ASSIGN_OR_RETURN(const auto newest, db_.number("SELECT coalesce(max(timestamp), 0) FROM head"));
    ClockMark mark;
    mark.proven_ms = newest;
    for (const UserLog* log : tables_.dirty_)
        mark.proven_ms = std::max(mark.proven_ms, log->head.timestamp_ms);
    return mark;
}

void Reads::save_clock(const ClockMark& mark) {
    const Status done =
        tables_.change([&] { return db_.set_meta("clock", encode_clock_mark(mark)); });
    if (done) return;
    log::warn("sqlite", "the clock's mark was not kept: " + done.error().to_string());
}

}  // namespace dyad::sqlite
