#include "cli/commands.hpp"
#include "cli/read_data.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"
#include "net/http.hpp"

namespace dyad::cli {
namespace {

constexpr const char* kModes[] = {"inspired", "didactic", "parallel"};

void print_mode(const json::Value& mode) {
    const std::string previous = text_member(mode, "previousMode");
    std::string can;
    for (const auto& [name, label] : {std::pair{"localAI", "local AI"},
                                      {"externalAI", "external AI"},
                                      {"multiChannel", "several at once"},
                                      {"offlineCapable", "works offline"},
                                      {"realTimeSync", "syncs in real time"}})
        if (is_true(member(mode, "capabilities"), name))
            can.append(can.empty() ? "" : ", ").append(label);
    print_line(paint(Colour::bold, printable(text_member(mode, "currentMode"))) +
               (previous.empty() ? "" : " (before: " + printable(previous) + ")") + ", since " +
               local_time(integer_member(mode, "activatedAt")));
    print_line("  instance  " + printable(text_member(mode, "instanceId")) + ", version " +
               std::to_string(integer_member(mode, "syncVersion")));
    print_line("  can       " + can);
    if (!member(mode, "configuration").is_null())
        print_line("  with      " + printable(json::canonical(member(mode, "configuration"))));
}

std::string mode_path(const RestClient& client, const Call& call) {
    return "modes/" + net::percent_encode(call.text("INSTANCE", client.instance()));
}

int get(const Call& call) {
    auto client = RestClient::open(call.common());
    if (!client) return static_cast<int>(Exit::usage);
    const Answer answer = client->get(mode_path(*client, call));
    if (!answer) return report(call.common(), *answer.failure);
    if (call.json())
        print_json(answer.value);
    else
        print_mode(answer.value);
    return 0;
}

int set(const Call& call) {
    auto client = RestClient::open(call.common());
    if (!client) return static_cast<int>(Exit::usage);
    boost::json::object body{{"currentMode", call.text("MODE")}};
    if (call.has("--configuration")) {
        Result<json::Value> configuration = read_data(call.text("--configuration"));
        if (!configuration) return report_input(call.common(), configuration.error());
        body["configuration"] = *std::move(configuration);
    }
    const Answer answer = client->write("PUT", mode_path(*client, call), json::canonical(body));
    if (!answer) return report(call.common(), *answer.failure);
    if (call.json())
        print_json(answer.value);
    else
        print_mode(member(answer.value, "mode"));
    return 0;
}

int list(const Call& call) {
    auto client = RestClient::open(call.common());
    if (!client) return static_cast<int>(Exit::usage);
    const Answer answer =
        client->get(call.has("--transitions")
                        ? "transitions?limit=" + std::to_string(call.number("--limit").value_or(20))
                        : "modes");
    if (!answer) return report(call.common(), *answer.failure);
    if (call.json()) {
        print_json(answer.value);
        return 0;
    }
    std::vector<std::vector<std::string>> rows;
    for (const json::Value& mode :
         array_member(answer.value, call.has("--transitions") ? "transitions" : "modes"))
        rows.push_back({text_member(mode, "instanceId"), text_member(mode, "currentMode"),
                        text_member(mode, "previousMode"),
                        local_time(integer_member(mode, "activatedAt"))});
    print(table({"INSTANCE", "MODE", "BEFORE", "SINCE"}, rows));
    if (rows.empty()) complain("No instance has said a mode yet.");
    return 0;
}

}  // namespace

Command mode_command() {
    Command get_one;
    get_one.name = "get";
    get_one.summary = "Shows the mode of an instance.";
    get_one.options = {optional_argument("INSTANCE", "whose; by default this command line's")};
    get_one.run = get;

    Command set_one;
    set_one.name = "set";
    set_one.summary = "Switches the mode of an instance.";
    set_one.details =
        "inspired: local and private, nothing leaves the instance. didactic: an external AI "
        "teaches. parallel: both at once.";
    set_one.options = {argument("MODE", "inspired, didactic or parallel"),
                       optional_argument("INSTANCE", "whose; by default this command line's"),
                       text_option("--configuration", "JSON", "of the mode: JSON, @file or -")};
    set_one.options[0].choices = {kModes[0], kModes[1], kModes[2]};
    set_one.options[0].value = "inspired|didactic|parallel";
    set_one.examples = {"dyad-memory mode set didactic", "dyad-memory mode set parallel desk-1"};
    set_one.run = set;

    Command list_all;
    list_all.name = "ls";
    list_all.summary = "Lists the mode of every instance, or the changes.";
    list_all.options = {toggle("--transitions", "the mode changes, newest first"),
                        number_option("--limit", 1, 1000, "how many changes (20)")};
    list_all.run = list;

    Command command;
    command.name = "mode";
    command.summary = "The collaboration mode of each instance: get, set, ls.";
    command.commands = {std::move(get_one), std::move(set_one), std::move(list_all)};
    return command;
}

}  // namespace dyad::cli
