#include "cli/commands.hpp"

namespace dyad::cli {

Command root_command() {
    Command root;
    root.name = "dyad-memory";
    root.summary = "One memory for all of your AI assistants: the server, and its command line.";
    root.details =
        "Every command but serve talks to a running server, never to its files. Settings come "
        "from flags, the environment, ./.env, the configuration file, in this order: see "
        "\"dyad-memory config list\".";
    root.commands = {serve_command(),     status_command(),    mode_command(),
                     context_command(),   events_command(),    response_command(),
                     instances_command(), conflicts_command(), top_command(),
                     doctor_command(),    bench_command(),     config_command(),
                     completion_command(), version_command()};
    return root;
}

}  // namespace dyad::cli
