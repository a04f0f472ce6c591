// The documents that are generated from the tables: docs/limits.md and docs/errors.md.
// docs/settings.md: settings_table.hpp. Pure.
#pragma once

#include <string>

namespace dyad::cli {

std::string limits_markdown();
std::string errors_markdown();

}  // namespace dyad::cli
