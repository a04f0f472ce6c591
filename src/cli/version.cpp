#include "server/version.hpp"

#include "cli/commands.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"

namespace dyad::cli {

Command version_command() {
    Command command;
    command.name = "version";
    command.summary = "Prints the version of this program.";
    command.talks = false;
    command.run = [](const Call& call) {
        const std::string version(server::kVersion);
        if (call.json())
            print_json(boost::json::object{{"version", version}});
        else
            print_line("dyad-memory " + version);
        return 0;
    };
    return command;
}

}  // namespace dyad::cli
