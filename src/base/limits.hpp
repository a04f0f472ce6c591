// The fixed limits, from limits.def: `limits::frame_bytes_max` and so on, and the table itself.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace dyad {
namespace limits {

#define X(name, value, unit, meaning) inline constexpr std::int64_t name = value;
#include "base/limits.def"
#undef X

struct Row {
    std::string_view name;
    std::int64_t value;
    std::string_view unit;
    std::string_view meaning;
};

inline constexpr Row kTable[] = {
#define X(name, value, unit, meaning) Row{#name, value, unit, meaning},
#include "base/limits.def"
#undef X
};

}  // namespace limits
}  // namespace dyad
