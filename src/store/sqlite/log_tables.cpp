#include "store/sqlite/log_tables.hpp"

#include "base/bytes.hpp"
#include "base/sha256.hpp"
#include "store/sqlite/whole.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace dyad::sqlite {
namespace {

constexpr std::size_t kKeyBytes = 16;  // operation key, scope key

Error damaged(const Connection& db, std::int64_t user, Offset offset, const std::string& what) {
    return fail(Errc::storage_damaged, db.path() + ": log of user number " + std::to_string(user) +
                                           ", offset " + std::to_string(offset) + ": " + what +
                                           "; " + kDamageAdvice);
}

StoredHead read_head(const Rows& rows, int column) {
    StoredHead log;
    log.user = rows.integer(column);
    log.head.epoch = rows.natural(column + 1);
    log.head.offset = rows.natural(column + 2);
    const std::string_view hash = rows.text(column + 3);
    std::memcpy(log.head.hash.data(), hash.data(), std::min(hash.size(), log.head.hash.size()));
    log.head.timestamp_ms = rows.integer(column + 4);
    log.first_kept = rows.natural(column + 5);
    return log;
}

Result<std::optional<StoredHead>> one_head(Rows& rows) {
    std::optional<StoredHead> found;
    if (rows.next()) found = read_head(rows, 0);
    TRY(rows.status());
    return found;
}

// Batches that follow each other, as one.
void append_batch(EventBatch& to, const EventBatch& from) {
    if (to.empty()) {
        to = from;
        return;
    }
    const auto shift = static_cast<std::uint32_t>(to.texts.size() + 1);
    to.texts.append(",").append(from.texts);
    for (EventEntry entry : from.entries) {
        entry.text_end += shift;
        to.entries.push_back(entry);
    }
}

// The first event that is not older; behind the last one where all are.
Offset first_not_before(const EventBatch& batch, std::int64_t before_ms) {
    const auto young =
        std::find_if(batch.entries.begin(), batch.entries.end(),
                     [&](const EventEntry& entry) { return entry.timestamp_ms >= before_ms; });
    return batch.first + static_cast<Offset>(young - batch.entries.begin());
}

}  // namespace

Result<std::optional<StoredHead>> LogTables::find(std::string_view name) {
    Rows rows = db_.query(
        "SELECT h.user, h.epoch, h.offset, h.hash, h.timestamp, h.first_kept "
        "FROM users u JOIN head h ON h.user = u.id WHERE u.name = ?",
        name);
    Result<std::optional<StoredHead>> found = one_head(rows);
    if (!found || !*found) return found;
    TRY(check_ends(**found));
    return found;
}

// A page of another time, which its seal does not show, leaves the segments another length.
Status LogTables::check_ends(const StoredHead& log) {
    Rows rows = db_.query(
        "SELECT (SELECT first_offset FROM segment WHERE user = ?1 ORDER BY first_offset LIMIT 1), "
        "(SELECT last_offset FROM segment WHERE user = ?1 ORDER BY first_offset DESC LIMIT 1)",
        log.user);
    const bool none = !rows.next() || rows.is_null(0);
    const bool whole =
        none ? log.first_kept == log.head.offset + 1
             : rows.natural(0) == log.first_kept && rows.natural(1) == log.head.offset;
    const Status status = rows.status();
    if (!status || whole) return status;
    return damaged(db_, log.user, log.head.offset,
                   "the log does not begin and end where it should");
}

Result<std::optional<StoredHead>> LogTables::next_user(std::int64_t user) {
    Rows rows = db_.query(
        "SELECT user, epoch, offset, hash, timestamp, first_kept FROM head WHERE user > ? "
        "ORDER BY user LIMIT 1",
        user);
    return one_head(rows);
}

Result<std::int64_t> LogTables::add_user(std::string_view name) {
    ASSIGN_OR_RETURN(const std::int64_t id,
                     db_.number("INSERT INTO users(name) VALUES(?) RETURNING id", name));
    TRY(db_.execute("UPDATE meta SET value = value + 1 WHERE key = 'users'"));
    return id;
}

