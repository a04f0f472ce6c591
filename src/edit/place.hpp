// Where in a text something is wrong, for people.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace dyad::edit {

// invalid_field: "line 3, column 14: " and what is wrong. Columns count code points.
Error broken_at(std::string_view text, std::size_t at, const std::string& what);

}  // namespace dyad::edit
