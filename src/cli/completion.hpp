// Completion of the command line in shells.
#pragma once

#include "cli/invocation.hpp"

#include <string>

namespace CLI {
class App;
}

namespace dyad::cli {

struct CompleteOptions {
    std::string shell;   // bash, zsh or fish
    std::string line;    // up to the cursor
    std::string breaks;  // of bash: the characters at which it takes words apart
};
// Prints what may stand at the end of the line, one in each.
Exit run_complete(const CLI::App& root, const CompleteOptions& options);

}  // namespace dyad::cli
