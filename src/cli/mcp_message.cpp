#include "cli/mcp_message.hpp"

#include "base/bytes.hpp"
#include "base/text.hpp"
#include "cli/json_members.hpp"

#include <algorithm>

namespace dyad::cli {
namespace {

constexpr std::string_view kRevisionKey = "io.modelcontextprotocol/protocolVersion";

const json::Value* member(const json::Value* value, std::string_view name) {
    const auto* const object = value != nullptr ? value->if_object() : nullptr;
    return object != nullptr ? object->if_contains(name) : nullptr;
}

std::string text_of(const json::Value* value) {
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

// What does not need to be encoded in a header.
bool is_plain(std::string_view text) {
    return !text.empty() && !text.starts_with("=?") && text.front() != ' ' && text.back() != ' ' &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

std::string header_value(const std::string& text) {
    return is_plain(text) ? text : "=?base64?" + to_base64(as_bytes(text)) + "?=";
}

}  // namespace

Result<McpMessage> read_mcp_message(std::string_view line) {
    ASSIGN_OR_RETURN(const json::Value value, parse_large(line));
    McpMessage message;
    message.text = line;
    const auto take_id = [&message](const json::Value& one) {
        const json::Value* const id = member(&one, "id");
        if (id != nullptr && member(&one, "method") != nullptr)
            message.ids.push_back(json::canonical(*id));
    };
    if (const auto* const batch = value.if_array()) {
        for (const json::Value& one : *batch)
            take_id(one);
        return message;
    }
    if (!value.is_object())
        return fail(Errc::invalid_request, "a message must be an object, or an array of them");
    take_id(value);
    message.method = text_of(member(&value, "method"));
    const json::Value* const params = member(&value, "params");
    const json::Value* const revision = member(member(params, "_meta"), kRevisionKey);
    message.revision = text_of(revision);
    if (revision == nullptr && message.method == "server/discover")
        message.revision = kModernRevision;
    if (message.method == "tools/call" || message.method == "prompts/get")
        message.name = text_of(member(params, "name"));
    else if (message.method.starts_with("resources/"))
        message.name = text_of(member(params, "uri"));
    if (const json::Value* const id = member(params, "requestId");
        id != nullptr && message.method == "notifications/cancelled")
        message.cancels = json::canonical(*id);
    return message;
}

net::Headers modern_headers(const McpMessage& message) {
    net::Headers headers = {{"MCP-Protocol-Version", header_value(message.revision)},
                            {"Mcp-Method", header_value(message.method)}};
    if (!message.name.empty() && !message.method.ends_with("subscribe"))
        headers.emplace_back("Mcp-Name", header_value(message.name));
    return headers;
}

std::string on_one_line(std::string_view json) {
    std::string out(dyad::trimmed(json, " \t\r\n"));
    std::replace_if(out.begin(), out.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
    return out;
}

std::string mcp_error(std::string_view id, int code, std::string_view message, int http_status) {
    std::string out = R"({"jsonrpc":"2.0","id":)";
    out.append(id.empty() ? "null" : id).append(R"(,"error":{"code":)");
    out.append(std::to_string(code)).append(R"(,"message":)");
    out.append(json::canonical(json::Value(message)));
    if (http_status != 0)
        out.append(R"(,"data":{"httpStatus":)").append(std::to_string(http_status)).append("}");
    return out.append("}}");
}

std::string mcp_listen_end(std::string_view id) {
    std::string out = R"({"jsonrpc":"2.0","id":)";
    out.append(id).append(R"(,"result":{"resultType":"complete","_meta":{)");
    out.append(R"("io.modelcontextprotocol/subscriptionId":)").append(id);
    return out.append("}}}");
}

McpReply read_mcp_reply(std::string_view text) {
    McpReply reply;
    const Result<json::Value> value = parse_large(text);
    if (!value) return reply;
    reply.valid = value->is_array() || member(&*value, "jsonrpc") != nullptr;
    const json::Value* const id = member(&*value, "id");
    if (id != nullptr && !id->is_null() && member(&*value, "method") == nullptr)
        reply.id = json::canonical(*id);
    reply.revision = text_of(member(member(&*value, "result"), "protocolVersion"));
    const json::Value* const error = member(&*value, "error");
    reply.code = static_cast<int>(integer_at(*value, "error/code"));
    reply.problem = error != nullptr ? text_at(*value, "error/message") : text_at(*value, "detail");
    return reply;
}

}  // namespace dyad::cli
