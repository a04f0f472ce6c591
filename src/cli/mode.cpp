// `dyad-memory mode`.
#include "cli/command.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"

namespace dyad::cli {
namespace {

struct ModeOptions {
    std::string mode;           // of set
    std::string of;             // the instance that is meant; empty: this one
    std::string configuration;  // JSON, -, @file; empty: none
    std::int64_t limit = 20;    // of log
};

std::string meant(const RestClient& client, const ModeOptions& options) {
    return options.of.empty() ? client.instance() : options.of;
}

std::string problem(const json::Value& mode) {
    if (is_true(mode, "success")) return {};
    const std::string attempted = text_at(mode, "attemptedMode");
    const std::string why = text_at(mode, "errorMessage");
    if (attempted.empty()) return why;
    return attempted + " failed" + (why.empty() ? "" : ": " + why);
}

void print_modes(const boost::json::array& modes, const char* nothing) {
    const auto or_dash = [](const json::Value& mode) {
        return mode.is_string() ? plain(mode) : "-";
    };
    if (modes.empty()) print_line(nothing);
    print(table({"SINCE", "INSTANCE", "MODE", "BEFORE", "PROBLEM"},
                rows_of(modes, {Cell("updatedAt", plain_time), "instanceId", "currentMode",
                                Cell("previousMode", or_dash), Cell("", problem)})));
}

void print_mode(const json::Value& mode, const std::string& instance) {
    print_line(printable(text_at(mode, "currentMode")));
    if (!output_is_terminal()) return;
    const std::string before = text_at(mode, "previousMode");
    print_line(paint(Colour::dim, printable(instance) + ", since " +
                                      local_time(integer_at(mode, "activatedAt")) +
                                      (before.empty() ? "" : ", before: " + printable(before))));
    const json::Value& configuration = at(mode, "configuration");
    if (!configuration.is_null()) print_line(printable(pretty(configuration), true));
}

Exit show_mode(RestClient& client, const ModeOptions& options) {
    const std::string instance = meant(client, options);
    Answer answer = client.get(mode_path(instance));
    if (!answer && answer.failure->exit == Exit::not_found && !client.json())
        answer.failure->message =
            "instance \"" + instance + "\" has not said a mode; the others: dyad-memory mode ls";
    return client.show(answer, [&](const json::Value& mode) { print_mode(mode, instance); });
}

Exit set_mode(RestClient& client, const ModeOptions& options) {
    boost::json::object body{{"currentMode", options.mode}};
    if (!options.configuration.empty()) {
        std::optional<json::Value> value =
            read_json_argument(client.common(), options.configuration, "--config");
        if (!value) return Exit::usage;
        body["configuration"] = *std::move(value);
    }
    const std::string instance = meant(client, options);
    const Answer answer =
        client.write("PUT", mode_path(instance), json::canonical(std::move(body)));
    return client.show(answer, [&](const json::Value&) {
        print_line(printable(instance) + " is in " + options.mode + " mode" +
                   (options.mode == "inspired" ? " (private: it neither sends nor is sent anything)"
                                               : ""));
    });
}

Exit list_modes(RestClient& client) {
    return client.show(client.get("modes"), [](const json::Value& answer) {
        print_modes(list_at(answer, "modes"), "No instance has said a mode yet.");
    });
}

Exit list_switches(RestClient& client, const ModeOptions& options) {
    return client.show(client.get_list("transitions", "transitions", options.limit),
                       [](const json::Value& answer) {
                           print_modes(list_at(answer, "transitions"), "No mode was switched yet.");
                       });
}

}  // namespace

void add_mode(Command& root) {
    const auto o = std::make_shared<ModeOptions>();
    const auto add_of = [&o](Command& command) {
        command.text("--of", o->of, "The instance that is meant [this one]", "INSTANCE");
    };
    Command mode = root.add("mode", "Show or set the mode of an instance", show_mode, o);
    add_of(mode);
    Command set = mode.add("set", "Set it", set_mode, o);
    set.word("MODE", o->mode, {"inspired", "didactic", "parallel"},
             "inspired, didactic or parallel")
        .text("--config", o->configuration,
              "The mode's configuration: JSON; - reads standard input, @FILE a file", "JSON");
    add_of(set);
    Command get = mode.add("get", "Show it", show_mode, o);
    add_of(get);
    mode.add("ls", "List the modes of all instances", list_modes);
    mode.add("log", "List the last mode switches", list_switches, o)
        .number("--limit", o->limit, "At most so many [20]", 1, limits::page_items_max);
}

}  // namespace dyad::cli
