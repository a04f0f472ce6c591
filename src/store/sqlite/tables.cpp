#include "store/sqlite/tables.hpp"

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "store/sqlite/journal_format.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace dyad::sqlite {
namespace {

constexpr std::string_view kScope = "sqlite";

// What is moved out of a log's unapplied batches and back.
void move_batches(std::vector<Unapplied>& from, std::size_t count, std::vector<Unapplied>& to,
                  std::vector<Unapplied>::iterator at) {
    const auto end = from.begin() + static_cast<std::ptrdiff_t>(count);
    to.insert(at, std::make_move_iterator(from.begin()), std::make_move_iterator(end));
    from.erase(from.begin(), end);
}

Status check_follows(const LogHead& head, const EventBatch& batch) {
    if (!batch.empty() && batch.epoch == head.epoch && batch.first == head.offset + 1 &&
        batch.prev_hash == head.hash)
        return Done{};
    return fail(Errc::storage_damaged, "event " + std::to_string(batch.first) +
                                           " does not follow the log's end, " +
                                           std::to_string(head.offset));
}

Result<OperationId> operation_of(std::string_view text) {
    ASSIGN_OR_RETURN(EventView event, decode_event(text));
    return OperationId{std::move(event.source_instance_id), std::move(event.operation_id)};
}

// Equal keys are compared in full.
bool is_of(const EventBatch& batch, std::size_t index, std::uint64_t key,
           const OperationId& operation) {
    if (batch.entries[index].operation_key != key) return false;
    const Result<OperationId> of = operation_of(batch.text(batch.first + index));
    return of && of->instance_id == operation.instance_id &&
           of->operation_id == operation.operation_id;
}

}  // namespace

Tables::Tables(std::unique_ptr<Connection> connection, StoreOptions options,
               std::uint64_t epoch_seed, std::uint64_t applied)
    : options_(std::move(options)),
      epoch_seed_(epoch_seed),
      db_(std::move(connection)),
      log_(*db_, options_.segments),
      index_(*db_, log_, options_.index),
      expired_(*db_),
      projections_(*db_),
      search_(*db_),
      taken_(applied),
      applied_(applied) {}

void Tables::stop_if_sync_failed(const Error& error) {
    if (db_->sync_failed()) stop(error);
}

Status Tables::read_log(UserLog& log) {
    if (log.is_read) return Done{};
    ASSIGN_OR_RETURN(const auto stored, log_.find(log.name));
    log.is_read = true;
    if (stored) {
        log.id = stored->user;
        log.first_kept = stored->first_kept;
        if (log.unapplied.empty()) log.head = stored->head;
    }
    return Done{};
}

Result<UserLog*> Tables::find_log(const std::string& user_id) {
    if (const auto at = logs_.find(user_id); at != logs_.end()) {
        TRY(read_log(*at->second));
        return at->second.get();
    }
    auto log = std::make_unique<UserLog>();
    log->name = user_id;
    TRY(read_log(*log));
    if (log->id == 0) return static_cast<UserLog*>(nullptr);
    release_idle_logs();
    return logs_.emplace(user_id, std::move(log)).first->second.get();
}

void Tables::release_idle_logs() {
    if (applying_ || logs_.size() < static_cast<std::size_t>(limits::users_active_max)) return;
    std::erase_if(logs_, [](const auto& entry) { return entry.second->unapplied.empty(); });
}

void Tables::take(std::vector<Committed> batches, std::uint64_t sequence) {
    for (Committed& next : batches) {
        std::unique_ptr<UserLog>& log = logs_[next.user_id];
        if (!log) {
            log = std::make_unique<UserLog>();
            log->name = next.user_id;
        }
        if (log->unapplied.empty()) dirty_.push_back(log.get());
        log->head = next.batch->head();
        log->unapplied.push_back({std::move(next.batch), std::move(next.changes)});
        unapplied_bytes_ += next.record_bytes;
    }
    taken_ = sequence;
}

Status Tables::replay(std::string_view payload, std::size_t record_bytes, std::uint64_t sequence) {
    taken_ = sequence;
    while (!payload.empty()) {
        const auto entry = take_entry(payload);
        if (!entry) return fail(Errc::storage_damaged, options_.database + ": journal entry");
        ASSIGN_OR_RETURN(EventBatch batch, decode_batch(entry->batch));
        const std::string user_id(entry->user);
        ASSIGN_OR_RETURN(UserLog* const log, find_log(user_id));
        LogHead head = log != nullptr ? log->head : first_head(user_id, epoch_seed_);
        if (head.offset == 0) {  // older versions chose the epoch with the first event
            head.epoch = batch.epoch;
            head.hash = genesis_hash(user_id, batch.epoch);
        }
        TRY(check_follows(head, batch));
        std::vector<Committed> one;
        one.push_back({.user_id = user_id,
                       .batch = std::make_shared<const EventBatch>(std::move(batch)),
                       .changes = {},
                       .record_bytes = std::exchange(record_bytes, 0)});
        take(std::move(one), sequence);
    }
    return Done{};
}

