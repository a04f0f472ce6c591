// Patches of JSON values: JSON Merge Patch (RFC 7396) and JSON Patch (RFC 6902).
// The requirements on values of json.hpp hold here too. Threads: pure functions.
#pragma once

#include "model/json.hpp"
#include "model/json_pointer.hpp"

namespace dyad::json {

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
