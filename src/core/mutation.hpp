// Deliberately broken variants of the heart, for the simulator: each must be caught by its
// checker. Most broken variants are ports that break their word (tests/sim/mutations.cpp); these
// are the ones that only the heart itself can be. In the product `broken` is constant false and
// costs nothing; the simulator compiles the heart with DYAD_SIMULATION and chooses one variant per
// run.
#pragma once

#include <cstdint>

namespace dyad::core {

enum class Mutation : std::uint8_t {
    none,
    version_greater_suffices,   // compare-and-set tests "greater"
    forget_corrections,         // what a slow clock dated is as old as it looks
    skip_gap,                   // a hole before an announced batch is stepped over
    trust_announcement_offset,  // an announced batch is applied without a chain check
    chain_not_verified,         // ... and so is one that was read
    resume_without_hash,        // a resume token's hash is not checked
    resume_without_epoch,       // nor its epoch
    forget_paused_position,     // leaving inspired mode starts at the tail
    private_once_durable,       // who asked for inspired mode is private only where that is logged
};
inline constexpr int kMutationCount = static_cast<int>(Mutation::private_once_durable) + 1;

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
