// How the tables forget: retention's pass, but for the journal's part.
#include "store/sqlite/file.hpp"
#include "store/sqlite/tables.hpp"
#include "store/sqlite/whole.hpp"

#include <algorithm>
#include <utility>

namespace dyad::sqlite {
namespace {

// Of one piece, about a millisecond.
constexpr std::size_t kUsersAtOnce = 32;
constexpr std::size_t kSegmentsAtOnce = 16;
constexpr std::size_t kContextsAtOnce = 32;
constexpr std::size_t kSegmentsPerIndexing = 4;  // as long as it takes

}  // namespace

Status Tables::expire_some(Expiry& expiry) {
    using Step = Expiry::Step;
    if (expiry.step == Step::begin) {
        expiry.step = Step::drop;
        return apply();
    }
    if (expiry.step == Step::drop) return drop_some(expiry);
    if (expiry.step == Step::purge) return purge_some(expiry);
    if (expiry.step == Step::journal) return Done{};
    to_erase_ = !search_.is_purged(expiry.removals);
    expiry.finished = true;
    return expiry.problem ? Status(*expiry.problem) : Status(Done{});
}

Status Tables::drop_some(Expiry& expiry) {
    ASSIGN_OR_RETURN(auto due, log_.next_due(expiry.before_ms, expiry.after));
    if (!due) {
        expiry.step = Expiry::Step::purge;
        expiry.finished = !to_erase_;
        return expiry.finished && expiry.problem ? Status(*expiry.problem) : Status(Done{});
    }
    to_erase_ = true;
    LogTables::DuePlace place = due->place;
    Cuts cuts;
    const Result<std::size_t> dropped =
        change([&] { return drop_due(expiry, *std::move(due), place, cuts); });
    if (!dropped) return pass_over(expiry, place, dropped.error());
    expiry.dropped += *dropped;
    for (const auto& [name, first_kept] : cuts)
        if (const auto at = logs_.find(name); at != logs_.end())
            at->second->first_kept = first_kept;
    return Done{};
}

// Of several logs; `place` is that of the one that it failed at.
Result<std::size_t> Tables::drop_due(Expiry& expiry, LogTables::Due due, LogTables::DuePlace& place,
                                     Cuts& cuts) {
    std::size_t dropped = 0;
    std::size_t users = expiry.one_by_one ? 1 : kUsersAtOnce;
    for (std::size_t segments = kSegmentsAtOnce; segments > 0;) {
        place = due.place;
        ASSIGN_OR_RETURN(const std::size_t of_one, drop_of(due, expiry.before_ms, segments, cuts));
        dropped += of_one;
        if (--users == 0) break;
        ASSIGN_OR_RETURN(auto next, log_.next_due(expiry.before_ms, expiry.after));
        if (!next) break;
        due = *std::move(next);
    }
    return dropped;
}

// One damaged log does not keep the others' events from going.
Status Tables::pass_over(Expiry& expiry, const LogTables::DuePlace& place, const Error& error) {
    if (error.code != Errc::storage_damaged) return error;
    if (std::exchange(expiry.one_by_one, !expiry.one_by_one)) {
        expiry.problem = error;
        expiry.after = place;
    }
    return Done{};
}

// Takes from `segments_left`; all of it where the log needs another piece.
Result<std::size_t> Tables::drop_of(const LogTables::Due& due, std::int64_t before_ms,
                                    std::size_t& segments_left, Cuts& cuts) {
    const std::int64_t user = due.log.user;
    // First the search index learns what is there no longer.
    ASSIGN_OR_RETURN(const bool behind, search_.is_behind(user));
    ASSIGN_OR_RETURN(const bool more,
                     behind ? search_.index_some(user, kContextsAtOnce) : Result<bool>(false));
    if (more) {
        segments_left = 0;
        return std::size_t{0};
    }
    ASSIGN_OR_RETURN(const LogTables::Dropped dropped,
                     log_.drop_before(due.log, before_ms, segments_left,
                                      [&](const EventBatch& batch, Offset last) {
                                          return expired_.add(user, batch, last);
                                      }));
    TRY(expired_.forget_oldest_instances(user));
    TRY(projections_.drop_tombstones(user, dropped.first_kept));
    TRY(index_.drop_expired(user));
    const std::size_t cost = std::max(dropped.segments, behind ? kSegmentsPerIndexing : 0);
    segments_left -= std::min(segments_left, cost);
    cuts.emplace_back(due.name, dropped.first_kept);
    return dropped.first_kept - due.log.first_kept;
}

// What the search index no longer finds stays in its files until they are merged. That costs what
// the whole index takes, so a large one is merged less often, and once a day at least.
Status Tables::purge_some(Expiry& expiry) {
    constexpr std::chrono::milliseconds kPausePerPiece(640);  // 100 KB/s, at most
    constexpr std::uint64_t kSmallPieces = 64;
    constexpr std::chrono::milliseconds kPauseMax = std::chrono::hours(20);
    const auto now = std::chrono::steady_clock::now();
    bool more = false;
    if (expiry.purge_pieces == 0) expiry.removals = search_.removals();
    if (expiry.purge_pieces != 0 || (!search_.is_purged(expiry.removals) && now >= purge_again_)) {
        ASSIGN_OR_RETURN(more,
                         change([&] { return search_.purge_some(expiry.purge_pieces == 0); }));
        expiry.purge_pieces += 1;
    }
    if (more) return Done{};
    if (expiry.purge_pieces > kSmallPieces)
        purge_again_ = now + std::min<std::chrono::milliseconds>(
                                 kPausePerPiece * expiry.purge_pieces, kPauseMax);
    if (expiry.purge_pieces != 0) search_.set_purged(expiry.removals);
    // Everything that was dropped is durably dropped: what the files have of it may go.
    expiry.step = Expiry::Step::journal;
    return empty_rollback_journal();
}

// It has the former contents of the pages that transactions changed. Its header is zeros, durably:
// whether the rest is there or not, it says nothing.
Status Tables::empty_rollback_journal() {
    ASSIGN_OR_RETURN(const auto file,
                     File::open(db_->vfs(), options_.database + "-journal", false));
    TRY(file->truncate(kRollbackHeaderBytes));
    const Status synced = file->sync();
    if (!synced) stop(synced.error());
    return Done{};
}

}  // namespace dyad::sqlite