Status Tables::prepare() {
    ASSIGN_OR_RETURN(to_index_, search_.prepare());
    ASSIGN_OR_RETURN(const auto old_logs,
                     db_->number("SELECT count(*) FROM meta WHERE key = 'index_from'"));
    old_logs_ = old_logs != 0;
    return Done{};
}

Status Tables::apply(const std::function<void()>& between) {
    CHECK(!applying_);
    if (!has_unapplied()) return Done{};
    std::vector<Part> parts;
    for (UserLog* log : std::exchange(dirty_, {}))
        parts.push_back({.log = log, .left = log->unapplied.size()});
    const std::size_t bytes = std::exchange(unapplied_bytes_, 0);
    const std::uint64_t sequence = taken_;
    applying_ = true;
    const Status done = db_->transact([&]() -> Status {
        TRY(apply_all(parts, between));
        return db_->set_meta("applied", sequence);
    });
    applying_ = false;
    if (!done) return give_up_applying(parts, bytes, done.error());
    applied_ = sequence;
    for (const Part& part : parts)
        to_index_.insert(part.log->id);
    release_idle_logs();
    if (apply_problem_) log::info(kScope, "the database takes writes again");
    apply_problem_.reset();
    return Done{};
}

Status Tables::apply_all(std::vector<Part>& parts, const std::function<void()>& between) {
    for (Part& part : parts) {
        while (part.left > 0) {
            TRY(apply_piece(part));
            if (between) between();
            if (!db_->in_transaction())  // lost to an error of a read
                return fail(Errc::storage_unavailable,
                            options_.database + ": a transaction was rolled back");
        }
    }
    return Done{};
}

Status Tables::apply_piece(Part& part) {
    UserLog& log = *part.log;
    TRY(read_log(log));
    if (log.id == 0) {
        ASSIGN_OR_RETURN(log.id, log_.add_user(log.name));
        part.is_new = true;
    }
    std::size_t count = 0;
    for (std::size_t bytes = 0; count < part.left && bytes < options_.piece_bytes; ++count) {
        Unapplied& next = log.unapplied[count];
        TRY(next.decode());
        bytes += next.batch->texts.size() + next.batch->size() * sizeof(EventEntry);
    }
    const std::span batches(log.unapplied.data(), count);
    TRY(log_.append(log.id, batches, batches.back().batch->head()));
    TRY(projections_.apply(log.id, batches));
    if (const Result<bool> followed = index_.follow(log.id); !followed) return followed.error();
    // From here on, reads of this log find them in the database.
    move_batches(log.unapplied, count, part.done, part.done.end());
    part.left -= count;
    if (part.left == 0 && !log.unapplied.empty()) dirty_.push_back(&log);  // with what came since
    return Done{};
}

// As if it had not begun; the transaction is rolled back.
Error Tables::give_up_applying(std::vector<Part>& parts, std::size_t bytes, const Error& error) {
    for (Part& part : parts) {
        UserLog& log = *part.log;
        // One that was finished is dirty again only where something came since.
        if (part.left > 0 || log.unapplied.empty()) dirty_.push_back(&log);
        move_batches(part.done, part.done.size(), log.unapplied, log.unapplied.begin());
        if (part.is_new) log.id = 0;
    }
    unapplied_bytes_ += bytes;
    stop_if_sync_failed(error);
    if (!apply_problem_ && error.code != Errc::storage_damaged)  // whoever owns this says that
        log::error(kScope, error.to_string());
    apply_problem_ = error;
    return error;
}

bool Tables::tidy() {
    constexpr std::size_t kContextsAtOnce = 32;
    if (apply_problem_ || (to_index_.empty() && !old_logs_)) return false;
    const Result<bool> more = change([&] {
        return old_logs_ ? index_.follow_old_logs()
                         : search_.index_some(*to_index_.begin(), kContextsAtOnce);
    });
    if (!more) {
        log::warn(kScope, "search index: " + more.error().to_string());
        to_index_.clear();  // a search catches up by itself
        old_logs_ = false;
        return false;
    }
    if (!*more && !std::exchange(old_logs_, false)) to_index_.erase(to_index_.begin());
    return !to_index_.empty();
}