Status LogTables::check_users() {
    ASSIGN_OR_RETURN(const auto known, db_.meta("users"));
    ASSIGN_OR_RETURN(const auto named, db_.number("SELECT count(*) FROM users"));
    ASSIGN_OR_RETURN(const auto heads, db_.number("SELECT count(*) FROM head"));
    if (named == known && heads == known) return Done{};
    return fail(Errc::storage_damaged, db_.path() + ": has " + std::to_string(named) +
                                           " names and " + std::to_string(heads) +
                                           " logs of users, but had " + std::to_string(known) +
                                           ": a write of the disk was lost; " + kDamageAdvice);
}

Status LogTables::set_epoch(std::int64_t user, Epoch epoch) {
    return db_.execute("UPDATE head SET epoch = ? WHERE user = ?", epoch, user);
}

Result<std::vector<std::string>> LogTables::users() {
    std::vector<std::string> names;
    Rows rows = db_.query("SELECT name FROM users ORDER BY name");
    while (rows.next())
        names.emplace_back(rows.text(0));
    TRY(rows.status());
    return names;
}

Status LogTables::put_segment(std::int64_t user, const EventBatch& batch) {
    keys_.clear();
    for (const EventEntry& entry : batch.entries) {
        put_le(keys_, entry.operation_key);
        put_le(keys_, entry.scope_key);
    }
    body_.clear();
    encode_batch(batch, body_);
    return db_.execute(
        "INSERT INTO segment(user, first_offset, last_offset, last_timestamp, keys, body) "
        "VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT(user, first_offset) DO UPDATE SET "
        "last_offset = excluded.last_offset, last_timestamp = excluded.last_timestamp, "
        "keys = excluded.keys, body = excluded.body",
        user, batch.first, batch.last(), batch.entries.back().timestamp_ms, Value::blob(keys_),
        Value::blob(body_));
}

Result<LogTables::Tail> LogTables::tail_of(std::int64_t user) {
    Tail tail;
    Offset first = 0;
    {
        Rows last = db_.query(
            "SELECT first_offset, length(body) FROM segment WHERE user = ? "
            "ORDER BY first_offset DESC LIMIT 1",
            user);
        tail.none = !last.next();
        if (!tail.none && last.natural(1) < limits_.merge_below_bytes) first = last.natural(0);
        TRY(last.status());
    }
    if (first != 0) {
        ASSIGN_OR_RETURN(tail.small, segment_with(user, first));
    }
    return tail;
}

Status LogTables::append(std::int64_t user, std::span<const Unapplied> batches,
                         const LogHead& head) {
    ASSIGN_OR_RETURN(Tail tail, tail_of(user));
    EventBatch building = std::move(tail.small);
    for (const Unapplied& next : batches) {
        const bool full =  // a restored log goes on with another epoch
            building.size() + next.batch->size() > limits_.events_max ||
            building.texts.size() + next.batch->texts.size() > limits_.bytes_max ||
            building.epoch != next.batch->epoch;
        if (!building.empty() && full) {
            TRY(put_segment(user, building));
            building = EventBatch();
        }
        append_batch(building, *next.batch);
    }
    if (!building.empty()) TRY(put_segment(user, building));
    TRY(db_.execute(
        "INSERT INTO head(user, epoch, offset, hash, timestamp, first_kept) "
        "VALUES(?, ?, ?, ?, ?, 1) ON CONFLICT(user) DO UPDATE SET epoch = excluded.epoch, "
        "offset = excluded.offset, hash = excluded.hash, timestamp = excluded.timestamp",
        user, head.epoch, head.offset, Value::blob(view(head.hash)), head.timestamp_ms));
    if (!tail.none || batches.empty()) return Done{};
    return db_.execute("UPDATE head SET oldest = ? WHERE user = ?",
                       batches.front().batch->entries.front().timestamp_ms, user);
}

Status LogTables::read(std::int64_t user, Offset after, std::size_t bytes_max,
                       std::vector<EventBatchPtr>& out) {
    // The segment with the event after `after` is the last one that begins at or before it.
    Rows rows = db_.query(
        "SELECT body FROM segment WHERE user = ?1 AND first_offset >= coalesce("
        "(SELECT max(first_offset) FROM segment WHERE user = ?1 AND first_offset <= ?2), 0) "
        "ORDER BY first_offset",
        user, after + 1);
    std::size_t bytes = 0;
    while ((bytes == 0 || bytes < bytes_max) && rows.next()) {
        ASSIGN_OR_RETURN(EventBatch batch, decode_from(rows.text(0), after + 1, bytes_max - bytes));
        if (batch.empty()) continue;
        bytes += batch.texts.size();
        out.push_back(std::make_shared<const EventBatch>(std::move(batch)));
    }
    return rows.status();
}

