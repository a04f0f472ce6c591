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
std::string two_decimals(const json::Value& confidence) {
    if (!confidence.is_number()) return "-";
    char text[32];
    std::snprintf(text, sizeof text, "%.2f", real_at(confidence, ""));
    return text;
}

Exit record_response(RestClient& client, const ResponseOptions& options) {
    const std::optional<json::Value> response =
        read_json_argument(client.common(), options.data, "DATA");
    if (!response) return Exit::usage;
    return client.show(client.write("POST", "responses", json::canonical(*response)),
                       [](const json::Value&) { print_line("recorded"); });
}

void print_responses(const json::Value& answer) {
    const auto& responses = list_at(answer, "responses");
    const auto count = [](const json::Value& list) {
        return std::to_string(list_at(list, "").size());
    };
    if (responses.empty()) complain("There are none.");
    print(table(
        {"TIME", "CHAT", "MESSAGE", "MODE", "PROVIDER", "MODEL", "CONFIDENCE", "SOURCES"},
        rows_of(responses,
                {Cell("timestamp", plain_time), "chatId", "messageId", "mode", "final/provider",
                 "final/model", Cell("final/confidence", two_decimals), Cell("sources", count)})));
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
    boost::json::array sources = list_at(response, "sources");
    sources.insert(sources.begin(), at(response, "final"));
    const auto role = [&](const json::Value& source) {
        return &source == sources.begin() ? "final" : "source";
    };
    const auto in_short = [](const json::Value& hash) { return plain(hash).substr(0, 16); };
    print(table({"", "TYPE", "PROVIDER", "MODEL", "CONFIDENCE", "TIME", "TOOLS", "HASH"},
                rows_of(sources, {Cell("", role), "sourceType", "provider", "model",
                                  Cell("confidence", two_decimals), Cell("timestamp", plain_time),
                                  "mcpToolsUsed", Cell("responseHash", in_short)})));
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
