#include "wire/bus_envelope.hpp"

#include "base/limits.hpp"
#include "model/json.hpp"

#include <gtest/gtest.h>

namespace dyad::wire {
namespace {

struct Written {
    std::optional<EnvelopeType> type;
    std::string text;
};

Written written(EventKind kind, const Change& change) {
    Written out;
    EventOrigin origin{
        .offset = 0x1f, .hash = {}, .timestamp_ms = 5, .source_instance_id = "laptop"};
    origin.hash.fill(0xab);
    out.type = write_bus_envelope(out.text, "a\"da", origin, kind, change);
    return out;
}

ContextChange context_change(ContextAction action) {
    auto context = std::make_shared<Context>();
    context->key = "k";
    context->type = ContextType::chat;
    context->data = action == ContextAction::deleted ? "null" : R"({"a":1})";
    context->version = 4;
    return {.context = context, .action = action};
}

std::string with(const std::string& name, const std::string& value) {
    std::string text = R"({"eventId":"e","eventType":"context:updated","userId":"u",)"
                       R"("instanceId":"i","timestamp":7,"payload":{}})";
    const std::size_t at = text.find("\"" + name + "\":") + name.size() + 3;
    return text.replace(at, text.find_first_of(",}", at) - at + (name == "payload" ? 1 : 0), value);
}

}  // namespace

TEST(BusEnvelope, AnEventIsWrittenAsExistingInstancesExpectIt) {
    const Written one = written(EventKind::context_changed, context_change(ContextAction::updated));
    EXPECT_EQ(one.type, EnvelopeType::context_updated);
    EXPECT_EQ(
        one.text,
        R"({"metadata":{"dyad":{"offset":31}},"eventId":"abababab-abab-4aba-8000-00000000001f",)"
        R"("eventType":"context:updated","userId":"a\"da","instanceId":"laptop","timestamp":5,)"
        R"("payload":{"contextKey":"k","contextType":"chat","data":{"a":1},"version":4}})");
    EXPECT_TRUE(is_marked_envelope(one.text));
}

TEST(BusEnvelope, TheTypeIsWhatBecameOfTheContext) {
    using enum ContextAction;
    const std::pair<ContextAction, EnvelopeType> cases[] = {
        {created, EnvelopeType::context_created},  {updated, EnvelopeType::context_updated},
        {deleted, EnvelopeType::context_deleted},  {expired, EnvelopeType::context_deleted},
        {restored, EnvelopeType::context_updated}, {resolved, EnvelopeType::context_updated}};
    for (const auto& [action, type] : cases)
        EXPECT_EQ(written(EventKind::context_changed, context_change(action)).type, type);
}

TEST(BusEnvelope, WhatIsWrittenIsReadAgain) {
    ModeChange mode;
    mode.state.instance_id = "laptop";
    mode.state.current = Mode::parallel;
    mode.state.configuration = R"({"x":1})";
    ResponseChange response;
    response.record.chat_id = "c";
    response.record.final.confidence = 0;
    const std::tuple<EventKind, Change, EnvelopeType, std::string> cases[] = {
        {EventKind::context_changed, context_change(ContextAction::deleted),
         EnvelopeType::context_deleted,
         R"({"contextKey":"k","contextType":"chat","data":null,"version":4})"},
        {EventKind::mode_changed, mode, EnvelopeType::mode_changed,
         R"({"configuration":{"x":1},"fromMode":null,"toMode":"parallel"})"},
        {EventKind::response_recorded, response, EnvelopeType::response_generated, ""},
        {EventKind::mcp_tool_executed, McpChange{EventKind::mcp_tool_executed, R"({"tool":"t"})"},
         EnvelopeType::mcp_tool_executed, R"({"tool":"t"})"},
        {EventKind::mcp_server_added, McpChange{EventKind::mcp_server_added, "{}"},
         EnvelopeType::mcp_server_added, "{}"},
        {EventKind::mcp_server_removed, McpChange{EventKind::mcp_server_removed, "{}"},
         EnvelopeType::mcp_server_removed, "{}"},
    };
    for (const auto& [kind, change, type, payload] : cases) {
        const auto read = read_bus_envelope(written(kind, change).text);
        ASSERT_TRUE(read.has_value()) << read.error().to_string();
        EXPECT_EQ(read->type, type);
        EXPECT_EQ(read->user_id, "a\"da");
        EXPECT_EQ(read->instance_id, "laptop");
        EXPECT_EQ(read->timestamp_ms, 5);
        if (!payload.empty()) EXPECT_EQ(read->payload, payload);
    }
    EXPECT_FALSE(written(EventKind::event_lost, McpChange{EventKind::event_lost, "{}"}).type);
    EXPECT_FALSE(written(EventKind::claim_changed, ClaimChange{}).type);
    EXPECT_EQ(written(EventKind::event_lost, McpChange{EventKind::event_lost, "{}"}).text, "");
}

