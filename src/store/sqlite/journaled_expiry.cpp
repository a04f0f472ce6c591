// How the embedded store forgets: retention's pass over the tables and the files.
#include "store/sqlite/file.hpp"
#include "store/sqlite/journaled.hpp"

#include <algorithm>

namespace dyad::sqlite {
namespace {

// Of one piece, about a millisecond.
constexpr std::size_t kSliceBytes = 128 * 1024;
constexpr std::size_t kUsersAtOnce = 32;
constexpr std::size_t kSegmentsAtOnce = 16;
constexpr std::size_t kContextsAtOnce = 32;
constexpr std::size_t kSegmentsPerIndexing = 4;  // as long as it takes

}  // namespace

Status Journaled::expire_some(Expiry& expiry) {
    using Step = Expiry::Step;
    if (expiry.step == Step::begin) {
        expiry.apply_to = journal_->last_sequence();
        expiry.step = Step::drop;
    }
    if (applying_ || (has_unapplied() && journal_->applied() < expiry.apply_to)) {
        const Result<bool> more = apply_some(kSliceBytes);
        return more ? Status(Done{}) : Status(more.error());
    }
    switch (expiry.step) {
        case Step::begin:
        case Step::drop:
            return drop_some(expiry);
        case Step::purge:
            return purge_some(expiry);
        case Step::turn_over:
            return turn_over(expiry);
        case Step::erase:
            return erase_some(expiry);
    }
    return Done{};
}

Status Journaled::begin_change() {
    applying_.emplace(*db_);
    applying_->last_sequence = journal_->applied();
    return applying_->transaction.begin();
}

Status Journaled::end_change(const Status& done) {
    if (done) {
        const Result<bool> ended = end_applying();
        return ended ? Status(Done{}) : Status(ended.error());
    }
    applying_.reset();  // rolled back
    stop_if_sync_failed(done.error());
    return done;
}

Status Journaled::drop_some(Expiry& expiry) {
    auto due = log_->next_due(expiry.before_ms, expiry.after);
    if (!due) return due.error();
    if (!*due) {
        expiry.step = Expiry::Step::purge;
        expiry.finished = !to_erase_;
        return expiry.finished && expiry.problem ? Status(*expiry.problem) : Status(Done{});
    }
    to_erase_ = true;
    Status done = begin_change();
    std::size_t dropped = 0;
    std::size_t users = expiry.one_by_one ? 1 : kUsersAtOnce;
    for (std::size_t segments = kSegmentsAtOnce; done && segments > 0;) {
        const Result<std::size_t> of_one = drop_of(**due, expiry.before_ms, segments);
        if (!of_one) {
            done = of_one.error();
            break;
        }
        dropped += *of_one;
        if (--users == 0) break;
        auto next = log_->next_due(expiry.before_ms, expiry.after);
        if (!next) done = next.error();
        if (!next || !*next) break;
        due = std::move(next);
    }
    done = end_change(done);
    if (!done) return pass_over(expiry, (*due)->place, done.error());
    expiry.dropped += dropped;
    return done;
}

// One damaged log does not keep the others' events from going.
Status Journaled::pass_over(Expiry& expiry, const LogTables::DuePlace& place, const Error& error) {
    if (error.code != Errc::storage_damaged) return error;
    if (std::exchange(expiry.one_by_one, !expiry.one_by_one)) {
        expiry.problem = error;
        expiry.after = place;
    }
    return Done{};
}

Result<std::size_t> Journaled::drop_of(const LogTables::Due& due, std::int64_t before_ms,
                                       std::size_t& segments_left) {
    const std::int64_t user = due.log.user;
    // First the search index learns what is there no longer.
    const Result<bool> behind = search_->is_behind(user);
    if (!behind) return behind.error();
    const Result<bool> more =
        *behind ? search_->index_some(user, kContextsAtOnce) : Result<bool>(false);
    if (!more) return more.error();
    if (*more) {
        segments_left = 0;
        return std::size_t{0};
    }
    const Result<LogTables::Dropped> dropped = log_->drop_before(
        due.log, before_ms, segments_left,
        [&](const EventBatch& batch, Offset last) { return expired_->add(user, batch, last); });
    if (!dropped) return dropped.error();
    Status done = expired_->forget_oldest_instances(user);
    if (done) done = projections_->drop_tombstones(user, dropped->first_kept);
    if (!done) return done.error();
    const std::size_t cost = std::max(dropped->segments, *behind ? kSegmentsPerIndexing : 0);
    segments_left -= std::min(segments_left, cost);
    applying_->first_kept.emplace_back(due.name, dropped->first_kept);
    return dropped->first_kept - due.log.first_kept;
}

// What the search index no longer finds stays in its files until they are merged. That costs what
// the whole index takes, so a large one is merged less often, and once a day at least.
Status Journaled::purge_some(Expiry& expiry) {
    constexpr std::chrono::milliseconds kPausePerPiece(640);  // 100 KB/s, at most
    constexpr std::uint64_t kSmallPieces = 64;
    constexpr std::chrono::milliseconds kPauseMax = std::chrono::hours(20);
    const auto now = std::chrono::steady_clock::now();
    if (expiry.purge_pieces == 0) {
        expiry.removals = search_->removals();
        if (search_->is_purged(expiry.removals) || now < purge_again_) {
            expiry.step = Expiry::Step::turn_over;
            return Done{};
        }
    }
    Status done = begin_change();
    Result<bool> more = false;
    if (done) more = search_->purge_some(expiry.purge_pieces == 0);
    done = end_change(done && !more ? Status(more.error()) : done);
    if (!done) return done;
    expiry.purge_pieces += 1;
    if (*more) return Done{};
    if (expiry.purge_pieces > kSmallPieces)
        purge_again_ = now + std::min<std::chrono::milliseconds>(
                                 kPausePerPiece * expiry.purge_pieces, kPauseMax);
    expiry.step = Expiry::Step::turn_over;
    return Done{};
}

// Everything that was dropped is durably dropped: what the files have of it may go.
Status Journaled::turn_over(Expiry& expiry) {
    if (expiry.purge_pieces != 0) search_->set_purged(expiry.removals);
    Status done = empty_rollback_journal();
    if (!done) return done;
    done = journal_->turn_over();
    if (!done) {
        if (done.error().code != Errc::storage_full) stop(done.error());
        return done;
    }
    expiry.apply_to = journal_->last_sequence();
    expiry.step = Expiry::Step::erase;
    return Done{};
}

Status Journaled::erase_some(Expiry& expiry) {
    const Result<bool> more = journal_->erase_some();
    if (!more && more.error().code == Errc::storage_full) return more.error();
    if (!more) stop(more.error());
    if (*more) return Done{};
    to_erase_ = !search_->is_purged(expiry.removals);
    expiry.finished = true;
    return expiry.problem ? Status(*expiry.problem) : Status(Done{});
}

// It has the former contents of the pages that transactions changed. Its header is zeros, durably:
// whether the rest is there or not, it says nothing.
Status Journaled::empty_rollback_journal() {
    constexpr std::uint64_t kHeaderBytes = 28;
    const auto file = File::open(db_->vfs(), options_.database + "-journal", false);
    if (!file) return file.error();
    const Status done = (*file)->truncate(kHeaderBytes);
    if (!done) return done;
    const Status synced = (*file)->sync();
    if (!synced) stop(synced.error());
    return Done{};
}

}  // namespace dyad::sqlite
