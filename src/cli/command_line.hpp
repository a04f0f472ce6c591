// The command line: reads it, runs the subcommand, and returns the exit status. Also what a shell
// asks of it, to complete a line.
#pragma once

#include "cli/invocation.hpp"

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace dyad::cli {

struct Parsed;

int run(int argc, char** argv);
// Gives `app` all commands; what is read goes into `parsed`. Lifetime: `parsed` is there as long.
void declare_commands(CLI::App& app, Parsed& parsed);

// Its subcommands, hidden ones left out; and the one of this name or alias, or null.
std::vector<const CLI::App*> subcommands(const CLI::App& app);
const CLI::App* subcommand(const CLI::App& app, const std::string& name);

struct CompleteOptions {
    std::string shell;   // bash, zsh or fish
    std::string line;    // up to the cursor
    std::string breaks;  // of bash: the characters at which it takes words apart
};
// Prints what may stand at the end of the line, one in each.
Exit run_complete(const CLI::App& root, const CompleteOptions& options);

}  // namespace dyad::cli
