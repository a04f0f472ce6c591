// Changes a person's TOML file where it stands: one table, with the tables below it, as a block.
// Everything else stays as it is, byte for byte, and taking the block out again undoes putting it
// into a file that ends with a line feed.
//
// Errors: invalid_field with line and column for a text that is no TOML 1.0 (dates and numbers are
// not looked at closely), or in which the table is written inline or by dotted keys. Pure.
#pragma once

#include "base/result.hpp"

#include <span>
#include <string>
#include <string_view>

namespace dyad::edit {

using TomlPath = std::span<const std::string>;

// `block`: lines of TOML with all of the table's headers. In place of the table, or at the end.
Result<std::string> set_toml(std::string_view text, TomlPath table, std::string_view block);
Result<std::string> drop_toml(std::string_view text, TomlPath table);
// The lines of the table and of those below it; empty: there is none.
Result<std::string> toml_at(std::string_view text, TomlPath table);

}  // namespace dyad::edit
