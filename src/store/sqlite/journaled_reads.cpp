// The reads of the embedded store.
#include "base/log.hpp"
#include "store/sqlite/journaled.hpp"
#include "store/sqlite/whole.hpp"

#include <algorithm>

namespace dyad::sqlite {

Result<LoadedLog> Journaled::load(const std::string& user_id) {
    static_cast<void>(settle());
    const Result<UserLog*> found = find_log(user_id);
    if (!found) return found.error();
    LoadedLog loaded;
    loaded.head = first_head(user_id, epoch_seed_);
    if (*found == nullptr) return loaded;
    UserLog& log = **found;
    loaded.head = log.head;
    loaded.first_kept = log.first_kept;
    if (log.id != 0) {
        const Status done = projections_->load(log.id, loaded.state);
        if (!done) return done.error();
    }
    for (Unapplied& next : log.unapplied) {
        const Status decoded = next.decode();
        if (!decoded) return decoded.error();
        for (const Change& change : next.changes)
            fold(loaded.state, change);
    }
    return loaded;
}

Status Journaled::read_operations(const std::string& user_id, OperationsWalk& walk) {
    constexpr std::size_t kAtOnce = 8192;  // about a millisecond, and commits wait
    static_cast<void>(settle());
    const Result<UserLog*> found = find_log(user_id);
    if (!found) return found.error();
    walk.finished = *found == nullptr;
    if (walk.finished) return Done{};
    const UserLog& log = **found;
    if (walk.before == 0) {
        walk.before = log.head.offset + 1;
        for (const Unapplied& next : log.unapplied)
            for (const EventEntry& entry : next.batch->entries)
                walk.keys.push_back(entry.operation_key);
        if (!log.unapplied.empty()) walk.before = log.unapplied.front().batch->first;
    }
    if (log.id == 0) {
        walk.finished = true;
        return Done{};
    }
    const std::size_t most = walk.keys.size() + kAtOnce;
    Status done = log_->visit_keys(log.id, walk.before,
                                   [&](Offset offset, std::uint64_t operation, std::uint64_t) {
                                       walk.keys.push_back(operation);
                                       walk.before = offset;
                                       return walk.keys.size() < most;
                                   });
    if (!done || walk.keys.size() >= most) return done;
    walk.finished = true;
    // Last: what expires during the walk is in one place or the other.
    return expired_->load(log.id, walk.keys);
}

// A write of the disk that was lost leaves pages that verify and do not follow each other.
Result<LogSlice> Journaled::whole_slice(const UserLog& log, Offset after, LogSlice slice) const {
    bool whole = !slice.batches.empty() && slice.batches.front()->first <= after + 1;
    for (std::size_t i = 1; i < slice.batches.size(); ++i)
        whole = whole && slice.batches[i]->first == slice.batches[i - 1]->last() + 1 &&
                slice.batches[i]->prev_hash == slice.batches[i - 1]->head().hash;
    if (whole && slice.batches.back()->last() >= log.head.offset)
        whole = slice.batches.back()->head().hash == log.head.hash;
    if (whole) return slice;
    return fail(Errc::storage_damaged,
                options_.database + ": the log of " + log.name +
                    " has events that do not follow each other after event " +
                    std::to_string(after) + "; " + kDamageAdvice);
}

Result<LogSlice> Journaled::read_log(const std::string& user_id, Offset after,
                                     std::size_t bytes_max) {
    static_cast<void>(settle());
    const Result<UserLog*> found = find_log(user_id);
    if (!found) return found.error();
    LogSlice slice;
    slice.head = first_head(user_id, epoch_seed_);
    if (*found == nullptr) return slice;
    const UserLog& log = **found;
    slice.head = log.head;
    slice.first_kept = log.first_kept;
    if (after >= log.head.offset) return slice;
    if (after + 1 < log.first_kept)
        return fail(Errc::history_gone, "the log begins at event " +
                                            std::to_string(log.first_kept) + "; event " +
                                            std::to_string(after + 1) + " is gone");
    const Offset memory_begins =
        log.unapplied.empty() ? log.head.offset + 1 : log.unapplied.front().batch->first;
    if (after + 1 < memory_begins) {
        const Status done = log_->read(log.id, after, bytes_max, slice.batches);
        if (!done) return done.error();
    }
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

Result<Offset> Journaled::find_operation(const std::string& user_id, std::uint64_t operation_key) {
    static_cast<void>(settle());
    const Result<UserLog*> found = find_log(user_id);
    if (!found) return found.error();
    if (*found == nullptr) return Offset{0};
    const UserLog& log = **found;
    for (std::size_t b = log.unapplied.size(); b-- > 0;) {
        const EventBatch& batch = *log.unapplied[b].batch;
        for (std::size_t i = batch.size(); i-- > 0;)
            if (batch.entries[i].operation_key == operation_key) return batch.first + i;
    }
    Offset at = 0;
    if (log.id == 0) return at;
    const Status done = log_->visit_keys(
        log.id, log.head.offset + 1, [&](Offset offset, std::uint64_t operation, std::uint64_t) {
            if (operation == operation_key) at = offset;
            return at == 0;
        });
    if (!done) return done.error();
    return at;
}

Result<std::vector<Position>> Journaled::heads(const std::vector<std::string>& user_ids) {
    std::vector<Position> ends;
    for (const std::string& user_id : user_ids) {
        const Result<UserLog*> found = find_log(user_id);
        if (!found) return found.error();
        const LogHead& head = *found != nullptr ? (*found)->head : first_head(user_id, epoch_seed_);
        ends.push_back(head.position());
    }
    return ends;
}

Result<std::optional<StoredHead>> Journaled::applied_log(const std::string& user_id) {
    const Status applied = apply();
    if (!applied) return applied.error();
    return log_->find(user_id);
}

Result<std::vector<HistoryItem>> Journaled::history(const std::string& user_id,
                                                    const std::string& key, PageRequest page) {
    const auto log = applied_log(user_id);
    if (!log) return log.error();
    if (!*log) return std::vector<HistoryItem>();
    return queries_->history((*log)->user, key, page);
}

Result<ContextPtr> Journaled::read_version(const std::string& user_id, const std::string& key,
                                           Version version) {
    const auto log = applied_log(user_id);
    if (!log) return log.error();
    if (!*log) return fail(Errc::not_found, "this user has no memory yet");
    return queries_->version(**log, key, version);
}

Result<std::vector<Transition>> Journaled::transitions(
    const std::string& user_id, const std::optional<std::string>& instance_id, PageRequest page) {
    const auto log = applied_log(user_id);
    if (!log) return log.error();
    if (!*log) return std::vector<Transition>();
    return queries_->transitions((*log)->user, instance_id, page);
}

Result<std::vector<ResponseRecord>> Journaled::responses(const std::string& user_id,
                                                         const ResponseFilter& filter,
                                                         PageRequest page) {
    const auto log = applied_log(user_id);
    if (!log) return log.error();
    if (!*log) return std::vector<ResponseRecord>();
    return queries_->responses((*log)->user, filter, page);
}

Status Journaled::index_all(std::int64_t user) {
    constexpr std::size_t kContextsAtOnce = 256;
    for (;;) {
        const Result<bool> behind = search_->is_behind(user);
        if (!behind) return behind.error();
        if (!*behind) break;
        Transaction transaction(*db_);
        const Status begun = transaction.begin();
        if (!begun) return begun;
        const Result<bool> indexed = search_->index_some(user, kContextsAtOnce);
        if (!indexed) return indexed.error();
        const Status done = transaction.commit();
        if (!done) {
            stop_if_sync_failed(done.error());
            return done;
        }
    }
    to_index_.erase(user);
    return Done{};
}

Result<std::vector<SearchHit>> Journaled::search(const std::string& user_id,
                                                 const std::string& query, std::size_t limit) {
    const Result<search::Query> parsed = search::Query::parse(query);
    if (!parsed) return parsed.error();
    const auto log = applied_log(user_id);
    if (!log) return log.error();
    if (!*log) return std::vector<SearchHit>();
    const Status indexed = index_all((*log)->user);
    if (!indexed) return indexed.error();
    return search_->find((*log)->user, *parsed, limit);
}

Result<std::vector<std::string>> Journaled::users_with_expired(std::int64_t now_ms,
                                                               std::size_t limit) {
    Status done = apply();
    if (!done) return done.error();
    Transaction transaction(*db_);
    done = transaction.begin();
    if (!done) return done.error();
    Result<std::vector<std::string>> users = projections_->users_with_expired(now_ms, limit);
    if (!users) return users;
    done = transaction.commit();
    if (!done) {
        stop_if_sync_failed(done.error());
        return done.error();
    }
    return users;
}

Result<ClockMark> Journaled::load_clock() {
    const Result<bool> settled = settle();
    if (!settled) return settled.error();
    {
        Rows rows = db_->query("SELECT value FROM meta WHERE key = 'clock'");
        if (rows.next()) return decode_clock_mark(rows.text(0));
        const Status status = rows.status();
        if (!status) return status.error();
    }
    const Status applied = apply();
    if (!applied) return applied.error();
    const auto newest = db_->number("SELECT coalesce(max(timestamp), 0) FROM head");
    if (!newest) return newest.error();
    ClockMark mark;
    mark.proven_ms = *newest;
    return mark;
}

void Journaled::save_clock(const ClockMark& mark) {
    Status done = Done{};
    if (const Result<bool> settled = settle(); !settled) done = settled.error();
    if (done)
        done = db_->execute("INSERT OR REPLACE INTO meta(key, value) VALUES('clock', ?)",
                            encode_clock_mark(mark));
    if (done) return;
    stop_if_sync_failed(done.error());
    log::warn("sqlite", "the clock's mark was not kept: " + done.error().to_string());
}

Result<std::vector<std::string>> Journaled::list_users() {
    const Status applied = apply();
    if (!applied) return applied.error();
    return log_->users();
}

Status Journaled::verify(const std::string& user_id) {
    const auto log = applied_log(user_id);
    if (!log) return log.error();
    if (!*log) return fail(Errc::not_found, "there is no log of user " + user_id);
    return log_->verify(**log);
}

bool Journaled::check_some(StoreCheck& check) {
    return is_ending() || check.step();  // while it is, the database is not to be touched
}

Status Journaled::renew_epochs(Random& random) {
    Status done = apply();
    if (!done) return done;
    Transaction transaction(*db_);
    done = transaction.begin();
    for (std::int64_t user = 0; done;) {
        const auto log = log_->next_user(user);
        if (!log) return log.error();
        if (!*log) break;
        user = (*log)->user;
        done = log_->set_epoch(user, random.next_u64() | 1);
    }
    const std::uint64_t seed = random.next_u64() | 1;  // of the users without events
    if (done)
        done =
            db_->execute("INSERT OR REPLACE INTO meta(key, value) VALUES('epoch_seed', ?)", seed);
    if (done) done = transaction.commit();
    if (!done) {
        stop_if_sync_failed(done.error());
        return done;
    }
    epoch_seed_ = seed;
    logs_.clear();  // nothing is unapplied
    return Done{};
}

}  // namespace dyad::sqlite
