#include "wire/frames.hpp"

#include "model/json.hpp"
#include "wire/plain_events.hpp"

#include <string>

#include <gtest/gtest.h>

namespace dyad::wire {
namespace {

constexpr Speaker kNode{.instance_id = "node-1", .user_id = "ada", .now_ms = 1760000000000};

// The text of the one frame that `bytes` holds.
std::string text_of(const std::string& bytes) {
    if (bytes.size() < 2 || static_cast<unsigned char>(bytes[0]) != 0x81) return "no text frame";
    std::size_t size = static_cast<unsigned char>(bytes[1]);
    std::size_t at = 2;
    if (size > 127) return "masked";
    const std::size_t digits = size == 126 ? 2 : size == 127 ? 8 : 0;
    if (digits > 0) size = 0;
    for (std::size_t i = 0; i < digits; ++i)
        size = size << 8 | static_cast<unsigned char>(bytes[at++]);
    if (bytes.size() - at != size) return "wrong length";
    return bytes.substr(at);
}

json::Value parsed(const std::string& bytes) {
    Result<json::Value> value = json::parse(text_of(bytes));
    EXPECT_TRUE(value.has_value()) << text_of(bytes);
    return value ? *std::move(value) : json::Value();
}

EventBatch batch_of(const Change& change, std::string_view operation = "op-1") {
    EventBatch batch;
    LogHead head{.epoch = 7, .offset = 0, .hash = genesis_hash("ada", 7), .timestamp_ms = 0};
    batch.epoch = 7;
    batch.prev_hash = head.hash;
    const std::string data = encode_change(change);
    const std::string scope = scope_of(change);
    append_event(batch, head,
                 {.kind = kind_of(change),
                  .scope = scope,
                  .source_instance_id = "desk\"1",
                  .operation_id = operation,
                  .data = data,
                  .fingerprint = 1,
                  .timestamp_ms = 1760000000123,
                  .salt = {}});
    return batch;
}

std::string plain(const Change& change) {
    const EventBatch batch = batch_of(change);
    const auto event = decode_event(batch.text(1));
    EXPECT_TRUE(event.has_value());
    std::string out;
    write_plain_event(out, "ada",
                      {.offset = 1,
                       .hash = batch.entry(1).hash,
                       .timestamp_ms = event->timestamp_ms,
                       .source_instance_id = event->source_instance_id},
                      change);
    return out;
}

ContextChange context_change(std::string data) {
    Context context;
    context.key = "chat:\"17\"";
    context.type = ContextType::chat;
    context.data = std::move(data);
    context.version = 5;
    context.tags = {"\"version\":9", "}"};
    context.last_modified_by = "x\\";
    ContextChange change;
    change.context = std::make_shared<Context>(context);
    return change;
}

TEST(TextFrame, WritesTheShortestHeaderForEveryLength) {
    for (std::size_t size : {0U, 1U, 125U, 126U, 127U, 65535U, 65536U, 200000U}) {
        std::string out = "before";
        TextFrame(out, 100).raw(std::string(size, 'x'));
        EXPECT_EQ(text_of(out.substr(6)), std::string(size, 'x')) << size;
        EXPECT_EQ(out.size() - 6 - size, size < 126 ? 2U : size < 65536 ? 4U : 10U);
    }
}

TEST(PlainEvent, ContextSyncCarriesTheStateAfterTheEvent) {
    const std::string data = R"({"data":"}\\\"","expiresAt":[{"version":3}],"x":{"deleted":true}})";
    ContextChange change = context_change(data);
    Conflict conflict;
    conflict.id = "1.0";
    conflict.stored = R"({"version":99})";
    change.conflicts_opened.push_back(conflict);
    const std::string out = plain(change);
    const json::Value message = parsed(out);
    EXPECT_EQ(message.at("type").as_string(), "context-sync");
    EXPECT_EQ(message.at("userId").as_string(), "ada");
    EXPECT_EQ(message.at("instanceId").as_string(), "desk\"1");
    EXPECT_EQ(message.at("timestamp").to_number<std::int64_t>(), 1760000000123);
    const json::Value& payload = message.at("payload");
    EXPECT_EQ(payload.at("contextKey").as_string(), "chat:\"17\"");
    EXPECT_EQ(payload.at("contextType").as_string(), "chat");
    EXPECT_EQ(payload.at("version").to_number<int>(), 5);
    EXPECT_EQ(payload.at("mergeStrategy").as_string(), "replace");
    EXPECT_EQ(json::canonical(payload.at("data")), data);
    EXPECT_FALSE(payload.as_object().contains("deleted"));
}

TEST(PlainEvent, DeletionIsSaid) {
    ContextChange change = context_change("null");
    Context context = *change.context;
    context.deleted = true;
    change.context = std::make_shared<Context>(context);
    EXPECT_TRUE(parsed(plain(change)).at("payload").at("deleted").as_bool());
}

