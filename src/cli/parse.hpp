// The command line, read against the description of the commands.
#pragma once

#include "cli/command.hpp"

#include <string>
#include <variant>
#include <vector>

namespace dyad::cli {

// Nothing to run: help that was asked for (status 0), or what is wrong with the command line.
struct Said {
    std::string text;
    int status = 0;
};

// `words`: without the program's name. Lifetime: a Call refers to `root`.
std::variant<Call, Said> parse(const Command& root, const std::vector<std::string>& words);

}  // namespace dyad::cli
