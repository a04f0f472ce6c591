// How fresh the state must be that a read is answered from. Only where others write the same log
// does it make a difference.
#pragma once

#include "model/event.hpp"

namespace dyad::core {

struct Freshness {
    enum class Kind : std::uint8_t {
        latest,    // after everything that was acknowledged anywhere before the read
        at_least,  // after what `position` has
        at_hand,   // whatever is held; Engine::age_ms says how old that may be
        best,      // latest; at_hand while the store cannot be reached
    };
    Kind kind = Kind::latest;
    Position position{};

    static Freshness at_least(const Position& position) { return {Kind::at_least, position}; }
    static Freshness at_hand() { return {Kind::at_hand, {}}; }
    static Freshness best() { return {Kind::best, {}}; }
};

}  // namespace dyad::core