TEST(PlainEvent, ModeUpdateHasAllFourNames) {
    ModeChange change;
    change.state.instance_id = "desk-1";
    change.state.current = Mode::parallel;
    change.state.previous = Mode::didactic;
    change.state.configuration = R"({"n":2})";
    const json::Value payload = parsed(plain(change)).at("payload");
    EXPECT_EQ(payload.at("currentMode").as_string(), "parallel");
    EXPECT_EQ(payload.at("toMode").as_string(), "parallel");
    EXPECT_EQ(payload.at("previousMode").as_string(), "didactic");
    EXPECT_EQ(payload.at("fromMode").as_string(), "didactic");
    EXPECT_EQ(payload.at("configuration").at("n").to_number<int>(), 2);
    change.state.previous.reset();
    change.state.configuration.reset();
    const json::Value first = parsed(plain(change)).at("payload");
    EXPECT_TRUE(first.at("fromMode").is_null());
    EXPECT_FALSE(first.as_object().contains("configuration"));
}

TEST(PlainEvent, WhatThePlainProtocolDoesNotKnowIsLeftOut) {
    EXPECT_EQ(plain(McpChange{EventKind::mcp_tool_executed, "{}"}), "");
    EXPECT_EQ(plain(ClaimChange{}), "");
    EXPECT_EQ(plain(ResponseChange{}), "");
}

TEST(PlainEvent, IdIsStableAndOfTheFormOfAUuid) {
    const ContextChange change = context_change("{}");
    const std::string id(parsed(plain(change)).at("id").as_string());
    EXPECT_EQ(id, parsed(plain(change)).at("id").as_string());
    ASSERT_EQ(id.size(), 36U);
    EXPECT_EQ(id[14], '4');
    EXPECT_EQ(id[19], '8');
    EXPECT_EQ(id.substr(20), "000-000000000001");
    EXPECT_EQ(id[8], '-');
    EXPECT_EQ(id[23], '-');
}

TEST(Frames, EveryMessageOfTheServerIsOneJsonObject) {
    std::string out;
    write_connect(out, kNode, "id", "client");
    EXPECT_EQ(text_of(out), R"({"id":"id","type":"connect","userId":"ada","instanceId":"node-1",)"
                            R"("timestamp":1760000000000,"payload":{"clientId":"client",)"
                            R"("instanceId":"node-1"}})");
    out.clear();
    write_pong(out, kNode, "a\nb", R"({"x":1})");
    EXPECT_EQ(parsed(out).at("id").as_string(), "a\nb");
    EXPECT_EQ(parsed(out).at("payload").at("x").to_number<int>(), 1);
    out.clear();
    write_welcome(out, kNode, "id", {.position = {}, .heartbeat_ms = 30000, .stale_ms = 90000});
    EXPECT_EQ(parsed(out).at("payload").at("heartbeatMs").to_number<int>(), 30000);
    out.clear();
    write_goaway(out, "draining", 2000);
    EXPECT_EQ(parsed(out).at("payload").at("reconnectAfterMs").to_number<int>(), 2000);
    out.clear();
    write_reset(out, "history_gone");
    EXPECT_EQ(parsed(out).at("type").as_string(), "reset");
    out.clear();
    write_position(out, Position{.epoch = 1, .offset = 2, .hash = {}}, true);
    EXPECT_TRUE(parsed(out).at("payload").at("live").as_bool());
    out.clear();
    const Presence instances[] = {{.instance_id = "a"}, {.instance_id = "b"}};
    write_presence(out, instances);
    EXPECT_EQ(parsed(out).at("payload").at("instances").as_array().size(), 2U);
}

TEST(Frames, ErrorSaysWhatToDo) {
    std::string out;
    Context current;
    current.key = "k";
    current.data = "{}";
    write_error(out, kNode, "e", fail(Errc::version_conflict, "key k: stored 4, expected 3"), "op",
                &current);
    const json::Value payload = parsed(out).at("payload");
    EXPECT_EQ(payload.at("code").as_string(), "version_conflict");
    EXPECT_FALSE(payload.at("retry").as_bool());
    EXPECT_EQ(payload.at("requestId").as_string(), "op");
    EXPECT_EQ(payload.at("current").at("contextKey").as_string(), "k");
}

TEST(Frames, DocumentsOfExistingInstances) {
    std::string out;
    Context context;
    context.key = "k";
    context.data = R"({"a":1})";
    context.tags = {"x", "y"};
    context.version = 3;
    write_context_document(out, "ada", context);
    const json::Value document = *json::parse(out);
    EXPECT_EQ(document.at("metadata").at("version").to_number<int>(), 3);
    EXPECT_EQ(document.at("metadata").at("tags").as_array().size(), 2U);
    EXPECT_TRUE(document.at("expiresAt").is_null());
    out.clear();
    ModeState mode;
    mode.instance_id = "i";
    write_mode_document(out, "ada", mode);
    EXPECT_TRUE(json::parse(out)->at("capabilities").at("localAI").as_bool());
}

}  // namespace
}  // namespace dyad::wire
