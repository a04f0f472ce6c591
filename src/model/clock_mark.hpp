// What a process leaves behind of the time that it has proved, for the next one (core/proven_time).
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dyad {

// Events that were dated from `from_ms` to `to_ms` were dated by a clock that was `by_ms` behind.
struct ClockCorrection {
    std::int64_t from_ms = 0;
    std::int64_t to_ms = 0;
    std::int64_t by_ms = 0;
    bool operator==(const ClockCorrection&) const = default;
};

struct ClockMark {
    std::int64_t proven_ms = 0;  // it was at least that late; 0: nothing is known
    std::int64_t stood_ms = 0;   // how long a clock that is not believed yet has stood
    std::int64_t wall_ms = 0;    // what the wall clock said
    // What the process dated: from, to, and how far the wall clock was ahead of it at the end.
    ClockCorrection dated;
    std::vector<ClockCorrection> corrections;
    bool operator==(const ClockMark&) const = default;
};

// Integers in the order of the members, with blanks between them.
std::string encode_clock_mark(const ClockMark& mark);
// Errors: storage_damaged.
Result<ClockMark> decode_clock_mark(std::string_view text);

}  // namespace dyad
