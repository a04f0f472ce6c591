// One message of the Model Context Protocol as the stdio transport carries it: what a forwarder has
// to know of it, and what it has to say itself where no server can. Pure.
//
//     line     = message LF            ; JSON, UTF-8, no line feed in it
//     message  = request / notification / response / "[" message *( "," message ) "]"
//
// The revision that a request names in `_meta` makes it a modern one; `server/discover` is one
// anyhow. Everything else belongs to a session (2025-11-25 and older).
#pragma once

#include "base/result.hpp"
#include "net/http.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace dyad::cli {

inline constexpr std::string_view kModernRevision = "2026-07-28";

struct McpMessage {
    std::string text;              // as it goes to the server
    std::vector<std::string> ids;  // of the requests in it, as JSON
    std::string method;            // empty: a response, or a batch
    std::string revision;          // of a modern message; empty: it belongs to a session
    std::string name;              // of the tool, prompt or resource; empty: it names none
    std::string cancels;           // the id that notifications/cancelled names, as JSON

    bool modern() const noexcept { return !revision.empty(); }
    // Sent again, it does no harm: no tool is called.
    bool repeatable() const noexcept {
        return !ids.empty() && !method.empty() && method != "tools/call";
    }
};

// Errors: those of reading JSON; invalid_request for what is no message.
Result<McpMessage> read_mcp_message(std::string_view line);

// The headers that a modern message has to carry (2026-07-28, section "Headers"): what does not
// stand in a header as it is goes as =?base64?…?=.
net::Headers modern_headers(const McpMessage& message);

// A JSON text that may have line feeds between its tokens, on one line.
std::string on_one_line(std::string_view json);
// The answer to a request that got none. `id`: JSON.
std::string mcp_error(std::string_view id, int code, std::string_view message, int http_status = 0);
// The regular end of a subscription of the modern revision.
std::string mcp_listen_end(std::string_view id);

// What a message of the server is to a forwarder.
struct McpReply {
    bool valid = false;    // JSON-RPC
    std::string id;        // of the request that it answers, as JSON; empty: it answers none
    std::string revision;  // of an answer to initialize
    std::string problem;   // of what is not JSON-RPC: what it says went wrong
    int code = 0;          // of an error
};
McpReply read_mcp_reply(std::string_view text);

}  // namespace dyad::cli
