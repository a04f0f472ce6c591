// What may name somebody or something: one rule for users, instances and operations on every way in
// (header, query, JSON, message, setting, flag), and a wider one for the names that clients give to
// what they keep. Nothing is ever changed silently: what breaks the rule is refused, with advice.
//
// Threads: pure functions.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string_view>

namespace dyad {

enum class NameRule : std::uint8_t {
    // A user or an instance: two that look alike are the same. No white space at either end,
    // nothing
    // invisible, no U+FFFD (its encoding was damaged on the way), Unicode normalization form C.
    identity,
    // The same, in any normalization form: made by a program, and only ever compared.
    operation,
    // The key of a context, the id of a chat or a message, a tag: kept byte by byte as it was sent,
    // so that what existing instances write can be found again.
    label,
};

// All of them are UTF-8 of 1 to `bytes_max` bytes without control characters (C0, DEL, C1, U+2028,
// U+2029). Errors: missing_field where it is empty, too_large, invalid_utf8, invalid_field; each
// begins with `field` and a colon.
Status check_name(std::string_view field, std::string_view value, std::int64_t bytes_max,
                  NameRule rule);

// Where a character may change with those around it in form C: a combining mark, for example.
bool may_compose(std::uint32_t c);
// Unicode normalization form C. What is not UTF-8 is not.
bool is_nfc(std::string_view text);

}  // namespace dyad
