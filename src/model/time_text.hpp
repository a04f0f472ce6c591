// Moments as people and programs write them: the dates of RFC 3339, strictly. A time zone must be
// there: without one nobody knows which moment is meant.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dyad {

// What a field that takes a moment must be.
inline constexpr std::string_view kTimeForms =
    "whole milliseconds since 1970, such as 1767225600000, or a date such as 2026-01-01T00:00:00Z";

// Milliseconds since 1970 of `2026-01-01T00:00:00.000+01:00`: T may be t or a blank, Z may be z,
// and a fraction is cut to milliseconds. A leap second is the second after it, as clocks count.
// Nothing where the text is anything else, or no day of the calendar.
std::optional<std::int64_t> read_time(std::string_view text);

// The other way: 2026-01-01T00:00:00.000Z.
std::string write_time(std::int64_t ms);

}  // namespace dyad
