// The tree of subcommands as the parser has it. Internal to the command line, for what it includes.
#pragma once

#include "cli/commands.hpp"

#include <CLI/CLI.hpp>

namespace dyad::cli {

// Hidden subcommands are left out.
CommandNode command_node(const CLI::App& app);

}  // namespace dyad::cli
