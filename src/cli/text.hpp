// Small things about text that settings, paths and commands share. Pure.
#pragma once

#include "base/text.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::cli {

inline constexpr std::string_view kBlank = " \t\r\n\f\v";

inline std::string_view trimmed(std::string_view text) noexcept {
    return dyad::trimmed(text, kBlank);
}
// In decimal digits and nothing else.
std::optional<std::int64_t> whole_number(std::string_view text);
// C0 and DEL.
bool has_control_character(std::string_view text);
// In single quotes, as a shell takes it.
std::string in_quotes(std::string_view text);

// How far two words are apart, for "did you mean": insertions, deletions, replacements and
// exchanges of neighbours, each for 1; case does not count.
std::size_t edit_distance(std::string_view a, std::string_view b);
// The one that may have been meant: at most two steps away, and less than a `share`th of its
// length; empty where none is so near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates,
                    std::size_t share);

// Takes the part in front of the separator off the list: the whole of it where there is none.
std::string_view take_part(std::string_view& list, char separator);

}  // namespace dyad::cli
