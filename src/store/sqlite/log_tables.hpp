// The log's tables: users, heads and segments.
// Errors: the connection's; storage_damaged where a segment is not what it should be.
#pragma once

#include "store/sqlite/connection.hpp"
#include "store/sqlite/user_log.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::sqlite {

struct SegmentLimits {
    std::size_t events_max = 256;
    std::size_t bytes_max = 256 * 1024;
    std::size_t merge_below_bytes = 16 * 1024;  // a last segment smaller than this is continued
};

struct StoredHead {
    std::int64_t user = 0;
    LogHead head;
    Offset first_kept = 1;  // head.offset + 1 where no event is kept
};

class LogTables {
  public:
    LogTables(Connection& connection, SegmentLimits limits) : db_(connection), limits_(limits) {}

    Result<std::optional<StoredHead>> find(std::string_view name);
    Result<std::int64_t> add_user(std::string_view name);
    Result<std::vector<std::string>> users();
    // Whether every user that was ever added is there.
    Status check_users();
    // The head of the first log after that of `user`, in the order of their numbers.
    Result<std::optional<StoredHead>> next_user(std::int64_t user);

    Status set_epoch(std::int64_t user, Epoch epoch);

    // Appends the batches, which follow the stored log, and moves its head on to `head`.
    Status append(std::int64_t user, std::span<const Unapplied> batches, const LogHead& head);

    // The segments with events after `after`, until `bytes_max` is reached; at least one.
    Status read(std::int64_t user, Offset after, std::size_t bytes_max,
                std::vector<EventBatchPtr>& out);
    // Calls `visit(offset, key)` for the events before `before`, newest first, until it returns
    // false. No bodies are read.
    enum class Key : std::uint8_t { operation, scope };
    using KeyVisitor = std::function<bool(Offset, std::uint64_t)>;
    Status visit_keys(std::int64_t user, Key kind, Offset before, const KeyVisitor& visit);
    // The segment that has the event at `offset`, or of it that event alone.
    enum class Part : std::uint8_t { whole, one_event };
    Result<EventBatch> segment_with(std::int64_t user, Offset offset, Part part = Part::whole);

    // The first log after `after` with events older than `before_ms`, by the age of its oldest one.
    struct DuePlace {
        std::int64_t oldest = INT64_MIN;
        std::int64_t user = 0;
    };
    struct Due {
        StoredHead log;
        std::string name;  // the user's
        DuePlace place;
    };
    Result<std::optional<Due>> next_due(std::int64_t before_ms, const DuePlace& after);
    // Drops the events older than `before_ms`, of up to `segments_max` segments; one that has
    // younger events, too, is cut. Calls `dropping` before, for each that can be read, with the
    // last event that goes. Moves first_kept on.
    struct Dropped {
        std::size_t segments = 0;
        Offset first_kept = 1;
    };
    using SegmentVisitor = std::function<Status(const EventBatch&, Offset last)>;
    Result<Dropped> drop_before(const StoredHead& log, std::int64_t before_ms,
                                std::size_t segments_max, const SegmentVisitor& dropping);

    // Checks every stored event against the chain, the keys and the head.
    Status verify(const StoredHead& log);
    // One segment of it, the one that begins at `next`; `end`: the event before it, where that was
    // checked. Moves both on. False where the log ends, and ends where it should.
    Result<bool> check_segment(const StoredHead& log, Offset& next, std::optional<LogHead>& end,
                               EventBatch& batch);
    // What is stored of the segment that begins at `first`, whatever it is; empty: nothing.
    Result<std::string> body_of(std::int64_t user, Offset first);
    // Where the first segment after `offset` begins; 0: there is none.
    Result<Offset> segment_after(std::int64_t user, Offset offset);
    Result<std::string> name_of(std::int64_t user);

  private:
    Status check_ends(const StoredHead& log);
    struct Tail {
        EventBatch small;  // the last segment, where it is to be continued
        bool none = true;  // there is no segment
    };
    Result<Tail> tail_of(std::int64_t user);
    struct Cut;
    Result<Cut> find_cut(const StoredHead& log, std::int64_t before_ms, std::size_t segments_max,
                         const SegmentVisitor& dropping);
    Status put_segment(std::int64_t user, const EventBatch& batch);

    Connection& db_;
    SegmentLimits limits_;
    std::string keys_;
    std::string body_;
};

}  // namespace dyad::sqlite
