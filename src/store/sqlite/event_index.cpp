#include "store/sqlite/event_index.hpp"

#include "base/bytes.hpp"
#include "store/sqlite/key_filter.hpp"
#include "store/sqlite/whole.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace dyad::sqlite {
namespace {

constexpr std::int64_t kEnd = INT64_MAX;  // of the last chunk's hashes
constexpr std::uint64_t kGrowth = 8;      // of one level to the next
constexpr Offset kAtOnce = 65536;         // events to take in

constexpr std::uint64_t entry_of(std::uint32_t hash, std::uint64_t relative) noexcept {
    return std::uint64_t{hash} << 32 | relative;
}

std::uint32_t number_at(std::string_view numbers, std::size_t index) {
    std::uint32_t number;
    std::memcpy(&number, numbers.data() + index * sizeof number, sizeof number);
    return number;
}

}  // namespace

Error EventIndex::damaged(const Place& place, const char* what) const {
    return fail(Errc::storage_damaged,
                db_.path() + ": index of user number " + std::to_string(place.user) + ", level " +
                    std::to_string(place.level) + ": " + what + "; " + kDamageAdvice);
}

Result<EventIndex::Levels> EventIndex::levels_of(std::int64_t user) {
    Levels levels;
    Rows rows = db_.query("SELECT first_kept, offset, indexed FROM head WHERE user = ?", user);
    if (rows.next()) {
        levels.first_kept = rows.natural(0);
        levels.end = rows.natural(1);
        std::string_view in = rows.text(2);
        levels.writings = take_le<std::uint64_t>(in).value_or(0);
        while (!in.empty()) {
            Level level;
            for (std::uint64_t* field : {&level.made, &level.from, &level.through})
                *field = take_le<std::uint64_t>(in).value_or(0);
            levels.list.push_back(level);
        }
    }
    TRY(rows.status());
    return levels;
}

Status EventIndex::set_levels(std::int64_t user, const Levels& levels) {
    std::string out;
    put_le(out, levels.writings);
    for (const Level& level : levels.list)
        for (const std::uint64_t field : {level.made, level.from, level.through})
            put_le(out, field);
    return db_.execute("UPDATE head SET indexed = ? WHERE user = ?", Value::blob(out), user);
}

std::uint64_t EventIndex::capacity(std::size_t level) const noexcept {
    std::uint64_t events = limits_.tail * 4;
    while (level-- > 0)
        events *= kGrowth;
    return events;
}

Result<bool> EventIndex::follow(std::int64_t user) {
    ASSIGN_OR_RETURN(Levels levels, levels_of(user));
    const Offset after = std::max(levels.through(), levels.first_kept - 1);
    if (levels.end - after < limits_.tail) return false;
    const Offset through = std::min(levels.end, after + kAtOnce);
    std::size_t target = 0;
    for (std::uint64_t events = through - after;; ++target) {
        if (target == levels.list.size())
            levels.list.push_back({.made = 0, .from = 0, .through = after});
        const Level& level = levels.list[target];
        if (level.made != 0) events += level.through - level.from + 1;
        if (events <= capacity(target)) break;
    }
    TRY(merge(user, levels, target, through));
    return levels.end - through >= limits_.tail;
}

// meta's index_from: the first user to look at; the row goes with the last one.
Result<bool> EventIndex::follow_old_logs() {
    constexpr int kUsers = 64;
    ASSIGN_OR_RETURN(const auto from, db_.meta("index_from"));
    if (from == 0) return false;
    std::int64_t user = from - 1;
    for (int i = 0; i < kUsers; ++i) {
        ASSIGN_OR_RETURN(const auto log, log_.next_user(user));
        if (!log) {
            TRY(db_.execute("DELETE FROM meta WHERE key = 'index_from'"));
            return false;
        }
        const Result<bool> more = follow(log->user);
        if (!more && more.error().code != Errc::storage_damaged) return more.error();
        if (more && *more) break;
        user = log->user;
    }
    TRY(db_.set_meta("index_from", user + 1));
    return true;
}

// Everything up to `target`, and the events after it up to `through`, becomes that level.
Status EventIndex::merge(std::int64_t user, Levels& levels, std::size_t target, Offset through) {
    const Offset after = std::max(levels.through(), levels.first_kept - 1);
    Offset from = after + 1;
    for (std::size_t i = 0; i <= target; ++i)
        if (levels.list[i].made != 0)
            from = std::min(from, std::max(levels.list[i].from, levels.first_kept));
    std::vector<Entry> merged[2];
    for (const Kind kind : {Kind::operation, Kind::scope}) {
        std::vector<Entry>& all = merged[static_cast<std::size_t>(kind)];
        ASSIGN_OR_RETURN(all, fresh_entries(user, kind, after, through, from));
        for (std::size_t i = 0; i <= target; ++i)
            TRY(read_level({user, kind, i}, levels.list[i], from, all));
    }
    levels.writings += 1;
    for (std::size_t i = 0; i <= target; ++i)
        levels.list[i] = {.made = 0, .from = 0, .through = through};
    const bool any = !merged[0].empty();
    if (any) levels.list[target] = {.made = levels.writings, .from = from, .through = through};
    TRY(db_.execute("DELETE FROM event_index WHERE user = ? AND level <= ?", user,
                    static_cast<std::uint64_t>(target)));
    if (any)
        for (const Kind kind : {Kind::operation, Kind::scope})
            TRY(write_level({user, kind, target}, levels.writings,
                            merged[static_cast<std::size_t>(kind)]));
    return set_levels(user, levels);
}

