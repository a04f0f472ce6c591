#include "store/mongo/bson/wire_documents.hpp"

#include "model/json.hpp"
#include "store/mongo/bson/bson_json.hpp"

#include <gtest/gtest.h>

namespace dyad::mongo {
namespace {

std::string shown(BsonView document) {
    Bson seen;
    bson_copy_to_excluding_noinit(document.get(), seen.get(), "dyad", nullptr);
    std::size_t bytes = 0;
    char* const text = bson_as_relaxed_extended_json(seen.get(), &bytes);
    std::string copy(text, bytes);
    bson_free(text);
    return copy;
}

Context sample() {
    Context context;
    context.key = "chat/1";
    context.type = ContextType::chat;
    context.mode = "didactic";
    context.data = R"({"$a":1,"note":"x"})";
    context.tags = {"one", "two"};
    context.version = 7;
    context.created_by = "laptop";
    context.last_modified_by = "desk";
    context.created_at_ms = 1767225600000;
    context.updated_at_ms = 1767225601000;
    context.offset = 12;
    return context;
}

// What an existing instance does to a document: a member of it is another one, or is gone.
Bson with(BsonView document, std::string_view name, const Bson& changed) {
    Bson copy;
    document.members([&](std::string_view member, const BsonValue& value) {
        if (member != name)
            copy.value(member, value);
        else if (const auto its = changed.view().find(name))
            copy.value(name, *its);
    });
    return copy;
}

TEST(WireDocuments, AContextHasTheFieldsThatExistingInstancesWrite) {
    Context context = sample();
    const Result<Bson> document = context_document("ada", context);
    ASSERT_TRUE(document);
    EXPECT_EQ(shown(document->view()),
              R"({ "userId" : "ada", "contextKey" : "chat/1", "contextType" : "chat", )"
              R"("mode" : "didactic", "data" : { "＄a" : 1, "note" : "x" }, )"
              R"("metadata" : { "createdBy" : "laptop", "lastModifiedBy" : "desk", )"
              R"("version" : 7, "tags" : [ "one", "two" ] }, )"
              R"("createdAt" : { "$date" : "2026-01-01T00:00:00Z" }, )"
              R"("updatedAt" : { "$date" : "2026-01-01T00:00:01Z" }, "expiresAt" : null })");
    context.expires_at_ms = 1767225602000;
    EXPECT_EQ(context_document("ada", context)->view().find("expiresAt")->type(),
              BSON_TYPE_DATE_TIME);
}

TEST(WireDocuments, AContextComesBackFromItsDocument) {
    Context context = sample();
    context.data = R"({"note":"x"})";
    const Result<Context> back = context_of(context_document("ada", context)->view());
    ASSERT_TRUE(back);
    context.offset = 0;
    std::string expected;
    write_context(expected, context);
    std::string seen;
    write_context(seen, *back);
    EXPECT_EQ(seen, expected);
}

TEST(WireDocuments, WhatAnybodyElseWroteIsNotOurs) {
    const Bson ours = *context_document("ada", sample());
    EXPECT_TRUE(is_ours(ours.view()));
    EXPECT_EQ(offset_of(ours.view()), 12u);
    bson_oid_t oid;
    bson_oid_init(&oid, nullptr);
    Bson stored;
    bson_append_oid(stored.get(), "_id", -1, &oid);
    bson_concat(stored.get(), ours.get());
    EXPECT_TRUE(is_ours(stored.view())) << "_id is the server's";

    const Bson data = with(ours.view(), "data", Bson().sub("data", Bson().number("b", 1)));
    const Bson moved = with(ours.view(), "updatedAt", Bson().date("updatedAt", 1767225601001));
    const Bson without = with(ours.view(), "dyad", Bson());
    const Bson more = Bson(ours).flag("extra", true);
    for (const Bson* const theirs : {&data, &moved, &without, &more}) {
        EXPECT_FALSE(is_ours(theirs->view()));
        EXPECT_NE(fingerprint_of(theirs->view()), fingerprint_of(ours.view()));
    }
    EXPECT_EQ(offset_of(data.view()), 12u);
    EXPECT_EQ(offset_of(without.view()), 0u);
}

TEST(WireDocuments, WhatCanBeReadOfAForeignDocumentIsRead) {
    const Result<Context> least = context_of(Bson().text("contextKey", "k").view());
    ASSERT_TRUE(least);
    EXPECT_EQ(least->data, "{}");
    EXPECT_EQ(least->type, ContextType::custom);
    EXPECT_EQ(least->version, 0u);

    const auto version = [](Bson metadata) {
        return context_of(Bson().text("contextKey", "k").sub("metadata", metadata).view())->version;
    };
    EXPECT_EQ(version(Bson().real("version", 1767225600000.0)), 1767225600000u);
    EXPECT_EQ(version(Bson().real("version", 1767225600000.5)), 1767225600000u);
    EXPECT_EQ(version(Bson().date("version", 1767225600000)), 1767225600000u);
    EXPECT_EQ(version(Bson().number("version", 9)), 9u);
    EXPECT_EQ(version(Bson().number("version", -9)), 0u);
    EXPECT_EQ(version(Bson().number("version", INT64_MAX)), 0u) << "none could follow it";
    EXPECT_EQ(version(Bson().text("version", "9")), 0u);

    Bson odd;
    odd.text("contextKey", "k").text("contextType", "other").number("mode", 3);
    Bson tags;
    tags.text("0", "a").number("1", 2).text("2", "a").text("3", "a\nb");
    odd.sub("metadata", Bson().array("tags", tags).text("lastModifiedBy", " blank "));
    odd.text("createdAt", "yesterday").number("updatedAt", 5);
    const Result<Context> read = context_of(odd.view());
    ASSERT_TRUE(read);
    EXPECT_EQ(read->tags, std::vector<std::string>{"a"});
    EXPECT_EQ(read->mode, "");
    EXPECT_EQ(read->last_modified_by, "");
    EXPECT_EQ(read->created_at_ms, 0);
    EXPECT_EQ(read->updated_at_ms, 5);
}

TEST(WireDocuments, WhatIsNoContextIsRefused) {
    const auto code = [](const Bson& document) { return context_of(document.view()).error().code; };
    EXPECT_EQ(code(Bson()), Errc::missing_field);
    EXPECT_EQ(code(Bson().number("contextKey", 1)), Errc::missing_field);
    EXPECT_EQ(code(Bson().text("contextKey", "a\nb")), Errc::invalid_field);
    EXPECT_EQ(code(Bson().text("contextKey", std::string(257, 'k'))), Errc::too_large);
    EXPECT_EQ(code(Bson().text("contextKey", "k").text("data", "x")), Errc::invalid_field);
    EXPECT_EQ(code(Bson().text("contextKey", "k").sub("data", Bson().text("a", "\xff"))),
              Errc::invalid_utf8);
}

TEST(WireDocuments, AModeAndItsTransitionHaveTheFieldsThatExistingInstancesWrite) {
    ModeState state;
    state.instance_id = "laptop";
    state.current = Mode::parallel;
    state.previous = Mode::inspired;
    state.configuration = R"({"a":1})";
    state.activated_at_ms = state.updated_at_ms = 1767225600000;
    state.sync_version = 3;
    state.transition_duration_ms = 40;
    EXPECT_EQ(shown(mode_document("ada", 5, state)->view()),
              R"({ "userId" : "ada", "instanceId" : "laptop", "currentMode" : "parallel", )"
              R"("previousMode" : "inspired", "capabilities" : { "localAI" : true, )"
              R"("externalAI" : true, "multiChannel" : true, "offlineCapable" : false, )"
              R"("realTimeSync" : true }, "configuration" : { "a" : 1 }, )"
              R"("activatedAt" : { "$date" : "2026-01-01T00:00:00Z" }, )"
              R"("updatedAt" : { "$date" : "2026-01-01T00:00:00Z" }, "syncVersion" : 3 })");
    const Bson done = *transition_document("ada", 5, state);
    EXPECT_EQ(shown(done.view()),
              R"({ "userId" : "ada", "instanceId" : "laptop", "fromMode" : "inspired", )"
              R"("toMode" : "parallel", "contextSnapshot" : null, "transitionDuration" : 40, )"
              R"("success" : true, "errorMessage" : null, )"
              R"("timestamp" : { "$date" : "2026-01-01T00:00:00Z" }, )"
              R"("syncedAt" : { "$date" : "2026-01-01T00:00:00Z" } })");
    const Result<ModeState> back = read_mode(*done.view().text("dyad.text"));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->sync_version, 3u);
    EXPECT_EQ(offset_of(done.view()), 5u);