Result<EventBatch> LogTables::segment_with(std::int64_t user, Offset offset, Part part) {
    Rows rows = db_.query(
        "SELECT body FROM segment WHERE user = ? AND first_offset <= ? "
        "ORDER BY first_offset DESC LIMIT 1",
        user, offset);
    const bool found = rows.next();
    TRY(rows.status());
    if (!found) return damaged(db_, user, offset, "its segment is missing");
    ASSIGN_OR_RETURN(EventBatch batch, part == Part::one_event
                                           ? decode_from(rows.text(0), offset, 1)
                                           : decode_batch(rows.text(0)));
    if (batch.empty() || offset < batch.first || offset > batch.last())
        return damaged(db_, user, offset, "its segment does not have it");
    return batch;
}

Status LogTables::visit_keys(std::int64_t user, Key kind, Offset before, const KeyVisitor& visit) {
    Rows rows = db_.query(
        "SELECT first_offset, last_offset, keys FROM segment WHERE user = ? AND first_offset < ? "
        "ORDER BY first_offset DESC",
        user, before);
    Offset next = 0;
    while (rows.next()) {
        const Offset first = rows.natural(0);
        const std::string_view keys = rows.text(2);
        const std::size_t count = keys.size() / kKeyBytes;
        if (next != 0 && rows.natural(1) + 1 != next)
            return damaged(db_, user, first, "a segment after it is missing");
        next = first;
        if (rows.natural(1) - first + 1 != count)
            return damaged(db_, user, first, "the segment's keys do not match its length");
        for (std::size_t i = count; i-- > 0;) {
            if (first + i >= before) continue;
            std::string_view key = keys.substr(i * kKeyBytes + (kind == Key::scope ? 8 : 0));
            if (!visit(first + i, *take_le<std::uint64_t>(key))) return Done{};
        }
    }
    return rows.status();
}

Result<std::optional<LogTables::Due>> LogTables::next_due(std::int64_t before_ms,
                                                          const DuePlace& after) {
    std::optional<Due> due;
    Rows rows = db_.query(
        "SELECT h.user, h.epoch, h.offset, h.hash, h.timestamp, h.first_kept, u.name, "
        "h.oldest FROM head h JOIN users u ON u.id = h.user WHERE h.oldest < ? AND "
        "(h.oldest, h.user) > (?, ?) ORDER BY h.oldest, h.user LIMIT 1",
        before_ms, after.oldest, after.user);
    if (rows.next())
        due = Due{.log = read_head(rows, 0),
                  .name = std::string(rows.text(6)),
                  .place = {.oldest = rows.integer(7), .user = rows.integer(0)}};
    TRY(rows.status());
    return due;
}

// Where a log is cut.
struct LogTables::Cut {
    std::size_t segments = 0;  // that lose events
    Offset first_kept = 1;
    std::optional<std::int64_t> oldest;  // no event that is kept is older; nothing: none is kept
    EventBatch rest;                     // of the segment that is cut
};

Result<LogTables::Cut> LogTables::find_cut(const StoredHead& log, std::int64_t before_ms,
                                           std::size_t segments_max,
                                           const SegmentVisitor& dropping) {
    Cut cut{.first_kept = log.first_kept};
    Rows rows = db_.query(
        "SELECT first_offset, last_offset, last_timestamp, body FROM segment WHERE user = ? "
        "ORDER BY first_offset LIMIT ?",
        log.user, segments_max + 1);
    while (rows.next()) {
        if (cut.segments == segments_max) return cut;  // oldest: of the last one that went
        cut.oldest = rows.integer(2);
        const bool whole = *cut.oldest < before_ms;
        const Result<EventBatch> batch = decode_batch(rows.text(3));
        if (!batch && !whole) return batch.error();
        if (batch) {
            const Offset young = first_not_before(*batch, before_ms);
            if (young != batch->first) TRY(dropping(*batch, young - 1));
            if (!whole && young > batch->last())
                return damaged(db_, log.user, young, "the segment's time is not its events'");
            if (!whole) {
                cut.oldest = batch->entry(young).timestamp_ms;
                if (young != batch->first) cut.rest = batch_from(*batch, young);
                cut.first_kept = young;
                return cut;
            }
        }
        cut.segments += 1;
        cut.first_kept = rows.natural(1) + 1;
    }
    TRY(rows.status());
    cut.oldest.reset();
    return cut;
}

