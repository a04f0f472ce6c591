// How far two words are apart, for "did you mean". Pure.
#pragma once

#include <cstddef>
#include <string_view>

namespace dyad::cli {

// Insertions, deletions, replacements and exchanges of neighbours, each for 1; case does not count.
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace dyad::cli