    state.success = false;
    state.attempted = Mode::didactic;
    state.error_message = "no";
    const Bson failed = *transition_document("ada", 6, state);
    EXPECT_EQ(failed.view().text("fromMode"), "parallel");
    EXPECT_EQ(failed.view().text("toMode"), "didactic");
    EXPECT_EQ(failed.view().text("errorMessage"), "no");
}

TEST(WireDocuments, AResponseHasItsFinalAnswerAndEachContributingOne) {
    ResponseRecord record;
    record.chat_id = "c";
    record.message_id = "m";
    record.instance_id = "laptop";
    record.mode = "parallel";
    record.final = {.type = SourceType::harmonized,
                    .provider = "p",
                    .model = "x",
                    .confidence = 0,
                    .response_hash = "ab",
                    .tools_used = {"t"},
                    .input_tokens = {},
                    .output_tokens = {},
                    .cost_usd = {},
                    .timestamp_ms = 1767225600000};
    record.sources = {record.final};
    record.sources[0].type = SourceType::local;
    record.sources[0].confidence.reset();
    record.sources[0].input_tokens = 12;
    record.local_provider = "ollama";
    record.timestamp_ms = 1767225600000;
    record.offset = 9;
    const Bson document = *response_document("ada", record);
    EXPECT_EQ(shown(document.view()),
              R"({ "userId" : "ada", "instanceId" : "laptop", "chatId" : "c", "messageId" : "m", )"
              R"("mode" : "parallel", "sourceType" : "harmonized", "provider" : "p", )"
              R"("model" : "x", "confidence" : 0.0, "responseHash" : "ab", )"
              R"("metadata" : { "localProvider" : "ollama", "mcpToolsUsed" : [ "t" ] }, )"
              R"("timestamp" : { "$date" : "2026-01-01T00:00:00Z" }, "sources" : [ { )"
              R"("sourceType" : "local", "provider" : "p", "model" : "x", "confidence" : null, )"
              R"("responseHash" : "ab", "mcpToolsUsed" : [ "t" ], "inputTokens" : 12, )"
              R"("timestamp" : { "$date" : "2026-01-01T00:00:00Z" } } ] })");
    EXPECT_EQ(read_response(*document.view().text("dyad.text"))->offset, 9u);
}

TEST(WireDocuments, EventDataIsWhatOthersKnowOfAChange) {
    const auto data = [](const Change& change) { return *json_of(event_data(change)->view()); };
    Context context = sample();
    ContextChange changed{.context = std::make_shared<Context>(context),
                          .conflicts_opened = {},
                          .conflicts_closed = {}};
    EXPECT_EQ(data(changed), R"({"contextKey":"chat/1","contextType":"chat",)"
                             R"("data":{"note":"x","＄a":1},"version":7})");
    context.deleted = true;
    context.data = "null";
    changed.context = std::make_shared<Context>(context);
    EXPECT_EQ(data(changed), R"({"contextKey":"chat/1","contextType":"chat","data":{},)"
                             R"("deleted":true,"version":7})");
    ModeState state;
    state.instance_id = "laptop";
    state.current = Mode::didactic;
    EXPECT_EQ(data(ModeChange{state}),
              R"({"fromMode":null,"instanceId":"laptop","toMode":"didactic"})");
    EXPECT_EQ(data(McpChange{.kind = EventKind::mcp_tool_executed, .payload = R"({"tool":"t"})"}),
              R"({"tool":"t"})");
    const Claim claim{.resource = "file:/a", .instance_id = "laptop", .token = 3};
    EXPECT_EQ(data(ClaimChange{claim, ClaimAction::released}),
              R"({"action":"released","claim":{"expiresAt":0,"grantedAt":0,)"
              R"("instanceId":"laptop","renewedAt":0,"resource":"file:/a","token":3}})");
}

TEST(WireDocuments, AProvenanceStandsWhereOthersDoNotLook) {
    Context context = sample();
    const Bson without = *context_document("ada", context);
    context.provenance = Provenance{Author::model, "m", Trust::unverified};
    const Bson with = *context_document("ada", context);
    EXPECT_EQ(check_of(with.view()), check_of(without.view()));
    EXPECT_EQ(shown(with.view()), shown(without.view()));
    EXPECT_EQ(*json_of(*with.view().find("dyad.provenance")),
              R"({"kind":"model","model":"m","trust":"unverified"})");
    EXPECT_TRUE(is_ours(with.view()));
}

}  // namespace
}  // namespace dyad::mongo
