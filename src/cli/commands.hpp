// The tree of commands; each is described and run in a file of its own.
#pragma once

#include "cli/command.hpp"

namespace dyad::cli {

Command root_command();

Command serve_command();
Command status_command();
Command mode_command();
Command context_command();
Command events_command();
Command response_command();
Command instances_command();
Command conflicts_command();
Command top_command();
Command doctor_command();
Command bench_command();
Command config_command();
Command completion_command();
Command version_command();

}  // namespace dyad::cli
