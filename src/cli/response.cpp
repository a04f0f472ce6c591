// `dyad-memory response`.
#include "cli/command.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"

#include <cstdio>

namespace dyad::cli {
namespace {

struct ResponseOptions {
    std::string data;  // JSON, -, @file
    std::string chat;
    std::string message;
    std::string provider;
    std::int64_t limit = 50;
};

// 0 is a confidence, too: only null is none.
std::string confidence_of(const json::Value& source) {
    if (!at(source, "confidence").is_number()) return "-";
    char text[32];
    std::snprintf(text, sizeof text, "%.2f", real_at(source, "confidence"));
    return text;
}

Row source_row(const std::string& role, const json::Value& source) {
    return {role,
            text_at(source, "sourceType"),
            text_at(source, "provider"),
            text_at(source, "model"),
            confidence_of(source),
            local_time(integer_at(source, "timestamp")),
            joined_at(source, "mcpToolsUsed"),
            text_at(source, "responseHash").substr(0, 16)};
}

Exit record_response(RestClient& client, const ResponseOptions& options) {
    const std::optional<json::Value> response =
        read_json_argument(client.common(), options.data, "DATA");
    if (!response) return Exit::usage;
    return client.show(client.write("POST", "responses", json::canonical(*response)),
                       [](const json::Value&) { print_line("recorded"); });
}

void print_responses(const json::Value& answer) {
    std::vector<Row> rows;
    for (const json::Value& response : list_at(answer, "responses"))
        rows.push_back({local_time(integer_at(response, "timestamp")), text_at(response, "chatId"),
                        text_at(response, "messageId"), text_at(response, "mode"),
                        text_at(response, "final/provider"), text_at(response, "final/model"),
                        confidence_of(at(response, "final")),
                        std::to_string(list_at(response, "sources").size())});
    if (rows.empty()) complain("There are none.");
    print(table({"TIME", "CHAT", "MESSAGE", "MODE", "PROVIDER", "MODEL", "CONFIDENCE", "SOURCES"},
                rows));
    if (!at(answer, "next").is_null()) complain("There are more: --limit N");
}

Exit list_responses(RestClient& client, const ResponseOptions& options) {
    return client.show(client.get_list(with_query("responses", {{"chat", options.chat},
                                                                {"provider", options.provider}}),
                                       "responses", options.limit),
                       print_responses);
}

void print_response(const json::Value& response) {
    print_line(paint(Colour::bold, printable(text_at(response, "chatId")) + " / " +
                                       printable(text_at(response, "messageId"))) +
               "  " + printable(text_at(response, "mode")) + " mode");
    std::vector<Row> rows{source_row("final", at(response, "final"))};
    for (const json::Value& source : list_at(response, "sources"))
        rows.push_back(source_row("source", source));
    print(table({"", "TYPE", "PROVIDER", "MODEL", "CONFIDENCE", "TIME", "TOOLS", "HASH"}, rows));
    const std::string strategy = text_at(response, "metadata/harmonizationStrategy");
    if (!strategy.empty()) print_line("Harmonised by: " + printable(strategy));
}

Exit show_response(RestClient& client, const ResponseOptions& options) {
    Answer answer = client.get(with_query(
        "responses", {{"chat", options.chat}, {"message", options.message}, {"limit", "1"}}));
    if (!answer) return client.report(*answer.failure);
    const auto& found = list_at(answer.value, "responses");
    if (found.empty())
        return client.report({Exit::not_found, "not_found",
                              "there is no response of this chat and message; dyad-memory response "
                              "ls lists what there is",
                              nullptr});
    answer.value = json::Value(found.front());
    return client.show(answer, print_response);
}

}  // namespace

void add_response(Command& root) {
    const auto o = std::make_shared<ResponseOptions>();
    Command response = root.group("response", "The audit of AI responses (glass box)");
    response.add("add", "Record a response", record_response, o)
        .text("DATA", o->data,
              "JSON: {chatId, messageId, mode, sourceType, provider, model, "
              "responseText or responseHash, confidence?, sources?}; - or @FILE");
    response.add("ls", "List responses", list_responses, o)
        .text("--chat", o->chat, "Only of this chat")
        .text("--provider", o->provider, "Only of this provider")
        .number("--limit", o->limit, "At most so many [50]", 1, limits::page_items_max);
    response.add("show", "Show where a response comes from", show_response, o)
        .text("CHAT", o->chat, "The chat's id")
        .text("MESSAGE", o->message, "The message's id");
}

}  // namespace dyad::cli
