// `dyad-memory conflicts`.
#include "cli/commands.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"
#include "net/http.hpp"

namespace dyad::cli {
namespace {

std::string shown(const json::Value& conflict, const char* side) {
    if (!conflict.get_object().contains(side)) return "(nothing)";
    return printable(pretty(member(conflict, side)), true);
}

}  // namespace

int run_conflict_list(const CommonOptions& common, const ConflictOptions& options) {
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    std::string path = "conflicts";
    if (!options.context.empty())
        path.append("?context=").append(net::percent_encode(options.context));
    const Answer answer = client->get(path);
    if (!answer) return report(common, *answer.failure);
    if (common.json) {
        print_json(answer.value);
        return static_cast<int>(Exit::ok);
    }
    std::vector<std::vector<std::string>> rows;
    for (const json::Value& conflict : array_member(answer.value, "conflicts"))
        rows.push_back({text_member(conflict, "id"),
                        printable_key(text_member(conflict, "contextKey")),
                        text_member(conflict, "path"),
                        cut(printable(json::canonical(member(conflict, "stored"))), 24),
                        cut(printable(json::canonical(member(conflict, "incoming"))), 24),
                        text_member(conflict, "incomingFrom")});
    if (rows.empty()) {
        print_line("No open conflicts.");
        return static_cast<int>(Exit::ok);
    }
    print(table({"ID", "CONTEXT", "PATH", "STORED", "INCOMING", "FROM"}, rows));
    complain(paint(Colour::dim, "Decide: dyad-memory conflicts resolve ID stored|incoming|value"));
    return static_cast<int>(Exit::ok);
}

int run_conflict_show(const CommonOptions& common, const ConflictOptions& options) {
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    const Answer answer = client->get("conflicts");
    if (!answer) return report(common, *answer.failure);
    for (const json::Value& conflict : array_member(answer.value, "conflicts")) {
        if (text_member(conflict, "id") != options.id) continue;
        if (common.json) {
            print_json(conflict);
            return static_cast<int>(Exit::ok);
        }
        print_line(paint(Colour::bold, printable_key(text_member(conflict, "contextKey"))) +
                   "  version " + std::to_string(integer_member(conflict, "version")) + ", at \"" +
                   printable(text_member(conflict, "path")) + "\", " +
                   local_time(integer_member(conflict, "recordedAt")));
        print_line("\nBase\n" + shown(conflict, "base"));
        print_line("\nStored\n" + shown(conflict, "stored"));
        print_line("\nIncoming, from " + printable(text_member(conflict, "incomingFrom")) + "\n" +
                   shown(conflict, "incoming"));
        return static_cast<int>(Exit::ok);
    }
    Failure failure;
    failure.exit = Exit::not_found;
    failure.code = "not_found";
    failure.message =
        "there is no open conflict \"" + options.id + "\"; dyad-memory conflicts ls lists them";
    return report(common, failure);
}

int run_conflict_resolve(const CommonOptions& common, const ConflictOptions& options) {
    if ((options.choice == "value") == options.value.empty())
        return refuse_usage(common.json,
                            "--value goes with the choice \"value\", and only with it");
    boost::json::object body{{"choice", options.choice}};
    if (!options.value.empty()) {
        const auto text = read_json_argument(common, options.value, "--value");
        if (!text) return static_cast<int>(Exit::usage);
        body["value"] = *json::parse(*text);
    }
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    const Answer answer =
        client->write("POST", "conflicts/" + net::percent_encode(options.id) + "/resolve",
                      json::canonical(std::move(body)));
    if (!answer) return report(common, *answer.failure);
    if (common.json)
        print_json(answer.value);
    else
        print_line("resolved, version " + std::to_string(integer_member(answer.value, "version")));
    return static_cast<int>(Exit::ok);
}

}  // namespace dyad::cli
