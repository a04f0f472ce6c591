// The command line: reads it, runs the subcommand, and returns the exit status.
#pragma once

#include "cli/commands.hpp"

#include <string>

namespace dyad::cli {

int run(int argc, char** argv);
// The tree of subcommands with their flags, hidden ones left out.
CommandNode command_tree();
// The most used commands.
void print_welcome();
// Says what is wrong with the command line, and what may have been meant; the exit status.
int explain_usage(const std::string& parser_said, const CommandNode& root, int argc, char** argv);

}  // namespace dyad::cli