Result<LogTables::Dropped> LogTables::drop_before(const StoredHead& log, std::int64_t before_ms,
                                                  std::size_t segments_max,
                                                  const SegmentVisitor& dropping) {
    ASSIGN_OR_RETURN(const Cut cut, find_cut(log, before_ms, segments_max, dropping));
    if (cut.first_kept != log.first_kept)
        TRY(db_.execute("DELETE FROM segment WHERE user = ? AND first_offset < ?", log.user,
                        cut.first_kept));
    if (!cut.rest.empty()) TRY(put_segment(log.user, cut.rest));
    TRY(db_.execute("UPDATE head SET first_kept = ?, oldest = ? WHERE user = ?", cut.first_kept,
                    cut.oldest, log.user));
    return Dropped{.segments = cut.segments, .first_kept = cut.first_kept};
}

Result<bool> LogTables::check_segment(const StoredHead& log, Offset& next,
                                      std::optional<LogHead>& end, EventBatch& batch) {
    if (next > log.head.offset) {
        // All of it may have expired.
        const bool good = end ? end->offset == log.head.offset && end->hash == log.head.hash
                              : next == log.head.offset + 1;
        if (good) return false;
        return damaged(db_, log.user, log.head.offset, "the log does not end where it should");
    }
    Rows rows = db_.query(
        "SELECT first_offset, last_offset, last_timestamp, keys, body FROM segment "
        "WHERE user = ? AND first_offset >= ? ORDER BY first_offset LIMIT 1",
        log.user, next);
    const bool found = rows.next();
    TRY(rows.status());
    if (!found) return damaged(db_, log.user, next, "its segment is missing");
    ASSIGN_OR_RETURN(EventBatch decoded, decode_batch(rows.text(4)));
    batch = std::move(decoded);
    if (batch.empty() || batch.first != next || rows.natural(0) != next ||
        rows.natural(1) != batch.last() || rows.integer(2) != batch.entries.back().timestamp_ms)
        return damaged(db_, log.user, next, "the segment does not follow the one before it");
    if (end &&
        (batch.prev_hash != end->hash || batch.entries.front().timestamp_ms < end->timestamp_ms))
        return damaged(db_, log.user, next, "it does not chain to the event before it");
    std::string keys;
    for (const EventEntry& entry : batch.entries) {
        put_le(keys, entry.operation_key);
        put_le(keys, entry.scope_key);
    }
    if (rows.text(3) != keys)
        return damaged(db_, log.user, next, "the segment's keys are not its events'");
    TRY(verify_batch(batch));
    end = batch.head();
    next = batch.last() + 1;
    if (end->offset > log.head.offset)  // it was continued since
        end = {.epoch = batch.epoch,
               .offset = log.head.offset,
               .hash = batch.entry(log.head.offset).hash,
               .timestamp_ms = end->timestamp_ms};
    return true;
}

Status LogTables::verify(const StoredHead& log) {
    Offset next = log.first_kept;
    std::optional<LogHead> end;
    EventBatch batch;
    for (;;) {
        ASSIGN_OR_RETURN(const bool more, check_segment(log, next, end, batch));
        if (!more) return Done{};
    }
}

Result<std::string> LogTables::body_of(std::int64_t user, Offset first) {
    ASSIGN_OR_RETURN(
        auto body,
        db_.text("SELECT body FROM segment WHERE user = ? AND first_offset = ?", user, first));
    return std::move(body).value_or("");
}

Result<Offset> LogTables::segment_after(std::int64_t user, Offset offset) {
    ASSIGN_OR_RETURN(
        const std::int64_t first,
        db_.number("SELECT min(first_offset) FROM segment WHERE user = ? AND first_offset > ?",
                   user, offset));
    return static_cast<Offset>(first);
}

Result<std::string> LogTables::name_of(std::int64_t user) {
    ASSIGN_OR_RETURN(auto name, db_.text("SELECT name FROM users WHERE id = ?", user));
    if (!name) return fail(Errc::storage_damaged, "its name is missing");
    return *std::move(name);
}

}  // namespace dyad::sqlite