// Existing instances announce the whole document, with members that are no response's.
TEST(BusEnvelope, AResponseIsReadOutOfTheDocumentOfExistingInstances) {
    Envelope envelope{.type = EnvelopeType::response_generated, .instance_id = "laptop"};
    envelope.payload =
        R"({"chatId":"c","confidence":0.5,"instanceId":"laptop","messageId":"m","metadata":)"
        R"({"localProvider":"ollama","mcpToolsUsed":["search"]},"mode":"didactic","model":"gpt",)"
        R"("provider":"openai","responseHash":"abc","sourceType":"external",)"
        R"("timestamp":"2026-11-26T20:59:15.088Z","userId":"ada"})";
    const auto read = command_of(envelope);
    ASSERT_TRUE(read.has_value()) << read.error().detail;
    const ResponseRecord& record = std::get<RecordResponse>(*read).record;
    EXPECT_EQ(record.final.provider, "openai");
    EXPECT_EQ(record.final.timestamp_ms, 1795726755088);
    EXPECT_EQ(record.local_provider, "ollama");
    EXPECT_EQ(record.instance_id, "laptop");
    envelope.payload = R"({"chatId":"c","messageId":"m","mode":"didactic","provider":"openai"})";
    EXPECT_FALSE(command_of(envelope).has_value()) << "what must be there must be there";
}

TEST(BusEnvelope, WhatIsNotOfTheShapeIsRefused) {
    ASSERT_TRUE(read_bus_envelope(with("payload", R"({"a":1})")).has_value());
    ASSERT_TRUE(read_bus_envelope(with("timestamp", R"(7,"metadata":{"x":[1]})")).has_value());
    EXPECT_FALSE(is_marked_envelope(with("payload", "{}")));
    const std::string bad[] = {
        R"({"test": true})",
        "",
        "7",
        "{",
        with("payload", "{}") + "x",
        with("eventId", "\"\""),
        with("eventId", "null"),
        with("eventId", "5"),
        with("eventId", "\"" + std::string(200, 'x') + "\""),
        with("eventType", "\"context:moved\""),
        with("userId", "\" u\""),
        with("userId", "\"" + std::string(300, 'x') + "\""),
        with("instanceId", "\"\""),
        with("timestamp", "1.5"),
        with("timestamp", "null"),
        with("payload", "[]"),
        with("payload", "null"),
        with("payload", R"({"a":1,"a":2})"),
        with("payload", "{\"a\":\"\xff\"}"),
        with("payload",
             R"({"a":")" + std::string(limits::document_bytes_max + 9000, 'x') + R"("})")};
    for (const std::string& text : bad)
        EXPECT_FALSE(read_bus_envelope(text).has_value()) << text.substr(0, 200);
    // A document of the greatest depth stands one deeper in its payload.
    const auto nested = [](std::size_t depth) {
        return R"({"data":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
    };
    EXPECT_TRUE(read_bus_envelope(with("payload", nested(limits::json_depth_max))).has_value());
    EXPECT_FALSE(
        read_bus_envelope(with("payload", nested(limits::json_depth_max + 1))).has_value());
}

}  // namespace dyad::wire
