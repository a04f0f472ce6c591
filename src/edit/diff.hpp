// What a change does to a text, as `diff -u` shows it. Pure.
#pragma once

#include <string>
#include <string_view>

namespace dyad::edit {

// With three lines around each change; empty where nothing is changed. `before_name`, `after_name`:
// what the header calls the two.
std::string unified_diff(std::string_view before, std::string_view after,
                         std::string_view before_name, std::string_view after_name);

}  // namespace dyad::edit
