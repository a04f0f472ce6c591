// `dyad-memory status` and `instances`.
#include "cli/command.hpp"
#include "cli/indicator.hpp"
#include "cli/rest_client.hpp"

namespace dyad::cli {
namespace {

constexpr std::size_t kNames = 12;  // columns

void line(const std::string& name, const std::string& value) {
    print_line("  " + padded(name, kNames) + value);
}

void print_status(const RestClient& client, const json::Value& status, const Indicator& indicator,
                  const std::string& mode) {
    print_line(paint(Colour::bold, "Dyad Distributed Memory ") +
               printable(text_at(status, "version")) + " at " + client.url().text());
    for (const SystemState& system : indicator.systems)
        line(system.name, paint(system.colour(), std::string(system.mark()) +
                                                     (system.enabled ? " " : " switched off")) +
                              (system.enabled ? printable(system.note) : ""));
    line("Up", duration(integer_at(status, "uptimeMs")) + ", since " +
                   local_time(integer_at(status, "startedAt")));
    line("Node", printable(text_at(status, "instanceId")).substr(0, 8));
    line("User", printable(text_at(status, "userId")));
    if (!mode.empty()) line("Mode", printable(mode) + " (" + client.instance() + ")");
    if (indicator.draining) print_line(paint(Colour::amber, "  The server is about to stop."));
    print_line("");
    if (hides_indicator(mode))
        print_line(paint(Colour::dim,
                         "Indicator hidden: this instance is in inspired mode, which is private"));
    else
        print_line(indicator.painted());
    if (indicator.colour != Colour::green && !indicator.draining)
        print_line("Not everything works. What to do: dyad-memory doctor");
}

Exit show_status(RestClient& client) {
    Answer status = client.get("status");
    if (!status) {
        const Indicator indicator = indicator_offline();
        if (status.failure->exit != Exit::unreachable) return client.report(*status.failure);
        if (client.json())
            print_json(boost::json::object{{"indicator", indicator.text()}, {"reachable", false}});
        else
            print_line(indicator.painted());
        return client.report(*status.failure);
    }
    const Indicator indicator = indicator_of(status.value);
    const std::string mode = text_at(client.get(mode_path(client.instance())).value, "currentMode");
    status.value.get_object()["indicator"] = indicator.text();
    status.value.get_object()["indicatorHidden"] = hides_indicator(mode);
    return client.show(
        status, [&](const json::Value& value) { print_status(client, value, indicator, mode); });
}

void print_instances(const json::Value& answer) {
    const auto& instances = list_at(answer, "instances");
    const auto said = [](const json::Value& mode) {
        return mode.is_object() ? text_at(mode, "currentMode") : "not said";
    };
    const auto seen = [](const json::Value& instance) -> std::string {
        for (const char* const moment : {"presence/lastSeen", "mode/updatedAt"})
            if (const json::Value& ms = at(instance, moment); !ms.is_null()) return plain_time(ms);
        return {};
    };
    if (instances.empty()) print_line("No instance has taken part yet.");
    print(table({"INSTANCE", "MODE", "PRESENCE", "LAST SEEN"},
                rows_of(instances, {"instanceId", Cell("mode", said), Cell("", presence_of),
                                    Cell("", seen)})));
}

Exit list_instances(RestClient& client) {
    return client.show(client.get("instances"), print_instances);
}

}  // namespace

void add_status(Command& root) {
    root.add("status", "Show what the server says of itself, with the sync indicator", show_status);
}

void add_instances(Command& root) {
    root.add("instances", "List the instances that take part", list_instances);
}

}  // namespace dyad::cli
