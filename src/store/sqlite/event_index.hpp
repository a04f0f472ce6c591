// Where in a log the events of an operation or of a scope are, without reading the log: hashes and
// offsets, sorted, in levels that grow by a factor, the newest events in the smallest one. What a
// level becomes too large for goes, merged with it, into the next; so an event is written a few
// times in its life, and a look-up reads one chunk of each level.
//
// The newest events, up to IndexLimits::tail of them, and all of a log that an older version wrote,
// are in no level until follow() takes them in: for those the segments' keys are read.
//
// A level's chunks cover all hashes without a hole and name the writing that they are of, which
// head.indexed has, too: a chunk that is missing or of another time is found when it is read.
//
// Errors: the connection's; storage_damaged.
#pragma once

#include "store/sqlite/log_tables.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace dyad::sqlite {

struct IndexLimits {
    std::size_t tail = 1024;   // newest events of a log that need not be in the index
    std::size_t chunk = 4096;  // events of one row
};

class EventIndex {
  public:
    using Kind = LogTables::Key;

    EventIndex(Connection& connection, LogTables& log, IndexLimits limits)
        : db_(connection), log_(log), limits_(limits) {}

    // Takes in the events that are in no level, where there are enough of them, oldest first. True
    // where more of them wait. Requires: a running transaction.
    Result<bool> follow(std::int64_t user);
    // The same for a few of the users whose logs an older version wrote. False where none is left.
    Result<bool> follow_old_logs();
    // Forgets most of what expired: all of it where nothing is kept, else all but an eighth.
    // Requires: a running transaction.
    Status drop_expired(std::int64_t user);

    // Calls `visit` with the offsets of the kept events before `before` whose key may be `key`, the
    // newest first, until it returns false; not with the first `skip` of them. One in two thousand
    // million others has the same hash: whoever visits compares the event.
    using Visitor = std::function<bool(Offset)>;
    Status visit(std::int64_t user, Kind kind, std::uint64_t key, Offset before, std::size_t skip,
                 const Visitor& visit);
    // A walk through what KeyFilter::hash_of() gives for all operations' keys that are kept when it
    // begins: a sorted list of each level, and one of those that are in none. In pieces, so that
    // others need not wait for it; where a level is written between two of them, it begins again.
    struct HashWalk {
        std::vector<std::vector<std::uint32_t>> lists{};
        bool finished = false;
        std::optional<std::uint64_t> writings{};  // when it began
        std::size_t level = 0;                    // what it reads next: this one, from here on
        std::int64_t next = 0;
    };
    // The next `rows` rows, about; `rows` 0: all that is left.
    Status walk_hashes(std::int64_t user, HashWalk& walk, std::size_t rows);

  private:
    struct Level {
        std::uint64_t made = 0;  // by which writing; 0: it has nothing
        Offset from = 0;         // its first event
        Offset through = 0;      // its last one
    };
    // What head.indexed says, and the rest of the row that matters here.
    struct Levels {
        std::uint64_t writings = 0;
        std::vector<Level> list;  // the newest events first
        Offset first_kept = 1;
        Offset end = 0;

        Offset through() const noexcept { return list.empty() ? 0 : list.front().through; }
    };
    // hash << 32 | offset - from of its level
    using Entry = std::uint64_t;
    struct Place {
        std::int64_t user;
        Kind kind;
        std::size_t level;
    };

    Result<Levels> levels_of(std::int64_t user);
    Status set_levels(std::int64_t user, const Levels& levels);
    std::uint64_t capacity(std::size_t level) const noexcept;
    Status merge(std::int64_t user, Levels& levels, std::size_t target, Offset through);
    Result<std::vector<Entry>> fresh_entries(std::int64_t user, Kind kind, Offset after,
                                             Offset through, Offset from);
    Status read_level(const Place& place, const Level& level, Offset from,
                      std::vector<Entry>& entries);
    Status begin_walk(std::int64_t user, const Levels& levels, HashWalk& walk);
    Result<bool> walk_level(std::int64_t user, const Level& level, HashWalk& walk,
                            std::size_t& rows);
    Status write_level(const Place& place, std::uint64_t made, const std::vector<Entry>& entries);
    Result<bool> visit_level(const Place& place, const Level& level, std::uint32_t hash,
                             Offset before, Offset first_kept, std::size_t& skip,
                             const Visitor& visit);
    Error damaged(const Place& place, const char* what) const;

    Connection& db_;
    LogTables& log_;
    IndexLimits limits_;
};

}  // namespace dyad::sqlite
