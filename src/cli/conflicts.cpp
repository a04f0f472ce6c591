#include "cli/commands.hpp"
#include "cli/read_data.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"
#include "net/http.hpp"

namespace dyad::cli {
namespace {

std::string shown(const json::Value& conflict, std::string_view name) {
    const auto* const value = conflict.as_object().if_contains(name);
    return value == nullptr ? "(nothing)" : json::canonical(*value);
}

int list(const Call& call) {
    auto client = RestClient::open(call.common());
    if (!client) return static_cast<int>(Exit::usage);
    std::string path = "conflicts";
    if (call.has("--context"))
        path.append("?context=").append(net::percent_encode(call.text("--context")));
    const Answer answer = client->get(path);
    if (!answer) return report(call.common(), *answer.failure);
    if (call.json()) {
        print_json(answer.value);
        return 0;
    }
    std::vector<std::vector<std::string>> rows;
    for (const json::Value& conflict : array_member(answer.value, "conflicts"))
        rows.push_back({text_member(conflict, "id"), text_member(conflict, "contextKey"),
                        text_member(conflict, "path"), cut(printable(shown(conflict, "stored")), 24),
                        cut(printable(shown(conflict, "incoming")), 24),
                        text_member(conflict, "incomingFrom")});
    print(table({"ID", "CONTEXT", "PATH", "STORED", "INCOMING", "FROM"}, rows));
    if (rows.empty()) complain("There are no open conflicts.");
    return 0;
}

int show(const Call& call) {
    auto client = RestClient::open(call.common());
    if (!client) return static_cast<int>(Exit::usage);
    const Answer answer = client->get("conflicts");
    if (!answer) return report(call.common(), *answer.failure);
    const std::string id = call.text("ID");
    for (const json::Value& conflict : array_member(answer.value, "conflicts")) {
        if (text_member(conflict, "id") != id) continue;
        if (call.json()) {
            print_json(conflict);
            return 0;
        }
        print_line("Conflict   " + printable(id) + ", recorded " +
                   local_time(integer_member(conflict, "recordedAt")));
        print_line("Context    " + printable(text_member(conflict, "contextKey")) + ", version " +
                   std::to_string(integer_member(conflict, "version")));
        print_line("Path       " + printable(text_member(conflict, "path")));
        print_line("Base       " + printable(shown(conflict, "base")));
        print_line("Stored     " + printable(shown(conflict, "stored")));
        print_line("Incoming   " + printable(shown(conflict, "incoming")) + "  from " +
                   printable(text_member(conflict, "incomingFrom")));
        print_line("\nDecide with: dyad-memory conflicts resolve " + printable(id) +
                   " stored|incoming, or --value JSON");
        return 0;
    }
    return report(call.common(), {Exit::not_found, "not_found",
                                  "There is no open conflict \"" + id +
                                      "\"; \"dyad-memory conflicts ls\" lists them.",
                                  nullptr});
}

int resolve_one(const Call& call) {
    boost::json::object body{{"choice", call.text("CHOICE", "value")}};
    if (call.has("CHOICE") == call.has("--value"))
        return report(call.common(), {Exit::usage, "invalid_field",
                                      "Give either stored or incoming, or a value of your own "
                                      "with --value JSON.",
                                      nullptr});
    if (call.has("--value")) {
        Result<json::Value> value = read_data(call.text("--value"));
        if (!value) return report_input(call.common(), value.error());
        body["value"] = *std::move(value);
    }
    auto client = RestClient::open(call.common());
    if (!client) return static_cast<int>(Exit::usage);
    const Answer answer =
        client->write("POST", "conflicts/" + net::percent_encode(call.text("ID")) + "/resolve",
                      json::canonical(body));
    if (!answer) return report(call.common(), *answer.failure);
    if (call.json())
        print_json(answer.value);
    else
        print_line("Resolved. " + printable(text_member(member(answer.value, "context"),
                                                        "contextKey")) +
                   " is at version " + std::to_string(integer_member(answer.value, "version")));
    return 0;
}

}  // namespace

Command conflicts_command() {
    Command list_all;
    list_all.name = "ls";
    list_all.summary = "Lists the open conflicts.";
    list_all.options = {text_option("--context", "KEY", "only those of this context")};
    list_all.run = list;

    Command show_one;
    show_one.name = "show";
    show_one.summary = "Shows one conflict in full.";
    show_one.options = {argument("ID", "of the conflict, as ls shows it")};
    show_one.run = show;

    Command resolve;
    resolve.name = "resolve";
    resolve.summary = "Decides a conflict.";
    resolve.options = {argument("ID", "of the conflict, as ls shows it"),
                       optional_argument("CHOICE", "stored or incoming"),
                       text_option("--value", "JSON", "this value instead: JSON, @file or -")};
    resolve.options[1].choices = {"stored", "incoming"};
    resolve.options[1].value = "stored|incoming";
    resolve.examples = {"dyad-memory conflicts resolve 42.1 incoming",
                        "dyad-memory conflicts resolve 42.1 --value '\"both\"'"};
    resolve.run = resolve_one;

    Command command;
    command.name = "conflicts";
    command.summary = "What merges could not decide: ls, show, resolve.";
    command.commands = {std::move(list_all), std::move(show_one), std::move(resolve)};
    return command;
}

}  // namespace dyad::cli
