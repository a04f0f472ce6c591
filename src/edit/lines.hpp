// Texts by their lines, and what two of them have in common. A line is what ends with LF, or the
// rest behind the last one. Pure; memory and time are bounded: texts too different to be compared
// have nothing in common.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

namespace dyad::edit {

using Lines = std::vector<std::string_view>;

// Put together again they are the text.
Lines lines_of(std::string_view text);

// Pairs of lines that are the same, growing on both sides: a longest such list where the texts are
// near enough.
using Matches = std::vector<std::pair<std::size_t, std::size_t>>;
Matches common_lines(const Lines& a, const Lines& b);

}  // namespace dyad::edit
