#include "cli/commands.hpp"
#include "cli/indicator.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"

namespace dyad::cli {
namespace {

int status(const Call& call) {
    auto client = RestClient::open(call.common());
    if (!client) return static_cast<int>(Exit::usage);
    const Answer answer = client->get("status");
    if (call.json()) {
        if (!answer) return report(call.common(), *answer.failure);
        print_json(answer.value);
        return 0;
    }
    const Indicator indicator = indicator_of(answer.value);
    if (!answer) {
        print_line(paint(indicator.colour(), indicator_of(nullptr).text()));
        return report(call.common(), *answer.failure);
    }
    const json::Value& value = answer.value;
    print_line("Server     " + client->url().authority() + ", version " +
               printable(text_member(value, "version")) + ", up " +
               duration(integer_member(value, "uptimeMs")) +
               (is_true(value, "draining") ? paint(Colour::amber, " (stopping)") : ""));
    print_line("User       " + printable(text_member(value, "userId")));
    print_line("Instance   " + printable(text_member(value, "instanceId")));
    for (const SystemLine& system : indicator.systems) {
        std::string name = system.name;
        name.resize(9, ' ');
        print_line(name + "  " +
                   (!system.enabled ? paint(Colour::dim, "- ")
                    : system.works  ? paint(Colour::green, "✓ ")
                                    : paint(Colour::red, "✗ ")) +
                   printable(system.text));
    }
    print_line(paint(indicator.colour(), indicator.text()));
    return 0;
}

}  // namespace

Command status_command() {
    Command command;
    command.name = "status";
    command.summary = "Shows what works, and the sync indicator.";
    command.details =
        "The indicator counts the store, the bus and the WebSocket: those that work of those that "
        "are enabled.";
    command.examples = {"dyad-memory status", "dyad-memory status --json"};
    command.run = status;
    return command;
}

}  // namespace dyad::cli
