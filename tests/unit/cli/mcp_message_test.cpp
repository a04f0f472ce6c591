#include "cli/mcp_message.hpp"

#include "model/json.hpp"

#include <gtest/gtest.h>

namespace dyad::cli {
namespace {

constexpr const char* kModernCall =
    R"({"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"memory_get","_meta":)"
    R"({"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})";

McpMessage read(std::string_view line) {
    Result<McpMessage> message = read_mcp_message(line);
    EXPECT_TRUE(message.has_value()) << line;
    return message ? *std::move(message) : McpMessage();
}

TEST(McpMessage, TheRevisionInMetaMakesARequestModern) {
    const McpMessage call = read(kModernCall);
    EXPECT_TRUE(call.modern());
    EXPECT_EQ(call.ids, std::vector<std::string>{"\"a\""});
    EXPECT_FALSE(call.repeatable());
    EXPECT_EQ(modern_headers(call), (net::Headers{{"MCP-Protocol-Version", "2026-07-28"},
                                                  {"Mcp-Method", "tools/call"},
                                                  {"Mcp-Name", "memory_get"}}));
    EXPECT_EQ(read(R"({"jsonrpc":"2.0","id":1,"method":"server/discover"})").revision,
              "2026-07-28");
    EXPECT_FALSE(read(R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{}})").modern());
    EXPECT_FALSE(read(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})").modern());
}

TEST(McpMessage, ANameThatNoHeaderCarriesIsEncoded) {
    McpMessage message = read(kModernCall);
    message.method = "resources/read";
    for (const auto& [name, value] :
         {std::pair{"memory://ctx/ä", "=?base64?bWVtb3J5Oi8vY3R4L8Ok?="},
          {" x", "=?base64?IHg=?="},
          {"=?base64?eA==?=", "=?base64?PT9iYXNlNjQ/ZUE9PT89?="},
          {"a\r\nb", "=?base64?YQ0KYg==?="},
          {"memory://ctx/a b", "memory://ctx/a b"}}) {
        message.name = name;
        EXPECT_EQ(modern_headers(message).back().second, value);
    }
}

TEST(McpMessage, WhatItIsShowsInItsMembers) {
    EXPECT_TRUE(read(R"({"jsonrpc":"2.0","id":7,"method":"tools/list"})").repeatable());
    EXPECT_TRUE(read(R"({"jsonrpc":"2.0","id":7,"result":{}})").ids.empty());
    EXPECT_TRUE(read(R"({"jsonrpc":"2.0","method":"notifications/initialized"})").ids.empty());
    EXPECT_EQ(read(R"([{"id":1,"method":"ping"},{"method":"x"},{"id":"b","method":"ping"}])").ids,
              (std::vector<std::string>{"1", "\"b\""}));
    EXPECT_EQ(read(R"({"method":"notifications/cancelled","params":{"requestId":12}})").cancels,
              "12");
    EXPECT_EQ(read(R"({"id":1,"method":"resources/subscribe","params":{"uri":"memory://x"}})").name,
              "memory://x");
    EXPECT_FALSE(read_mcp_message("{").has_value());
    EXPECT_FALSE(read_mcp_message("1").has_value());
}

TEST(McpReply, TellsAnAnswerFromWhatTheServerSaysUnasked) {
    EXPECT_EQ(
        read_mcp_reply(R"({"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18"}})")
            .revision,
        "2025-06-18");
    EXPECT_EQ(
        read_mcp_reply(R"({"jsonrpc":"2.0","id":"x","error":{"code":-32601,"message":"no"}})").code,
        -32601);
    EXPECT_EQ(read_mcp_reply(R"({"jsonrpc":"2.0","id":3,"method":"elicitation/create"})").id, "");
    const McpReply problem = read_mcp_reply(R"({"code":"unavailable","detail":"not now"})");
    EXPECT_FALSE(problem.valid);
    EXPECT_EQ(problem.problem, "not now");
    EXPECT_FALSE(read_mcp_reply("<html>").valid);
}

TEST(McpReply, WhatIsSaidInPlaceOfAServerIsJson) {
    for (const std::string& text : {mcp_error("\"a\"", -32603, "it \"broke\"\n", 502),
                                    mcp_error("", -32700, "x"), mcp_listen_end("7")}) {
        EXPECT_TRUE(json::parse(text).has_value()) << text;
        EXPECT_EQ(text.find('\n'), text.npos);
    }
    EXPECT_EQ(on_one_line("{\n  \"a\":\r\n1}\n"), "{   \"a\":  1}");
}

}  // namespace
}  // namespace dyad::cli
