// `dyad-memory status`, `instances` and `version`.
#include "cli/commands.hpp"
#include "cli/indicator.hpp"
#include "cli/rest_client.hpp"

namespace dyad::cli {
namespace {

std::string system_line(const SystemState& system) {
    std::string line = "  " + system.name;
    line.append(12 - system.name.size(), ' ');
    if (!system.enabled) return line + paint(Colour::dim, "– switched off");
    return line + (system.healthy ? paint(Colour::green, "✓ ") : paint(Colour::amber, "✗ ")) +
           printable(system.note);
}

int offline(const CommonOptions& common, const Failure& failure) {
    const Indicator indicator = indicator_offline();
    if (common.json) {
        boost::json::object out{{"indicator", indicator.text()}, {"reachable", false}};
        print_json(out);
    } else {
        print_line(indicator.painted());
    }
    return report(common, failure);
}

}  // namespace

int run_status(const CommonOptions& common) {
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    Answer status = client->get("status");
    if (!status) {
        if (status.failure->exit == Exit::unreachable) return offline(common, *status.failure);
        return report(common, *status.failure);
    }
    const Indicator indicator = indicator_of(status.value);
    const Answer mode = client->get(mode_path(client->instance()));
    const std::string current = mode ? text_member(mode.value, "currentMode") : std::string();
    const bool hidden = hides_indicator(current);
    if (common.json) {
        auto& object = status.value.get_object();
        object["indicator"] = indicator.text();
        object["indicatorHidden"] = hidden;
        print_json(status.value);
        return static_cast<int>(Exit::ok);
    }
    print_line(paint(Colour::bold, "Dyad Distributed Memory ") +
               printable(text_member(status.value, "version")) + " at " + client->url().text());
    for (const SystemState& system : indicator.systems)
        print_line(system_line(system));
    const auto line = [](const std::string& name, const std::string& value) {
        print_line("  " + name + std::string(12 - name.size(), ' ') + value);
    };
    line("Up", duration(integer_member(status.value, "uptimeMs")) + ", since " +
                   local_time(integer_member(status.value, "startedAt")));
    line("Node", printable(text_member(status.value, "instanceId")).substr(0, 8));
    line("User", printable(text_member(status.value, "userId")));
    if (!current.empty()) line("Mode", printable(current) + " (" + client->instance() + ")");
    if (is_true(status.value, "draining"))
        print_line(paint(Colour::amber, "  The server is about to stop."));
    print_line("");
    if (hidden)
        print_line(paint(Colour::dim,
                         "Indicator hidden: this instance is in inspired mode, which "
                         "is private"));
    else
        print_line(indicator.painted());
    if (indicator.colour != Colour::green && !indicator.draining)
        print_line("Not everything works. What to do: dyad-memory doctor");
    return static_cast<int>(Exit::ok);
}

int run_instances(const CommonOptions& common) {
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    const Answer answer = client->get("instances");
    if (!answer) return report(common, *answer.failure);
    if (common.json) {
        print_json(answer.value);
        return static_cast<int>(Exit::ok);
    }
    std::vector<std::vector<std::string>> rows;
    for (const json::Value& item : array_member(answer.value, "instances")) {
        const json::Value& presence = member(item, "presence");
        const json::Value& mode = member(item, "mode");
        const std::string said =
            mode.is_object() ? text_member(mode, "currentMode") : std::string("not said");
        rows.push_back({text_member(item, "instanceId"), said,
                        presence.is_object()    ? "connected"
                        : hides_indicator(said) ? "private"
                                                : "away",
                        presence.is_object() ? local_time(integer_member(presence, "lastSeen"))
                        : mode.is_object()   ? local_time(integer_member(mode, "updatedAt"))
                                             : ""});
    }
    if (rows.empty()) {
        print_line("No instance has taken part yet.");
        return static_cast<int>(Exit::ok);
    }
    print(table({"INSTANCE", "MODE", "PRESENCE", "LAST SEEN"}, rows));
    return static_cast<int>(Exit::ok);
}

int run_version(const CommonOptions& common) {
    if (common.json) {
        boost::json::object out{{"name", "dyad-memory"}, {"version", DYAD_VERSION}};
        print_json(out);
    } else {
        print_line(std::string("dyad-memory ") + DYAD_VERSION);
    }
    return static_cast<int>(Exit::ok);
}

}  // namespace dyad::cli
