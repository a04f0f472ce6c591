// The pieces of canonical JSON text (RFC 8785): strings, numbers and the order of member names.
// Internal to the writing of JSON; see json.hpp for the rules.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace dyad::json {

// `text` in quotes, with the escapes that JSON demands and no others.
void append_string(std::string& out, std::string_view text);

// Holds the longest ECMAScript text of a double with room to spare.
using NumberBuffer = std::array<char, 40>;
// The number as ECMAScript's Number::toString writes it; -0 is "0". The text lies in `buffer`.
// Requires: `number` is finite.
std::string_view real_text(double number, NumberBuffer& buffer);

// Whether `a` sorts before `b` by UTF-16 code units. Requires: both are UTF-8.
bool name_before(std::string_view a, std::string_view b) noexcept;

}  // namespace dyad::json
