// `dyad-memory mode`.
#include "cli/commands.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"

namespace dyad::cli {
namespace {

std::string meant(const RestClient& client, const ModeOptions& options) {
    return options.of.empty() ? client.instance() : options.of;
}

std::string problem(const json::Value& mode) {
    if (is_true(mode, "success")) return {};
    const std::string attempted = text_member(mode, "attemptedMode");
    const std::string why = text_member(mode, "errorMessage");
    if (attempted.empty()) return why;
    return attempted + " failed" + (why.empty() ? "" : ": " + why);
}

int print_modes(const CommonOptions& common, const Answer& answer, std::string_view list,
                const char* nothing) {
    if (!answer) return report(common, *answer.failure);
    if (common.json) {
        print_json(answer.value);
        return static_cast<int>(Exit::ok);
    }
    std::vector<std::vector<std::string>> rows;
    for (const json::Value& mode : array_member(answer.value, list)) {
        const std::string before = text_member(mode, "previousMode");
        rows.push_back({local_time(integer_member(mode, "updatedAt")),
                        text_member(mode, "instanceId"), text_member(mode, "currentMode"),
                        before.empty() ? "-" : before, problem(mode)});
    }
    if (rows.empty()) {
        print_line(nothing);
        return static_cast<int>(Exit::ok);
    }
    print(table({"SINCE", "INSTANCE", "MODE", "BEFORE", "PROBLEM"}, rows));
    return static_cast<int>(Exit::ok);
}

}  // namespace

int run_mode_show(const CommonOptions& common, const ModeOptions& options) {
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    const std::string instance = meant(*client, options);
    Answer answer = client->get(mode_path(instance));
    if (!answer) {
        if (answer.failure->exit == Exit::not_found && !common.json)
            answer.failure->message = "instance \"" + instance +
                                      "\" has not said a mode; the others: dyad-memory mode ls";
        return report(common, *answer.failure);
    }
    if (common.json) {
        print_json(answer.value);
        return static_cast<int>(Exit::ok);
    }
    print_line(printable(text_member(answer.value, "currentMode")));
    const json::Value& configuration = member(answer.value, "configuration");
    if (output_is_terminal()) {
        print_line(
            paint(Colour::dim,
                  printable(instance) + ", since " +
                      local_time(integer_member(answer.value, "activatedAt")) +
                      (text_member(answer.value, "previousMode").empty()
                           ? ""
                           : ", before: " + printable(text_member(answer.value, "previousMode")))));
        if (!configuration.is_null()) print_line(printable(pretty(configuration), true));
    }
    return static_cast<int>(Exit::ok);
}

int run_mode_set(const CommonOptions& common, const ModeOptions& options) {
    boost::json::object body{{"currentMode", options.mode}};
    if (!options.configuration.empty()) {
        const auto text = read_json_argument(common, options.configuration, "--config");
        if (!text) return static_cast<int>(Exit::usage);
        body["configuration"] = *json::parse(*text);
    }
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    const std::string instance = meant(*client, options);
    const Answer answer =
        client->write("PUT", mode_path(instance), json::canonical(std::move(body)));
    if (!answer) return report(common, *answer.failure);
    if (common.json)
        print_json(answer.value);
    else
        print_line(printable(instance) + " is in " + options.mode + " mode" +
                   (options.mode == "inspired" ? " (private: it neither sends nor is sent anything)"
                                               : ""));
    return static_cast<int>(Exit::ok);
}

int run_mode_list(const CommonOptions& common) {
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    return print_modes(common, client->get("modes"), "modes", "No instance has said a mode yet.");
}

int run_mode_log(const CommonOptions& common, std::int64_t limit) {
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    return print_modes(common, get_list(*client, "transitions", "transitions", limit),
                       "transitions", "No mode was switched yet.");
}

}  // namespace dyad::cli