Result<std::vector<EventIndex::Entry>> EventIndex::fresh_entries(std::int64_t user, Kind kind,
                                                                 Offset after, Offset through,
                                                                 Offset from) {
    std::vector<Entry> entries;
    entries.reserve(through - after);
    TRY(log_.visit_keys(user, kind, through + 1, [&](Offset offset, std::uint64_t key) {
        if (offset <= after) return false;
        entries.push_back(entry_of(KeyFilter::hash_of(key), offset - from));
        return true;
    }));
    std::sort(entries.begin(), entries.end());
    return entries;
}

// Merges what it has from `from` on into `entries`, which are relative to `from`.
Status EventIndex::read_level(const Place& place, const Level& level, Offset from,
                              std::vector<Entry>& entries) {
    if (level.made == 0) return Done{};
    std::vector<Entry> read;
    Rows rows = db_.query(
        "SELECT first, last, made, hashes, offsets FROM event_index WHERE user = ? AND level = ? "
        "AND kind = ? ORDER BY first",
        place.user, static_cast<std::uint64_t>(place.level), static_cast<int>(place.kind));
    std::int64_t next = 0;
    bool whole = true;
    while (whole && rows.next()) {
        const std::string_view hashes = rows.text(3);
        const std::string_view offsets = rows.text(4);
        whole = rows.integer(0) == next && rows.natural(2) == level.made &&
                hashes.size() == offsets.size();
        for (std::size_t i = 0; whole && i < hashes.size() / 4; ++i) {
            const Offset offset = level.from + number_at(offsets, i);
            if (offset >= from) read.push_back(entry_of(number_at(hashes, i), offset - from));
        }
        next = rows.integer(1) == kEnd ? kEnd : rows.integer(1) + 1;
    }
    TRY(rows.status());
    if (!whole || next != kEnd) return damaged(place, "it is not whole");
    std::vector<Entry> both(entries.size() + read.size());
    std::merge(entries.begin(), entries.end(), read.begin(), read.end(), both.begin());
    entries = std::move(both);
    return Done{};
}

Status EventIndex::write_level(const Place& place, std::uint64_t made,
                               const std::vector<Entry>& entries) {
    std::string hashes;
    std::string offsets;
    for (std::size_t at = 0; at < entries.size();) {
        const std::size_t end = std::min(entries.size(), at + limits_.chunk);
        hashes.clear();
        offsets.clear();
        const std::uint64_t first = at == 0 ? 0 : entries[at];
        for (; at < end; ++at) {
            put_le(hashes, static_cast<std::uint32_t>(entries[at] >> 32));
            put_le(offsets, static_cast<std::uint32_t>(entries[at]));
        }
        TRY(db_.execute(
            "INSERT INTO event_index(user, level, kind, first, last, made, hashes, offsets) "
            "VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
            place.user, static_cast<std::uint64_t>(place.level), static_cast<int>(place.kind),
            first, end == entries.size() ? kEnd : static_cast<std::int64_t>(entries[end] - 1), made,
            Value::blob(hashes), Value::blob(offsets)));
    }
    return Done{};
}

Status EventIndex::drop_expired(std::int64_t user) {
    ASSIGN_OR_RETURN(Levels levels, levels_of(user));
    std::size_t target = levels.list.size();  // the newest levels' events are the youngest
    while (target > 0) {
        const Level& level = levels.list[target - 1];
        const bool any = level.made != 0 && level.from < levels.first_kept;
        const Offset expired = std::min(levels.first_kept, level.through + 1) - level.from;
        if (any && expired * 8 >= level.through - level.from + 1) break;
        target -= 1;
    }
    if (target == 0) return Done{};
    return merge(user, levels, target - 1, std::max(levels.through(), levels.first_kept - 1));
}

Status EventIndex::visit(std::int64_t user, Kind kind, std::uint64_t key, Offset before,
                         std::size_t skip, const Visitor& visit) {
    ASSIGN_OR_RETURN(const Levels levels, levels_of(user));
    bool more = true;
    TRY(log_.visit_keys(user, kind, before, [&](Offset offset, std::uint64_t its_key) {
        if (offset <= levels.through()) return false;
        if (its_key != key) return true;
        if (skip > 0)
            skip -= 1;
        else
            more = visit(offset);
        return more;
    }));
    for (std::size_t i = 0; more && i < levels.list.size(); ++i) {
        ASSIGN_OR_RETURN(more, visit_level({user, kind, i}, levels.list[i], KeyFilter::hash_of(key),
                                           before, levels.first_kept, skip, visit));
    }
    return Done{};
}

