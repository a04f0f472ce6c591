#include "model/event.hpp"

#include "base/sha256.hpp"
#include "model/change.hpp"

#include <gtest/gtest.h>

namespace dyad {
namespace {

LogHead new_log() {
    return {.epoch = 7, .offset = 0, .hash = genesis_hash("anna", 7), .timestamp_ms = 0};
}

EventBatch batch_of(int count, LogHead& head) {
    EventBatch batch;
    for (int i = 0; i < count; ++i) {
        const std::string id = "op-" + std::to_string(i);
        append_event(batch, head,
                     {.kind = EventKind::context_changed,
                      .scope = "ctx:a\"b",
                      .source_instance_id = "laptop",
                      .operation_id = id,
                      .data = R"({"n":1})",
                      .fingerprint = 5,
                      .timestamp_ms = 100 + i,
                      .salt = {}});
    }
    return batch;
}

}  // namespace

TEST(Event, TextDecodesToWhatWasAppended) {
    LogHead head = new_log();
    const EventBatch batch = batch_of(2, head);
    const Result<EventView> event = decode_event(batch.text(2));
    ASSERT_TRUE(event);
    EXPECT_EQ(event->offset, 2u);
    EXPECT_EQ(event->timestamp_ms, 101);
    EXPECT_EQ(event->scope, "ctx:a\"b");
    EXPECT_EQ(event->source_instance_id, "laptop");
    EXPECT_EQ(event->operation_id, "op-1");
    EXPECT_EQ(event->data, R"({"n":1})");
    EXPECT_EQ(batch.head().position(), head.position());
}

// The bytes are hashed and stored: they may never change.
TEST(Event, IsWrittenAsItEverWas) {
    Context context;
    context.key = "chat:\"17\"";
    context.type = ContextType::chat;
    context.mode = "parallel";
    context.data = R"({"n":1})";
    context.tags = {"x", "y\n"};
    context.version = 3;
    context.created_by = "laptop";
    context.last_modified_by = "Büro";
    context.created_at_ms = 1760000000123;
    context.updated_at_ms = 1760000000456;
    context.expires_at_ms = 1760086400456;
    context.offset = 12;
    ContextChange change;
    change.context = std::make_shared<const Context>(context);
    change.previous_version = 2;
    EventBatch batch;
    LogHead head{.epoch = 7, .offset = 11, .hash = genesis_hash("anna", 7), .timestamp_ms = 0};
    append_change(batch, head, change,
                  {.source_instance_id = "laptop",
                   .operation_id = "op-1",
                   .fingerprint = 5,
                   .timestamp_ms = 1760000000456,
                   .salt = {1, 2, 3}});
    EXPECT_EQ(
        batch.text(12),
        R"({"offset":12,"hash":"23f8bfa463a4325f","timestamp":1760000000456,"eventType":"context-updated","kind":"context-changed","scope":"ctx:chat:\"17\"","sourceInstanceId":"laptop","operationId":"op-1")"
        R"(,"data":{"action":"updated","context":{"contextKey":"chat:\"17\"","contextType":"chat","createdAt":1760000000123,"createdBy":"laptop","data":{"n":1},)"
        R"("expiresAt":1760086400456,"lastModifiedBy":"Büro","mode":"parallel","offset":12,"tags":["x","y\n"],"updatedAt":1760000000456,"version":3},"previousVersion":2,"strategy":"replace"}})");
    EXPECT_EQ(to_hex(head.hash),
              "23f8bfa463a4325f32e63a1e6a2bcc66879b99f51c11ed287f1be85ef392665c");
    EXPECT_EQ(to_hex(sha256({encode_batch(batch)})),
              "daac9bdf844bf51b9d14ad7459f470dbe522c404f172ff8d9370f1b8de1fe520");
}

TEST(Event, EveryTruncatedTextIsDamage) {
    LogHead head = new_log();
    const EventBatch batch = batch_of(1, head);
    const std::string text(batch.text(1));
    for (std::size_t n = 0; n < text.size() - 8; ++n)
        EXPECT_FALSE(decode_event(std::string_view(text).substr(0, n))) << n;
}

TEST(EventBatch, EncodesAndDecodesAndChecksItsIndex) {
    LogHead head = new_log();
    const EventBatch batch = batch_of(3, head);
    const std::string bytes = encode_batch(batch);
    const Result<EventBatch> back = decode_batch(bytes);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->texts, batch.texts);
    EXPECT_EQ(encode_batch(*back), bytes);
    EXPECT_TRUE(verify_batch(*back));
    for (std::size_t n = 0; n < bytes.size(); ++n)
        EXPECT_FALSE(decode_batch(std::string_view(bytes).substr(0, n)));
}

