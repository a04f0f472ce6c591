#include "cli/context.hpp"

#include "cli/commands.hpp"

#include <iterator>

namespace dyad::cli {

Command context_command() {
    Command command;
    command.name = "context";
    command.summary = "The shared documents: ls, get, set, merge, patch, rm, history and more.";
    command.details =
        "A context is a JSON document with a key and a version. Data is given as JSON, as @file, "
        "or as - for standard input.";
    command.commands = context_read_commands();
    std::vector<Command> writing = context_write_commands();
    command.commands.insert(command.commands.end(), std::make_move_iterator(writing.begin()),
                            std::make_move_iterator(writing.end()));
    command.examples = {"dyad-memory context set project/plan '{\"goal\":\"one memory\"}'",
                        "dyad-memory context get project/plan --data-only | jq .goal"};
    return command;
}

}  // namespace dyad::cli
