// The parts of `dyad-memory context`: reading, and writing.
#pragma once

#include "cli/command.hpp"
#include "model/json.hpp"

#include <string>
#include <vector>

namespace dyad::cli {

std::vector<Command> context_read_commands();
std::vector<Command> context_write_commands();

// The path of a context below /api/v1.
std::string context_path(const Call& call);
// A context, for people.
void print_context(const json::Value& context);

}  // namespace dyad::cli
