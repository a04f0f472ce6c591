// Help texts, from the description of the commands. Pure.
#pragma once

#include "cli/command.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace dyad::cli {

// `path`: from the root to the command, at least the root.
std::string help_of(const std::vector<const Command*>& path);
// What `dyad-memory` alone shows.
std::string short_help(const Command& root);
// Breaks at spaces, so that lines have at most `columns`; lines after the first are indented.
std::string wrap(std::string_view text, std::size_t columns, std::size_t indent);

}  // namespace dyad::cli
