#include "base/limits.hpp"
#include "server/mcp/rpc.hpp"

#include <gtest/gtest.h>

namespace dyad {
namespace {

using namespace server::mcp;

const Message& message_of(const Body& body) {
    CHECK(body.elements.size() == 1);
    return std::get<Message>(body.elements.front().content);
}

int code_of(std::string_view text) {
    const Body body = read_body(text);
    const auto* refusal = std::get_if<Refusal>(&body.elements.front().content);
    return refusal != nullptr ? refusal->code : 0;
}

TEST(McpMessage, ARequestHasAnIdAndItsParamsInOneForm) {
    const Body body = read_body(
        R"( {"method":"tools\/call","params":{"b":1.0,"a":[ ]},"id":"x","jsonrpc":"2.0"} )");
    const Message& message = message_of(body);
    EXPECT_EQ(message.kind, Message::Kind::request);
    EXPECT_EQ(message.id, "\"x\"");
    EXPECT_EQ(message.method, "tools/call");
    EXPECT_EQ(message.params, R"({"a":[],"b":1})");
    EXPECT_FALSE(body.is_batch);
}

TEST(McpMessage, WithoutAnIdItIsANotification) {
    const Body body = read_body(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
    EXPECT_EQ(message_of(body).kind, Message::Kind::notification);
    EXPECT_EQ(message_of(body).params, "{}");
}

TEST(McpMessage, AResponseHasAResultOrAnError) {
    const Body good = read_body(R"({"jsonrpc":"2.0","id":4,"result":{"action":"accept"}})");
    EXPECT_EQ(message_of(good).kind, Message::Kind::response);
    EXPECT_EQ(message_of(good).result, R"({"action":"accept"})");
    const Body error = read_body(R"({"jsonrpc":"2.0","id":4,"error":{"code":1,"message":""}})");
    EXPECT_EQ(message_of(error).result, "");
}

TEST(McpMessage, WhatCouldBeReadInTwoWaysIsRefused) {
    for (const char* text : {
             R"({"jsonrpc":"2.0","id":1,"id":2,"method":"m"})",
             R"({"jsonrpc":"2.0","id":1,"method":"m","params":{"a":1,"a":2}})",
             R"({"jsonrpc":"2.0","id":null,"method":"m"})",
             R"({"jsonrpc":"2.0","id":1.5,"method":"m"})",
             R"({"jsonrpc":"2.0","id":true,"method":"m"})",
             R"({"jsonrpc":2.0,"id":1,"method":"m"})",
             R"({"id":1,"method":"m"})",
             R"({"jsonrpc":"2.0","id":1,"method":7})",
             R"({"jsonrpc":"2.0","id":1,"method":"m","result":{}})",
             R"({"jsonrpc":"2.0","id":1,"result":{},"error":{}})",
             R"({"jsonrpc":"2.0","result":{}})",
             "[]",
             "\"text\"",
         })
        EXPECT_EQ(code_of(text), kInvalidRequest) << text;
    for (const char* text : {"", "{", "{}}", R"({"jsonrpc":"2.0","id":1,"method":"m"} x)", "[1"})
        EXPECT_EQ(code_of(text), kParseError) << text;
    EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":1,"method":"m","params":7})"), kInvalidParams);
}

TEST(McpMessage, ARefusalNamesTheIdAsFarAsItCanBeTold) {
    EXPECT_EQ(read_body(R"({"jsonrpc":"1.0","id":"a","method":"m"})").elements.front().id, "\"a\"");
    EXPECT_EQ(read_body(R"({"jsonrpc":"1.0","id":{},"method":"m"})").elements.front().id, "");
}

TEST(McpMessage, ABatchIsReadMessageByMessage) {
    const Body body = read_body(R"([{"jsonrpc":"2.0","id":1,"method":"ping"},7])");
    ASSERT_TRUE(body.is_batch);
    ASSERT_EQ(body.elements.size(), 2U);
    EXPECT_TRUE(std::holds_alternative<Message>(body.elements[0].content));
    EXPECT_TRUE(std::holds_alternative<Refusal>(body.elements[1].content));
    std::string many = "[1";
    for (std::int64_t i = 1; i <= limits::mcp_batch_messages_max; ++i)
        many += ",1";
    EXPECT_EQ(read_body(many + "]").elements.size(), 1U);
}

TEST(McpParams, GiveWhatMethodsRead) {
    const std::string text =
        R"({"_meta":{"io.modelcontextprotocol/clientCapabilities":{"roots":{}},)"
        R"("io.modelcontextprotocol/protocolVersion":"2026-07-28","progressToken":"t","x/y":1},)"
        R"("arguments":{"a":1},"name":"n","other":[1]})";
    const Result<Params> params = read_params(text);
    ASSERT_TRUE(params);
    EXPECT_EQ(params->meta->version, "2026-07-28");
    EXPECT_EQ(params->meta->capabilities, R"({"roots":{}})");
    EXPECT_EQ(params->meta->progress_token, "\"t\"");
    EXPECT_EQ(params->arguments, R"({"a":1})");
    EXPECT_EQ(params->name, "n");
    EXPECT_FALSE(params->uri);
}

TEST(McpParams, AnErrorNamesTheMember) {
    for (const auto& [text, name] : std::vector<std::pair<std::string, std::string>>{
             {R"({"name":7})", "name"},
             {R"({"_meta":null})", "_meta"},
             {R"({"_meta":{"io.modelcontextprotocol/protocolVersion":1}})", "protocolVersion"}}) {
        const Result<Params> params = read_params(text);
        ASSERT_FALSE(params) << text;
        EXPECT_NE(params.error().detail.find(name), std::string::npos) << params.error().detail;
    }
}

TEST(McpText, IsWhatTheProtocolSays) {
    EXPECT_EQ(error_text("", {400, kParseError, "no \"JSON\"", {}}),
              R"({"jsonrpc":"2.0","error":{"code":-32700,"message":"no \"JSON\""},"id":null})");
    EXPECT_EQ(
        error_text("7", {200, kInvalidParams, "x", R"({"uri":"u"})"}),
        R"({"jsonrpc":"2.0","error":{"code":-32602,"message":"x","data":{"uri":"u"}},"id":7})");
    EXPECT_EQ(result_text("\"a\"", "{}"), R"({"jsonrpc":"2.0","id":"a","result":{}})");
    EXPECT_EQ(request_text("m", "{}"), R"({"jsonrpc":"2.0","method":"m","params":{}})");
    EXPECT_EQ(request_text("m", "{}", "3"), R"({"jsonrpc":"2.0","id":3,"method":"m","params":{}})");
    std::string out;
    append_event(out, "{}", "1.2.3");
    EXPECT_EQ(out, "id: 1.2.3\nevent: message\ndata: {}\n\n");
}

}  // namespace
}  // namespace dyad
