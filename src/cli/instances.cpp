#include "cli/commands.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"

#include <chrono>

namespace dyad::cli {
namespace {

int instances(const Call& call) {
    auto client = RestClient::open(call.common());
    if (!client) return static_cast<int>(Exit::usage);
    const Answer answer = client->get("instances");
    if (!answer) return report(call.common(), *answer.failure);
    if (call.json()) {
        print_json(answer.value);
        return 0;
    }
    std::vector<std::vector<std::string>> rows;
    for (const json::Value& instance : array_member(answer.value, "instances")) {
        const json::Value& presence = member(instance, "presence");
        const std::string mode = text_member(member(instance, "mode"), "currentMode");
        rows.push_back({text_member(instance, "instanceId"), mode.empty() ? "-" : mode,
                        presence.is_null() ? "away" : "connected",
                        presence.is_null()
                            ? ""
                            : std::to_string(integer_member(presence, "connections")),
                        presence.is_null() ? ""
                                           : local_time(integer_member(presence, "connectedAt"))});
    }
    print(table({"INSTANCE", "MODE", "PRESENCE", "CONNECTIONS", "SINCE"}, rows));
    if (rows.empty()) complain("No instance has connected or said a mode yet.");
    return 0;
}

}  // namespace

Command instances_command() {
    Command command;
    command.name = "instances";
    command.summary = "Lists the instances that share the memory.";
    command.run = instances;
    return command;
}

}  // namespace dyad::cli
