// The pieces of canonical JSON text (RFC 8785): strings, numbers and the order of member names.
// Internal to the reading and writing of JSON; see json.hpp for the rules.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace dyad::json {

// The first byte that is not a plain character of a string: ASCII from 0x20 on but for '"' and
// '\\'.
const char* skip_plain(const char* at, const char* end) noexcept;

// `text` in quotes, with the escapes that JSON demands and no others.
void append_string(std::string& out, std::string_view text);

void append_integer(std::string& out, std::int64_t number);
void append_integer(std::string& out, std::uint64_t number);
// As ECMAScript's Number::toString writes it; -0 is "0". Requires: `number` is finite.
void append_real(std::string& out, double number);

// Whether `a` sorts before `b` by UTF-16 code units. Requires: both are UTF-8.
bool name_before(std::string_view a, std::string_view b) noexcept;

}  // namespace dyad::json
