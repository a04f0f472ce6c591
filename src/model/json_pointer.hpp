// Places inside JSON values: JSON Pointer (RFC 6901).
// The requirements on values of json.hpp hold here too. Threads: pure functions.
#pragma once

#include "model/json.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::json {

// The tokens of a pointer, unescaped; none for "", which is the whole document.
// Errors: invalid_field.
Result<std::vector<std::string>> parse_pointer(std::string_view text);
std::string to_pointer(std::span<const std::string> tokens);
// Appends '/' and the escaped token.
void append_token(std::string& pointer, std::string_view token);

// Where in `text` the value stands that begins at byte `position`. Requires: what is before it was
// read, and is JSON.
std::string pointer_to(std::string_view text, std::size_t position);

// Puts `value` at these tokens, in the place of what stood there; nothing as `value` removes it (no
// error where nothing stands there). Objects on the way that are missing are made. In an array a
// token is the index of an element, or "-" (or the size) to append.
// Errors: patch_failed where the way leads through neither object nor array, or past an array's
// end; invalid_field for removing the whole document; too_large for limits::json_depth_max.
Result<Value> set_at(Value document, std::span<const std::string> tokens,
                     std::optional<Value> value);

// What stands at these tokens; null where nothing does.
Value* find_in(Value& document, std::span<const std::string> tokens);
// Removes what stands at these tokens; false where nothing does. Requires: !tokens.empty().
bool remove_at(Value& document, std::span<const std::string> tokens);
// An array index in the grammar of RFC 6901: no sign, no leading zero, not "-".
std::optional<std::size_t> index_of(std::string_view token);

}  // namespace dyad::json
