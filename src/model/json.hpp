// JSON values: strict bounded reading, and the canonical text that hashes and comparisons rest on.
//
// What is read is RFC 8259, narrowed where two readers could disagree: member names must differ
// within their object, the text must be UTF-8 without a byte order mark, escapes must not name half
// of a surrogate pair, and a number must be one that can be kept. An integer of the range of int64
// or uint64 is; every other number is kept as the nearest double, and refused where that double is
// written as another number (but a fraction may have 17 digits): 0.1 and 1e23 are kept, 2^64,
// 1e400, 1e-400 and 3.14159265358979323846 are refused.
//
// The canonical text is RFC 8785 (JCS): no white space, members sorted by the UTF-16 code units of
// their names, minimal escapes, numbers as ECMAScript writes them (1.0 is 1, -0 is 0, 1E3 is 1000).
// One deviation: integers beyond 2^53 either way keep all of their digits where JCS would round
// them to a double, since ids of 64 bits are common and must not change. Canonical text is a fixed
// point: reading it and writing it again gives the same bytes.
//
// Requires, for every function that takes values: strings are UTF-8, numbers are finite and nesting
// is of the order of limits::json_depth_max, as parse() guarantees; the functions on values
// recurse. Threads: pure functions.
#pragma once

#include "base/limits.hpp"
#include "base/result.hpp"

#include <string>
#include <string_view>

#include <boost/json/value.hpp>

namespace dyad::json {

using Value = boost::json::value;

struct ParseLimits {
    std::size_t depth_max = limits::json_depth_max;      // `[]` and `{}` are of depth 1
    std::size_t members_max = limits::json_members_max;  // members and elements of the whole text
    std::size_t key_bytes_max = limits::json_key_bytes_max;  // of a member name, unescaped
};

// Errors, each with the byte (from 0) where it stands:
//   invalid_json   not RFC 8259, or half of a surrogate pair
//   invalid_utf8   bytes in a string that are not UTF-8
//   invalid_field  a member name that stands twice in an object, a number that cannot be kept
//   too_large      one of ParseLimits
Result<Value> parse(std::string_view text, const ParseLimits& limits = {});

std::string canonical(const Value& value);

// The same as canonical(*parse(text, limits)), errors included, without building the tree.
Result<std::string> canonicalize(std::string_view text, const ParseLimits& limits = {});

// Whether the canonical texts are equal: 1 equals 1.0, and the order of members does not matter.
bool equal(const Value& a, const Value& b);

// Levels of nesting; 0 for what is neither an array nor an object.
std::size_t depth(const Value& value);

// Whether parse() would take the text of this value: too_large where it would not. For values that
// were put together from several texts.
Status check(const Value& value, const ParseLimits& limits = {});

}  // namespace dyad::json
