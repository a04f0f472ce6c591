// Changes a person's JSON file where it stands: what is not meant stays as it is, byte for byte.
// The file may have comments and commas behind the last entry (as VS Code and its like read it).
// What is put in is indented as its surroundings are, and taking it out again undoes putting it in,
// but for blanks inside of empty brackets.
//
// Errors: invalid_field with line and column for a text that is no such JSON, or in which a part of
// the path is neither absent nor what it must be. Pure; a text of blanks counts as `{}`.
#pragma once

#include "base/result.hpp"

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::edit {

using JsonPath = std::span<const std::string>;  // names of members, from the outermost

// The text of the value there; nothing where there is none.
Result<std::optional<std::string>> json_at(std::string_view text, JsonPath path);
// `json`: without blanks. Objects on the way are made. A value that says the same stays.
Result<std::string> set_json(std::string_view text, JsonPath path, std::string_view json);
// With the objects on the way that are empty then.
Result<std::string> drop_json(std::string_view text, JsonPath path);
// To the end of the array there, which is made.
Result<std::string> add_to_json(std::string_view text, JsonPath path, std::string_view json);
// The elements of the array there that are meant, and the array where it is empty then.
Result<std::string> drop_from_json(std::string_view text, JsonPath path,
                                   const std::function<bool(std::string_view)>& meant);
// The texts of the elements of the array there.
Result<std::vector<std::string>> json_elements(std::string_view text, JsonPath path);

// Without blanks and comments.
std::string compact_json(std::string_view text);

}  // namespace dyad::edit
