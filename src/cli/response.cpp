// `dyad-memory response`.
#include "cli/commands.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"
#include "net/http.hpp"

#include <cstdio>

namespace dyad::cli {
namespace {

// 0 is a confidence, too: only null is none.
std::string confidence_of(const json::Value& source) {
    const json::Value& value = member(source, "confidence");
    if (!value.is_double() && !value.is_int64()) return "-";
    char text[32];
    std::snprintf(text, sizeof text, "%.2f",
                  value.is_double() ? value.get_double() : static_cast<double>(value.get_int64()));
    return text;
}

std::vector<std::string> source_row(const std::string& role, const json::Value& source) {
    std::string tools;
    for (const json::Value& tool : array_member(source, "mcpToolsUsed"))
        tools.append(tools.empty() ? "" : ",")
            .append(tool.is_string() ? tool.get_string().c_str() : "");
    return {role,
            text_member(source, "sourceType"),
            text_member(source, "provider"),
            text_member(source, "model"),
            confidence_of(source),
            local_time(integer_member(source, "timestamp")),
            tools,
            text_member(source, "responseHash").substr(0, 16)};
}

}  // namespace

int run_response_add(const CommonOptions& common, const ResponseOptions& options) {
    const auto text = read_json_argument(common, options.data, "DATA");
    if (!text) return static_cast<int>(Exit::usage);
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    const Answer answer = client->write("POST", "responses", *text);
    if (!answer) return report(common, *answer.failure);
    if (common.json)
        print_json(answer.value);
    else
        print_line("recorded");
    return static_cast<int>(Exit::ok);
}

int run_response_list(const CommonOptions& common, const ResponseOptions& options) {
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    std::string path = "responses";
    if (!options.chat.empty()) path.append("?chat=").append(net::percent_encode(options.chat));
    if (!options.provider.empty())
        path.append(options.chat.empty() ? "?provider=" : "&provider=")
            .append(net::percent_encode(options.provider));
    const Answer answer = get_list(*client, path, "responses", options.limit);
    if (!answer) return report(common, *answer.failure);
    if (common.json) {
        print_json(answer.value);
        return static_cast<int>(Exit::ok);
    }
    std::vector<std::vector<std::string>> rows;
    for (const json::Value& response : array_member(answer.value, "responses")) {
        const json::Value& final = member(response, "final");
        rows.push_back({local_time(integer_member(response, "timestamp")),
                        text_member(response, "chatId"), text_member(response, "messageId"),
                        text_member(response, "mode"), text_member(final, "provider"),
                        text_member(final, "model"), confidence_of(final),
                        std::to_string(array_member(response, "sources").size())});
    }
    if (rows.empty()) complain("There are none.");
    print(table({"TIME", "CHAT", "MESSAGE", "MODE", "PROVIDER", "MODEL", "CONFIDENCE", "SOURCES"},
                rows));
    if (!member(answer.value, "next").is_null()) complain("There are more: --limit N");
    return static_cast<int>(Exit::ok);
}

int run_response_show(const CommonOptions& common, const ResponseOptions& options) {
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    const Answer answer =
        client->get("responses?chat=" + net::percent_encode(options.chat) +
                    "&message=" + net::percent_encode(options.message) + "&limit=1");
    if (!answer) return report(common, *answer.failure);
    const auto& found = array_member(answer.value, "responses");
    if (found.empty()) {
        Failure failure;
        failure.exit = Exit::not_found;
        failure.code = "not_found";
        failure.message =
            "there is no response of this chat and message; dyad-memory response ls "
            "lists what there is";
        return report(common, failure);
    }
    const json::Value& response = found.front();
    if (common.json) {
        print_json(response);
        return static_cast<int>(Exit::ok);
    }
    print_line(paint(Colour::bold, printable(options.chat) + " / " + printable(options.message)) +
               "  " + printable(text_member(response, "mode")) + " mode");
    std::vector<std::vector<std::string>> rows;
    rows.push_back(source_row("final", member(response, "final")));
    for (const json::Value& source : array_member(response, "sources"))
        rows.push_back(source_row("source", source));
    print(table({"", "TYPE", "PROVIDER", "MODEL", "CONFIDENCE", "TIME", "TOOLS", "HASH"}, rows));
    const std::string strategy = text_member(member(response, "metadata"), "harmonizationStrategy");
    if (!strategy.empty()) print_line("Harmonised by: " + printable(strategy));
    return static_cast<int>(Exit::ok);
}

}  // namespace dyad::cli
