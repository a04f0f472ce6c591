// The command line: reads it, runs the subcommand, and returns the exit status.
#pragma once

#include "cli/commands.hpp"

#include <string>

namespace dyad::cli {

int run(int argc, char** argv);
// The tree of subcommands with their flags, hidden ones left out.
CommandNode command_tree();

}  // namespace dyad::cli
