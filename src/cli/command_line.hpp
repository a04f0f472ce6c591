// The command line: reads it, runs the subcommand, and returns the exit status.
#pragma once

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

}  // namespace dyad::cli