Result<bool> EventIndex::visit_level(const Place& place, const Level& level, std::uint32_t hash,
                                     Offset before, Offset first_kept, std::size_t& skip,
                                     const Visitor& visit) {
    if (level.made == 0 || before <= level.from) return true;
    Entry top = entry_of(hash, std::min(before - 1, level.through) - level.from);
    Rows rows = db_.query(
        "SELECT first, last, made, hashes, offsets FROM event_index WHERE user = ? AND level = ? "
        "AND kind = ? AND first <= ? ORDER BY first DESC",
        place.user, static_cast<std::uint64_t>(place.level), static_cast<int>(place.kind), top);
    bool any = false;
    while (rows.next()) {
        const std::string_view hashes = rows.text(3);
        const std::string_view offsets = rows.text(4);
        const Entry first = rows.natural(0);
        const bool follows = any ? rows.natural(1) == top : rows.natural(1) >= top;
        if (!follows || rows.natural(2) != level.made || hashes.size() != offsets.size())
            return damaged(place, "a chunk is missing, or of another time");
        any = true;
        const auto at = [&](std::size_t i) {
            return entry_of(number_at(hashes, i), number_at(offsets, i));
        };
        const auto behind = [&](Entry entry) {  // the first that is greater
            std::size_t low = 0;
            for (std::size_t high = hashes.size() / 4; low < high;) {
                const std::size_t middle = (low + high) / 2;
                (at(middle) <= entry ? low : high) = at(middle) <= entry ? middle + 1 : middle;
            }
            return low;
        };
        const std::size_t begin = hash == 0 ? 0 : behind(entry_of(hash, 0) - 1);
        std::size_t end = behind(top);
        const std::size_t skipped = std::min(skip, end - begin);
        skip -= skipped;
        for (end -= skipped; end > begin; --end) {
            const Offset offset = level.from + number_at(offsets, end - 1);
            if (offset < first_kept || !visit(offset)) return false;
        }
        if (begin > 0 || first == 0 || first >> 32 != hash) return true;
        top = first - 1;
    }
    TRY(rows.status());
    return damaged(place, "a chunk is missing");
}

Status EventIndex::begin_walk(std::int64_t user, const Levels& levels, HashWalk& walk) {
    walk = {.writings = levels.writings};
    std::vector<std::uint32_t>& tail = walk.lists.emplace_back();
    TRY(log_.visit_keys(user, Kind::operation, levels.end + 1,
                        [&](Offset offset, std::uint64_t key) {
                            if (offset <= levels.through()) return false;
                            tail.push_back(KeyFilter::hash_of(key));
                            return true;
                        }));
    std::sort(tail.begin(), tail.end());
    return Done{};
}

Status EventIndex::walk_hashes(std::int64_t user, HashWalk& walk, std::size_t rows) {
    ASSIGN_OR_RETURN(const Levels levels, levels_of(user));
    if (walk.writings != levels.writings) TRY(begin_walk(user, levels, walk));
    std::size_t left = rows == 0 ? SIZE_MAX : rows;
    for (; walk.level < levels.list.size(); ++walk.level) {
        if (levels.list[walk.level].made == 0) continue;
        ASSIGN_OR_RETURN(const bool whole, walk_level(user, levels.list[walk.level], walk, left));
        if (!whole) return Done{};
        walk.next = 0;
    }
    walk.finished = true;
    return Done{};
}

// False: there is more of it.
Result<bool> EventIndex::walk_level(std::int64_t user, const Level& level, HashWalk& walk,
                                    std::size_t& rows_left) {
    if (walk.next == 0) walk.lists.emplace_back();
    std::vector<std::uint32_t>& hashes = walk.lists.back();
    Rows rows = db_.query(
        "SELECT first, last, made, hashes FROM event_index WHERE user = ? AND level = ? AND "
        "kind = 0 AND first >= ? ORDER BY first",
        user, static_cast<std::uint64_t>(walk.level), walk.next);
    while (walk.next != kEnd) {
        if (rows_left == 0) return false;
        rows_left -= 1;
        if (!rows.next()) break;
        if (rows.integer(0) != walk.next || rows.natural(2) != level.made) break;
        const std::string_view bytes = rows.text(3);
        const std::size_t count = hashes.size();
        hashes.resize(count + bytes.size() / 4);
        std::memcpy(hashes.data() + count, bytes.data(), bytes.size() / 4 * 4);
        walk.next = rows.integer(1) == kEnd ? kEnd : rows.integer(1) + 1;
    }
    TRY(rows.status());
    if (walk.next == kEnd) return true;
    return damaged({user, Kind::operation, walk.level}, "it is not whole");
}

}  // namespace dyad::sqlite