TEST(EventBatch, GivesAnyPartOfItselfAsABatch) {
    LogHead head = new_log();
    const EventBatch batch = batch_of(4, head);
    const std::string bytes = encode_batch(batch);
    for (Offset from = batch.first; from <= batch.last(); ++from) {
        for (Offset to = from; to <= batch.last(); ++to) {
            const EventBatch same = batch_up_to(batch_from(batch, from), to);
            for (const std::size_t most : {same.texts.size(), same.texts.size() - 1}) {
                const Result<EventBatch> part = decode_from(bytes, from, most);
                ASSERT_TRUE(part);
                EXPECT_EQ(encode_batch(*part), encode_batch(same)) << from << " to " << to;
                EXPECT_TRUE(verify_batch(*part));
            }
        }
        EXPECT_EQ(decode_from(bytes, from, 0)->size(), 1u);
        for (std::size_t n = 0; n < bytes.size(); ++n)
            EXPECT_FALSE(decode_from(std::string_view(bytes).substr(0, n), from, 1));
    }
    EXPECT_EQ(encode_batch(*decode_from(bytes, batch.first - 1, SIZE_MAX)), bytes);
    const Result<EventBatch> none = decode_from(bytes, batch.last() + 1, 1);
    ASSERT_TRUE(none);
    EXPECT_TRUE(none->empty());
}

TEST(EventBatch, EveryChangedByteOfATextBreaksTheChain) {
    LogHead head = new_log();
    EventBatch batch = batch_of(2, head);
    for (std::size_t i = 0; i < batch.texts.size(); ++i) {
        if (i == batch.entries[0].text_end) continue;  // the comma between two
        EventBatch forged = batch;
        forged.texts[i] = static_cast<char>(forged.texts[i] ^ 1);
        EXPECT_FALSE(verify_batch(forged)) << i << ": " << forged.texts;
    }
}

TEST(EventBatch, BelongsToItsUserAndEpoch) {
    EXPECT_NE(genesis_hash("anna", 7), genesis_hash("bert", 7));
    EXPECT_NE(genesis_hash("anna", 7), genesis_hash("anna", 8));
}

TEST(Position, RoundTripsAndRejectsOtherText) {
    LogHead head = new_log();
    batch_of(12, head);
    const Position position = head.position();
    const Result<Position> back = Position::parse(position.to_string());
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, position);
    for (const char* bad :
         {"", "12", "0000000000000007.12.", "0000000000000007.x.0000000000000000",
          "0000000000000007.-1.0000000000000000", "000000000000000g.1.0000000000000000",
          "0000000000000007.99999999999999999999.0000000000000000"})
        EXPECT_FALSE(Position::parse(bad)) << bad;
}

TEST(Change, ContextEncodesToWhatItDecodesFrom) {
    Context context;
    context.key = "chat:1";
    context.data = R"({"a":[1,{"b":"}\""}]})";
    context.tags = {"x", "y\n"};
    context.version = 3;
    context.created_by = "laptop";
    context.expires_at_ms = 99;
    context.offset = 1;
    ContextChange change;
    change.context = std::make_shared<const Context>(context);
    change.previous_version = 2;
    change.conflicts_closed = {"4.1"};
    change.conflicts_opened = {{.id = "1.1",
                                .context_key = "chat:1",
                                .path = "/a",
                                .base = std::nullopt,
                                .stored = "null",
                                .incoming = "[1,2]",
                                .incoming_from = "desk",
                                .version = 3,
                                .recorded_at_ms = 5}};
    const std::string data = encode_change(change);
    EventView event;
    event.kind = EventKind::context_changed;
    event.data = data;
    const Result<Change> back = decode_change(event);
    ASSERT_TRUE(back) << back.error().to_string();
    EXPECT_EQ(encode_change(*back), data);
    const auto& decoded = std::get<ContextChange>(*back);
    EXPECT_EQ(decoded.context->data, context.data);
    EXPECT_EQ(decoded.context->tags, context.tags);
    EXPECT_EQ(decoded.conflicts_opened[0].stored, "null");
    EXPECT_FALSE(decoded.conflicts_opened[0].base);
}

TEST(Fold, CountsLiveContextsAndForgetsNothingOfDeletedOnes) {
    State state;
    Context context;
    context.key = "k";
    context.data = "{}";
    context.version = 1;
    context.expires_at_ms = 10;
    fold(state, ContextChange{std::make_shared<const Context>(context)});
    EXPECT_EQ(state.live_contexts, 1u);
    EXPECT_EQ(state.live_bytes, 2u);
    EXPECT_EQ(state.expiries.size(), 1u);
    context.deleted = true;
    context.data = "null";
    context.version = 2;
    fold(state, ContextChange{std::make_shared<const Context>(context), ContextAction::deleted});
    EXPECT_EQ(state.live_contexts, 0u);
    EXPECT_EQ(state.live_bytes, 0u);
    EXPECT_TRUE(state.expiries.empty());
    ASSERT_NE(state.find("k"), nullptr);
    EXPECT_EQ(state.find("k")->version, 2u);
}

}  // namespace dyad
