// Small things about text that several layers need. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace dyad {

// ASCII letters in lower case.
constexpr char to_lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
std::string to_lower(std::string_view text);
// Without blanks at its ends.
std::string_view trimmed(std::string_view text, std::string_view blanks = " \t") noexcept;
// "1 event", "2 events".
std::string counted(std::size_t count, std::string_view noun);

}  // namespace dyad
