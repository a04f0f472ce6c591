// Completion scripts for shells, from the description of the commands. Pure.
#pragma once

#include "cli/command.hpp"

#include <string>

namespace dyad::cli {

std::string bash_completion(const Command& root);
std::string zsh_completion(const Command& root);
std::string fish_completion(const Command& root);

}  // namespace dyad::cli
