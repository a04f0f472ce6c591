// Deliberately broken variants of the heart, for the simulator: each must be caught by its
// checker. In the product `broken` is constant false and costs nothing; the simulator compiles the
// heart with DYAD_SIMULATION and chooses one variant per run.
#pragma once

#include <cstdint>

namespace dyad::core {

enum class Mutation : std::uint8_t {
    none,
    // Writing
    skip_operation_lookup,      // tail + 1 without a unique operation id
    acknowledge_before_commit,  // reply when the append was sent
    acknowledge_unknown,        // a time-out is taken for success
    retry_unknown_blindly,      // a time-out is sent again at the new tail without a look
    drop_conflict_loser,        // a conflict is answered with success
    decide_on_stale_state,      // after a conflict the old decision is sent again
    ignore_expected_version,    // compare-and-set does not compare
    version_greater_suffices,   // ... or tests "greater"
    reuse_version,              // the version does not grow
    timestamps_from_clock,      // may go back
    trust_wall_clock,           // what the wall clock says is over is destroyed at once
    believe_at_start,           // ... or what it says at a start
    forget_corrections,         // what a slow clock dated is as old as it looks
    operations_unknown,         // writes before it is known what was written
    fold_before_commit,         // readers see what is not durable yet
    // Reading and delivery
    skip_gap,                   // a hole in an announced batch is stepped over
    trust_announcement_offset,  // an announced batch is applied without a chain check
    ignore_announcement_gap,    // an announcement beyond tail + 1 is dropped and never looked up
    no_poll,                    // lost announcements are not searched for
    heads_ignore_hash,          // ... or by the logs' epochs and lengths only
    resume_without_hash,        // a resume token's hash is not checked
    resume_without_epoch,       // nor its epoch
    resume_one_late,            // resumes after the wrong offset
    resume_one_early,           // delivers the position's event again as the next
    deliver_before_commit,      // events leave when the append was sent
    deliver_to_wrong_user,      // a feed is shared between users
    snapshot_of_older_state,    // the snapshot says a later position than it has
    lose_session_behind_feed,   // a slow client skips what the feed no longer has
    forget_paused_position,     // leaving inspired mode starts at the tail
    dead_stay_present,          // who was present at a node that died is so for ever
    private_once_durable,       // who asked for inspired mode is private only where that is logged
    // State
    fold_skips_delete,     // deletions are not applied when folding
    expiry_without_event,  // an expired context vanishes without an event
    chain_not_verified,    // a batch that does not chain is taken
    repeat_expired,        // an operation whose event expired is applied again
};
inline constexpr int kMutationCount = static_cast<int>(Mutation::repeat_expired) + 1;

#ifdef DYAD_SIMULATION
Mutation& active_mutation() noexcept;
inline bool broken(Mutation mutation) noexcept {
    return active_mutation() == mutation;
}
#else
constexpr bool broken(Mutation) noexcept {
    return false;
}
#endif

}  // namespace dyad::core
