// Changing JSON values: JSON Pointer (RFC 6901), JSON Merge Patch (RFC 7396), JSON Patch (RFC
// 6902). The requirements on values of json.hpp hold here too. Threads: pure functions.
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

// What stands at these tokens; null where nothing does.
const Value* find_at(const Value& document, std::span<const std::string> tokens);

// Puts `value` at these tokens, in the place of what stood there; nothing as `value` removes it (no
// error where nothing stands there). Objects on the way that are missing are made. In an array a
// token is the index of an element, or "-" (or the size) to append.
// Errors: patch_failed where the way leads through neither object nor array, or past an array's
// end; invalid_field for removing the whole document; too_large for limits::json_depth_max.
Result<Value> set_at(Value document, std::span<const std::string> tokens,
                     std::optional<Value> value);

// RFC 7396: members that are null in `patch` are removed. Never deeper than its deeper argument.
Value merge_patch(Value target, const Value& patch);

// RFC 6902: all operations or none. `test` compares as equal() does. The whole document can be
// replaced but not removed.
// Errors: invalid_field for a patch that is malformed whatever the document; patch_failed, which
// names the operation by its index, kind and path, where it does not apply; too_large where the
// result would break a limit of ParseLimits or `bytes_max` (canonical text), or where all values
// copied by the patch together are larger than `bytes_max`.
Result<Value> apply_patch(const Value& document, const Value& patch,
                          std::size_t bytes_max = limits::document_bytes_max);

}  // namespace dyad::json
