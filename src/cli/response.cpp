#include "cli/commands.hpp"
#include "cli/read_data.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"
#include "net/http.hpp"

namespace dyad::cli {
namespace {

void print_source(const json::Value& source) {
    std::string line = "  " + text_member(source, "sourceType") + "  " +
                       text_member(source, "provider") + "/" + text_member(source, "model");
    const json::Value& confidence = member(source, "confidence");
    if (!confidence.is_null()) line.append("  confidence ").append(json::canonical(confidence));
    const json::Value& cost = member(source, "costUsd");
    if (!cost.is_null()) line.append("  $").append(json::canonical(cost));
    print_line(printable(line));
    print_line(paint(Colour::dim, "    " + printable(text_member(source, "responseHash"))));
}

int add(const Call& call) {
    Result<json::Value> data = read_data(call.text("DATA"));
    if (!data) return report_input(call.common(), data.error());
    auto client = RestClient::open(call.common());
    if (!client) return static_cast<int>(Exit::usage);
    const Answer answer = client->write("POST", "responses", json::canonical(*data));
    if (!answer) return report(call.common(), *answer.failure);
    if (call.json())
        print_json(answer.value);
    else
        print_line("Recorded, at " + printable(text_member(answer.value, "position")));
    return 0;
}

int list(const Call& call) {
    auto client = RestClient::open(call.common());
    if (!client) return static_cast<int>(Exit::usage);
    std::string path = "responses?limit=" + std::to_string(call.number("--limit").value_or(20));
    for (const auto& [option, name] : {std::pair{"--chat", "chat"}, {"--provider", "provider"}})
        if (call.has(option))
            path.append("&").append(name).append("=").append(net::percent_encode(call.text(option)));
    if (call.has("--before")) path.append("&before=").append(call.text("--before"));
    const Answer answer = client->get(path);
    if (!answer) return report(call.common(), *answer.failure);
    if (call.json()) {
        print_json(answer.value);
        return 0;
    }
    std::vector<std::vector<std::string>> rows;
    for (const json::Value& response : array_member(answer.value, "responses")) {
        const json::Value& final = member(response, "final");
        rows.push_back({text_member(response, "chatId"), text_member(response, "messageId"),
                        local_time(integer_member(response, "timestamp")),
                        text_member(response, "mode"), text_member(final, "sourceType"),
                        text_member(final, "provider") + "/" + text_member(final, "model"),
                        std::to_string(array_member(response, "sources").size())});
    }
    print(table({"CHAT", "MESSAGE", "WHEN", "MODE", "SOURCE", "BY", "CONTRIBUTIONS"}, rows));
    if (rows.empty()) complain("No responses are recorded.");
    if (!member(answer.value, "next").is_null())
        complain("There are more: go on with --before " +
                 std::to_string(integer_member(answer.value, "next")) + ".");
    return 0;
}

int show(const Call& call) {
    auto client = RestClient::open(call.common());
    if (!client) return static_cast<int>(Exit::usage);
    const Answer answer =
        client->get("responses?chat=" + net::percent_encode(call.text("CHAT")) +
                    "&message=" + net::percent_encode(call.text("MESSAGE")));
    if (!answer) return report(call.common(), *answer.failure);
    const auto& found = array_member(answer.value, "responses");
    if (found.empty())
        return report(call.common(), {Exit::not_found, "not_found",
                                      "No response is recorded for this chat and message; "
                                      "\"dyad-memory response ls\" lists them.",
                                      nullptr});
    const json::Value& response = found.front();
    if (call.json()) {
        print_json(response);
        return 0;
    }
    print_line(paint(Colour::bold, printable(text_member(response, "chatId") + " / " +
                                             text_member(response, "messageId"))) +
               "  " + printable(text_member(response, "mode")) + " mode, " +
               local_time(integer_member(response, "timestamp")) + ", by " +
               printable(text_member(response, "instanceId")));
    print_line("Final");
    print_source(member(response, "final"));
    if (!array_member(response, "sources").empty()) print_line("Contributions");
    for (const json::Value& source : array_member(response, "sources"))
        print_source(source);
    return 0;
}

}  // namespace

Command response_command() {
    Command add_one;
    add_one.name = "add";
    add_one.summary = "Records which AI gave an answer.";
    add_one.details =
        "The data has chatId, messageId, mode, sourceType, provider, model, and responseHash or "
        "responseText (which is hashed and not kept); contributing sources stand in sources[].";
    add_one.options = {argument("DATA", "a JSON object, @file, or - for standard input")};
    add_one.examples = {
        "dyad-memory response add '{\"chatId\":\"17\",\"messageId\":\"204\",\"mode\":\"didactic\","
        "\"sourceType\":\"external\",",
        "    \"provider\":\"openai\",\"model\":\"gpt-4o\",\"responseText\":\"The answer.\"}'"};
    add_one.run = add;

    Command list_all;
    list_all.name = "ls";
    list_all.summary = "Lists recorded responses, newest first.";
    list_all.options = {text_option("--chat", "ID", "only of this chat"),
                        text_option("--provider", "NAME", "only with a part of this provider"),
                        number_option("--limit", 1, 1000, "at most so many (20)"),
                        number_option("--before", 1, INT64_MAX, "only before this offset")};
    list_all.run = list;

    Command show_one;
    show_one.name = "show";
    show_one.summary = "Shows one response with all its sources.";
    show_one.options = {argument("CHAT", "the chat's id"), argument("MESSAGE", "the message's id")};
    show_one.run = show;

    Command command;
    command.name = "response";
    command.summary = "The glass box, which AI answered what: add, ls, show.";
    command.commands = {std::move(add_one), std::move(list_all), std::move(show_one)};
    return command;
}

}  // namespace dyad::cli