Status Tables::index_texts(std::int64_t user) {
    constexpr std::size_t kContextsAtOnce = 256;
    for (bool more = true; more;) {
        ASSIGN_OR_RETURN(more, change([&] { return search_.index_some(user, kContextsAtOnce); }));
    }
    to_index_.erase(user);
    return Done{};
}

Result<LogHead> Tables::head(const std::string& user_id) {
    ASSIGN_OR_RETURN(UserLog* const found, find_log(user_id));
    return found != nullptr ? found->head : first_head(user_id, epoch_seed_);
}

Status Tables::walk_operations(const std::string& user_id, OperationsWalk& walk) {
    constexpr std::size_t kRowsAtOnce = 16;
    constexpr int kPiecesMax = 1000;  // who writes faster than it walks has it done at once
    ASSIGN_OR_RETURN(UserLog* const log, find_log(user_id));
    if (walk.pieces++ == 0 && log != nullptr)
        for (const Unapplied& next : log->unapplied)
            for (const EventEntry& entry : next.batch->entries)
                walk.operations.add(entry.operation_key);
    walk.finished = log == nullptr || log->id == 0;
    if (walk.finished) return Done{};
    const std::size_t rows = walk.pieces < kPiecesMax ? kRowsAtOnce : 0;
    TRY(index_.walk_hashes(log->id, walk.stored, rows));
    if (!walk.stored.finished) return Done{};
    // Last: what expires during the walk is in one place or the other.
    std::vector<std::uint64_t> expired;
    TRY(expired_.load(log->id, expired));
    for (const std::vector<std::uint32_t>& list : walk.stored.lists)
        walk.operations.add_hashes(list);
    for (const std::uint64_t key : expired)
        walk.operations.add(key);
    walk.finished = true;
    return Done{};
}

Result<std::vector<Duplicate>> Tables::duplicates(const std::string& user_id,
                                                  const EventBatch& batch,
                                                  std::span<const std::size_t> events) {
    std::vector<Duplicate> found;
    for (const std::size_t index : events) {
        ASSIGN_OR_RETURN(const OperationId operation,
                         operation_of(batch.text(batch.first + index)));
        const std::uint64_t key = batch.entries[index].operation_key;
        std::size_t before = 0;
        while (before < index && !is_of(batch, before, key, operation))
            ++before;
        if (before < index) {
            found.push_back({.event = index, .offset = batch.first + before});
            continue;
        }
        ASSIGN_OR_RETURN(const std::optional<Offset> at, find_operation(user_id, operation));
        if (at) found.push_back({.event = index, .offset = *at});
    }
    return found;
}

// Of those that expired only the key is left.
Result<std::optional<Offset>> Tables::find_operation(const std::string& user_id,
                                                     const OperationId& operation) {
    const std::optional<Offset> none;
    ASSIGN_OR_RETURN(UserLog* const found, find_log(user_id));
    if (found == nullptr) return none;
    const UserLog& log = *found;
    const std::uint64_t key = operation_key(operation.instance_id, operation.operation_id);
    for (const Unapplied& next : log.unapplied)
        for (std::size_t i = 0; i < next.batch->size(); ++i)
            if (is_of(*next.batch, i, key, operation)) return std::optional(next.batch->first + i);
    if (log.id == 0) return none;
    std::optional<Offset> at;
    Status problem = Done{};
    TRY(index_.visit(log.id, EventIndex::Kind::operation, key, INT64_MAX, 0, [&](Offset offset) {
        const Result<EventBatch> event =
            log_.segment_with(log.id, offset, LogTables::Part::one_event);
        if (!event) problem = event.error();
        if (event && is_of(*event, 0, key, operation)) at = offset;
        return event && !at;
    }));
    if (!problem) return problem.error();
    if (at) return at;
    ASSIGN_OR_RETURN(const bool expired, expired_.has(log.id, operation.instance_id, key));
    return expired ? std::optional<Offset>(0) : none;
}

Status Tables::verify(const std::string& user_id) {
    TRY(apply());
    ASSIGN_OR_RETURN(const auto log, log_.find(user_id));
    if (!log) return fail(Errc::not_found, "there is no log of user " + user_id);
    return log_.verify(*log);
}

Status Tables::renew_epochs(Random& random) {
    TRY(apply());
    const std::uint64_t seed = random.next_u64() | 1;  // of the users without events
    TRY(change([&]() -> Status {
        for (std::int64_t user = 0;;) {
            ASSIGN_OR_RETURN(const auto log, log_.next_user(user));
            if (!log) break;
            user = log->user;
            TRY(log_.set_epoch(user, random.next_u64() | 1));
        }
        return db_->set_meta("epoch_seed", seed);
    }));
    epoch_seed_ = seed;
    logs_.clear();  // nothing is unapplied
    return Done{};
}

}  // namespace dyad::sqlite
