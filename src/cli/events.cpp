#include "cli/commands.hpp"
#include "cli/event_follower.hpp"
#include "cli/event_line.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"
#include "net/http.hpp"

#include <algorithm>

namespace dyad::cli {
namespace {

int follow(const Call& call, RestClient& client, std::string since, const std::string& types) {
    EventFollower follower(client, std::move(since), types);
    return follower.run(call, [&](const StreamEvent& event) {
        if (!call.json())
            print_line(event_line(event.value, static_cast<std::size_t>(terminal_columns())));
        else if (event.token.empty())
            print_line("{\"event\":" + event.data + "}");
        else
            print_line("{\"event\":" + event.data + ",\"token\":\"" + event.token + "\"}");
        flush_output();
    });
}

int events(const Call& call) {
    auto client = RestClient::open(call.common());
    if (!client) return static_cast<int>(Exit::usage);
    std::string types;
    for (const std::string& type : call.all("--type"))
        types.append(types.empty() ? "" : ",").append(type);
    const std::int64_t limit = call.number("--limit").value_or(20);
    std::string since = call.text("--since");
    if (since.empty()) {
        const Answer newest = client->get("events?limit=1");
        if (!newest) return report(call.common(), *newest.failure);
        since = std::to_string(
            std::max<std::int64_t>(0, integer_member(newest.value, "last") - limit));
    }
    if (call.has("--follow")) return follow(call, *client, since, types);
    const Answer answer = client->get("events?limit=" + std::to_string(limit) +
                                      "&after=" + net::percent_encode(since));
    if (!answer) return report(call.common(), *answer.failure);
    if (call.json()) {
        print_json(answer.value);
        return 0;
    }
    for (const json::Value& event : array_member(answer.value, "events"))
        if (types.empty() ||
            ("," + types + ",").find("," + text_member(event, "eventType") + ",") !=
                std::string::npos)
            print_line(event_line(event, static_cast<std::size_t>(terminal_columns())));
    const std::string token = text_member(answer.value, "position");
    if (array_member(answer.value, "events").empty())
        complain("There are no events behind that place.");
    if (!token.empty()) complain("Go on from here with --since " + token);
    return 0;
}

}  // namespace

Command events_command() {
    Command command;
    command.name = "events";
    command.summary = "Shows the log of changes; --follow shows each as it happens.";
    command.details =
        "Without --since the newest events are shown. A token is a place in the log: with --since "
        "it goes on exactly behind it, and notices where the log is another one. --follow goes on "
        "by itself, without a gap, when the server was restarted; Ctrl-C ends it and prints the "
        "token.\n\nWith --json: a page with its position; with --follow a line {event, token} for "
        "each.";
    command.options = {
        text_option("--since", "TOKEN", "everything behind this token or offset (0: from the "
                                        "beginning)"),
        toggle("--follow", "go on with what comes, until Ctrl-C"),
        number_option("--limit", 1, 1000, "at most so many at first (20)"),
        list_option("--type", "TYPE", "only events of this eventType")};
    command.options.back().choices = {"context-updated", "mode-changed", "response-generated",
                                      "mcp-tool-executed", "config-updated"};
    command.examples = {"dyad-memory events --follow",
                        "dyad-memory events --since 0 --limit 1000 --json | jq .events[].scope"};
    command.run = events;
    return command;
}

}  // namespace dyad::cli
