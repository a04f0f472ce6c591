// `dyad-memory conflicts`.
#include "cli/command.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"

namespace dyad::cli {
namespace {

struct ConflictOptions {
    std::string id;
    std::string context;
    std::string choice;  // stored, incoming, value
    std::string value;   // JSON, -, @file
};

void print_conflicts(const json::Value& answer) {
    const auto& conflicts = list_at(answer, "conflicts");
    if (conflicts.empty()) return print_line("No open conflicts.");
    const auto in_short = [](const json::Value& value) {
        return cut(printable(json::canonical(value)), 24);
    };
    print(table(
        {"ID", "CONTEXT", "PATH", "STORED", "INCOMING", "FROM"},
        rows_of(conflicts, {"id", Cell("contextKey", plain_key), "path", Cell("stored", in_short),
                            Cell("incoming", in_short), "incomingFrom"})));
    complain(paint(Colour::dim, "Decide: dyad-memory conflicts resolve ID stored|incoming|value"));
}

Exit list_conflicts(RestClient& client, const ConflictOptions& options) {
    return client.show(client.get(with_query("conflicts", {{"context", options.context}})),
                       print_conflicts);
}

void print_conflict(const json::Value& conflict) {
    print_line(paint(Colour::bold, printable_key(text_at(conflict, "contextKey"))) + "  version " +
               std::to_string(integer_at(conflict, "version")) + ", at \"" +
               printable(text_at(conflict, "path")) + "\", " +
               local_time(integer_at(conflict, "recordedAt")));
    for (const auto& [heading, side] :
         {std::pair{std::string("Base"), "base"},
          {"Stored", "stored"},
          {"Incoming, from " + printable(text_at(conflict, "incomingFrom")), "incoming"}})
        print_line("\n" + heading + "\n" +
                   (conflict.get_object().contains(side)
                        ? printable(pretty(at(conflict, side)), true)
                        : "(nothing)"));
}

Exit show_conflict(RestClient& client, const ConflictOptions& options) {
    Answer answer = client.get("conflicts");
    if (!answer) return client.report(*answer.failure);
    for (const json::Value& conflict : list_at(answer.value, "conflicts"))
        if (text_at(conflict, "id") == options.id) {
            answer.value = json::Value(conflict);
            return client.show(answer, print_conflict);
        }
    return client.report(
        {Exit::not_found, "not_found",
         "there is no open conflict \"" + options.id + "\"; dyad-memory conflicts ls lists them",
         nullptr});
}

Exit resolve_conflict(RestClient& client, const ConflictOptions& options) {
    if ((options.choice == "value") == options.value.empty())
        return refuse_usage(client.common(),
                            "--value goes with the choice \"value\", and only with it");
    boost::json::object body{{"choice", options.choice}};
    if (!options.value.empty()) {
        std::optional<json::Value> value =
            read_json_argument(client.common(), options.value, "--value");
        if (!value) return Exit::usage;
        body["value"] = *std::move(value);
    }
    const Answer answer =
        client.write("POST", "conflicts/" + net::percent_encode(options.id) + "/resolve",
                     json::canonical(std::move(body)));
    return client.show(answer, [](const json::Value& resolved) {
        print_line("resolved, version " + std::to_string(integer_at(resolved, "version")));
    });
}

}  // namespace

void add_conflicts(Command& root) {
    const auto o = std::make_shared<ConflictOptions>();
    Command conflicts = root.add("conflicts", "Show what could not be merged", list_conflicts, o);
    conflicts.add("ls", "List open conflicts", list_conflicts, o)
        .text("--context", o->context, "Only of this context", "KEY");
    conflicts.add("show", "Show both sides", show_conflict, o).text("ID", o->id, "As ls lists it");
    conflicts.add("resolve", "Decide", resolve_conflict, o)
        .text("ID", o->id, "As ls lists it")
        .word("CHOICE", o->choice, {"stored", "incoming", "value"},
              "stored, incoming, or value with --value")
        .text("--value", o->value, "The value to write: JSON; - or @FILE", "JSON");
}

}  // namespace dyad::cli
