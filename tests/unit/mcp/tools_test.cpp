#include "support/mcp_rig.hpp"

#include <set>

#include <gtest/gtest.h>

namespace dyad {
namespace {

using test::FakeCallPtr;
using test::McpRig;
namespace mcp = server::mcp;

TEST(McpTools, WhatIsSetIsReadWithItsProvenance) {
    McpRig rig;
    const FakeCallPtr made = rig.set("project/plan", R"({"goal":"one memory"})",
                                     R"(,"tags":["pinned"],"operation_id":"op-1")");
    EXPECT_EQ(made->text("/action"), "created");
    EXPECT_EQ(made->number("/version"), 1);
    EXPECT_EQ(made->text("/operation_id"), "op-1");
    EXPECT_EQ(made->text("/provenance/written_by"), "claude");
    EXPECT_TRUE(Position::parse(made->text("/position")).has_value());
    EXPECT_FALSE(made->at("/repeated")->get_bool());

    rig.instance = "codex";
    const FakeCallPtr read = rig.ask("memory_get", R"({"key":"project/plan"})");
    EXPECT_EQ(read->text("/value/goal"), "one memory");
    EXPECT_EQ(read->text("/tags/0"), "pinned");
    EXPECT_EQ(read->text("/provenance/written_by"), "claude");
    EXPECT_EQ(read->text("/provenance/created_by"), "claude");
    EXPECT_EQ(read->text("/provenance/written_at").substr(0, 11), "2023-11-14T");
    EXPECT_EQ(read->number("/version"), 1);
}

TEST(McpTools, TheSameOperationAgainIsAnsweredAndNotApplied) {
    McpRig rig;
    rig.set("k", R"({"n":1})", R"(,"operation_id":"op-1")");
    const FakeCallPtr again = rig.set("k", R"({"n":1})", R"(,"operation_id":"op-1")");
    EXPECT_TRUE(again->at("/repeated")->get_bool());
    EXPECT_EQ(again->number("/version"), 1);
    const FakeCallPtr other =
        rig.call("memory_set", R"({"key":"k","value":{"n":2},"operation_id":"op-1"})");
    EXPECT_EQ(other->code, Errc::operation_reused);
}

TEST(McpTools, AConflictShowsBothSidesAndHowToGoOn) {
    McpRig rig;
    rig.set("k", R"({"n":1})");
    rig.instance = "codex";
    rig.set("k", R"({"n":2})", R"(,"expected_version":1)");
    rig.instance = "claude";
    for (const std::string expected : {R"(,"expected_version":1)", ""}) {
        const FakeCallPtr late =
            rig.call("memory_set", R"({"key":"k","value":{"n":3})" + expected + "}");
        EXPECT_EQ(late->how, "failed");
        EXPECT_EQ(late->code, Errc::version_conflict);
        EXPECT_EQ(late->text("/error/code"), "version_conflict");
        EXPECT_EQ(late->number("/yours/n"), 3);
        EXPECT_EQ(late->number("/stored/value/n"), 2);
        EXPECT_EQ(late->number("/stored/version"), 2);
        EXPECT_EQ(late->text("/stored/provenance/written_by"), "codex");
        EXPECT_NE(late->detail.find("expected_version 2"), std::string::npos) << late->detail;
        EXPECT_NE(late->detail.find("codex"), std::string::npos);
    }
    const FakeCallPtr none =
        rig.call("memory_set", R"({"key":"other","value":{},"expected_version":4})");
    EXPECT_EQ(none->code, Errc::version_conflict);
    EXPECT_EQ(none->at("/stored"), nullptr);
    EXPECT_NE(none->detail.find("nothing is stored"), std::string::npos) << none->detail;
}

TEST(McpTools, MergeKeepsBothSidesAndNamesWhatTheyBothChanged) {
    McpRig rig;
    rig.set("k", R"({"a":1,"b":1})");
    rig.instance = "codex";
    rig.set("k", R"({"a":2,"b":1})", R"(,"expected_version":1)");
    rig.instance = "claude";
    const FakeCallPtr merged =
        rig.set("k", R"({"a":3,"b":2})", R"(,"expected_version":1,"strategy":"merge")");
    EXPECT_EQ(merged->number("/value/a"), 2);
    EXPECT_EQ(merged->number("/value/b"), 2);
    EXPECT_EQ(merged->text("/conflicts/0/path"), "/a");
    EXPECT_EQ(merged->number("/conflicts/0/incoming"), 3);
    EXPECT_EQ(merged->number("/conflicts/0/stored"), 2);
    EXPECT_EQ(merged->number("/conflicts/0/base"), 1);
    const FakeCallPtr kept = rig.set("k", R"({})", R"(,"strategy":"ignore")");
    EXPECT_EQ(kept->text("/action"), "ignored");
    EXPECT_EQ(kept->number("/version"), 3);
}

TEST(McpTools, APatchIsToldByItsFirstByte) {
    McpRig rig;
    rig.set("k", R"({"a":1,"b":2})");
    const FakeCallPtr merged =
        rig.ask("memory_patch", R"({"key":"k","patch":{"a":null,"c":3},"expected_version":1})");
    EXPECT_EQ(merged->body.find("\"a\":1"), std::string::npos);
    EXPECT_EQ(merged->number("/value/c"), 3);
    const FakeCallPtr patched = rig.ask(
        "memory_patch",
        R"({"key":"k","patch":[{"op":"test","path":"/b","value":2},{"op":"replace","path":"/b","value":5}]})");
    EXPECT_EQ(patched->number("/value/b"), 5);
    const FakeCallPtr failed =
        rig.call("memory_patch", R"({"key":"k","patch":[{"op":"remove","path":"/none"}]})");
    EXPECT_EQ(failed->code, Errc::patch_failed);
    EXPECT_EQ(failed->number("/stored/version"), 3);
    EXPECT_EQ(failed->text("/yours/0/op"), "remove");
}

TEST(McpTools, DeletedValuesAreRestoredFromTheirHistory) {
    McpRig rig;
    rig.set("k", R"({"n":1})");
    EXPECT_EQ(rig.ask("memory_delete", R"({"key":"k","expected_version":1})")->text("/action"),
              "deleted");
    EXPECT_EQ(rig.call("memory_get", R"({"key":"k"})")->code, Errc::not_found);
    const FakeCallPtr history = rig.ask("memory_history", R"({"key":"k","values":true})");
    EXPECT_EQ(history->count("/versions"), 2u);
    EXPECT_EQ(history->text("/versions/0/action"), "deleted");
    EXPECT_TRUE(history->at("/versions/0/deleted")->get_bool());
    EXPECT_EQ(history->number("/versions/1/value/n"), 1);
    EXPECT_EQ(history->text("/versions/1/provenance/written_by"), "claude");
    const FakeCallPtr restored = rig.ask("memory_restore", R"({"key":"k","version":1})");
    EXPECT_EQ(restored->number("/value/n"), 1);
    EXPECT_EQ(restored->number("/version"), 3);
    EXPECT_EQ(rig.ask("memory_get", R"({"key":"k","version":1})")->number("/version"), 1);
}

TEST(McpTools, ListsAreNarrowedAndGoOnFromTheirCursor) {
    McpRig rig;
    for (int i = 0; i < 5; ++i)
        rig.set("a/" + std::to_string(i), "{\"n\":1}", i % 2 == 0 ? R"(,"tags":["even"])" : "");
    rig.set("b", R"({"n":1})", R"(,"type":"chat")");
    std::set<std::string> keys;
    std::string cursor;
    do {
        const FakeCallPtr page =
            rig.ask("memory_list", R"({"prefix":"a/","limit":2,"cursor":")" + cursor + "\"}");
        for (std::size_t i = 0; i < page->count("/values"); ++i) {
            const std::string at = "/values/" + std::to_string(i);
            EXPECT_TRUE(keys.insert(page->text(at + "/key")).second);
            EXPECT_EQ(page->text(at + "/provenance/written_by"), "claude");
            EXPECT_EQ(page->number(at + "/bytes"), 7);
            EXPECT_EQ(page->at(at + "/value"), nullptr);
        }
        cursor = page->text("/next_cursor");
    } while (!cursor.empty());
    EXPECT_EQ(keys.size(), 5u);
    EXPECT_EQ(rig.ask("memory_list", R"({"tag":"even","values":true})")->count("/values"), 3u);
    EXPECT_EQ(rig.ask("memory_list", R"({"type":"chat"})")->text("/values/0/key"), "b");
    EXPECT_EQ(
        rig.ask("memory_list", R"({"updated_since":"2999-01-01T00:00:00Z"})")->count("/values"),
        0u);
    EXPECT_EQ(rig.call("memory_list", R"({"cursor":"zz"})")->code, Errc::invalid_field);
}

TEST(McpTools, SearchSaysWhereItMatches) {
    McpRig rig;
    rig.set("decision/auth", R"({"text":"We use tokens for the login"})");
    rig.set("other", R"({"text":"nothing"})");
    const FakeCallPtr found = rig.ask("memory_search", R"({"query":"login"})");
    EXPECT_EQ(found->count("/hits"), 1u);
    EXPECT_EQ(found->text("/hits/0/key"), "decision/auth");
    EXPECT_NE(found->text("/hits/0/snippet").find("**login**"), std::string::npos);
    EXPECT_EQ(found->text("/hits/0/provenance/written_by"), "claude");
    EXPECT_EQ(rig.call("memory_search", R"({"query":"..."})")->code, Errc::invalid_field);
}

TEST(McpTools, ModesAndWhoIsThere) {
    McpRig rig;
    EXPECT_TRUE(rig.ask("mode_get", "{}")->at("/mode")->is_null());
    const FakeCallPtr set = rig.ask("mode_set", R"({"mode":"parallel","expected_version":0})");
    EXPECT_EQ(set->text("/instance"), "claude");
    EXPECT_EQ(set->number("/version"), 1);
    EXPECT_EQ(rig.ask("mode_get", R"({"instance":"claude"})")->text("/mode"), "parallel");
    rig.set("k", R"({"n":1})");
    rig.instance = "codex";
    const FakeCallPtr agents = rig.ask("agents_list", "{}");
    EXPECT_EQ(agents->text("/you"), "codex");
    EXPECT_EQ(agents->text("/agents/0/instance"), "claude");
    EXPECT_EQ(agents->text("/agents/0/last_write/key"), "k");
    EXPECT_TRUE(agents->at("/agents/0/present")->get_bool());
    EXPECT_EQ(agents->text("/agents/1/instance"), "codex");
    rig.rig.run(limits::mcp_present_ms + 1000);
    const FakeCallPtr later = rig.ask("agents_list", R"({"present":true})");
    EXPECT_EQ(later->count("/agents"), 1u);
    EXPECT_EQ(later->text("/agents/0/instance"), "codex");
}

TEST(McpTools, ARefusedWishForPrivacyIsKept) {
    McpRig rig;
    rig.ask("mode_set", R"({"mode":"parallel"})");
    EXPECT_EQ(rig.call("mode_set", R"({"mode":"inspired","strange":1})")->code,
              Errc::invalid_field);
    rig.instance = "codex";
    EXPECT_EQ(rig.ask("agents_list", R"({"present":true})")->count("/agents"), 1u);
}

TEST(McpTools, ResponsesAreRecordedAndFound) {
    McpRig rig;
    const FakeCallPtr made = rig.ask(
        "response_record",
        R"({"chat_id":"c","message_id":"m","source":"external","provider":"anthropic","model":"m-1","text":"Yes.","input_tokens":3})");
    EXPECT_EQ(made->text("/chat_id"), "c");
    const FakeCallPtr found = rig.ask("response_query", R"({"chat_id":"c"})");
    EXPECT_EQ(found->text("/responses/0/final/model"), "m-1");
    EXPECT_EQ(found->text("/responses/0/mode"), "didactic");
    EXPECT_EQ(found->number("/responses/0/final/input_tokens"), 3);
    EXPECT_EQ(found->text("/responses/0/provenance/written_by"), "claude");
    const FakeCallPtr missing = rig.call("response_record", R"({"chat_id":"c","message_id":"m"})");
    EXPECT_EQ(missing->code, Errc::missing_field);
    rig.rig.change_settings().enable_glass_box_tracking = false;
    EXPECT_EQ(
        rig.call(
               "response_record",
               R"({"chat_id":"c","message_id":"m","source":"local","provider":"p","model":"m","text":"t"})")
            ->code,
        Errc::switched_off);
}

TEST(McpTools, BadArgumentsAreNamedAsTheToolCallsThem) {
    McpRig rig;
    const auto refusal = [&](std::string_view tool, const std::string& arguments) {
        const FakeCallPtr call = rig.call(tool, arguments);
        EXPECT_EQ(call->how, "failed") << tool << arguments;
        return call->detail;
    };
    const auto begins = [](const std::string& text, std::string_view with) {
        EXPECT_EQ(text.substr(0, with.size()), with);
    };
    begins(refusal("memory_get", "{}"), "key: is required");
    begins(refusal("memory_get", R"({"key":1})"), "key: must be a string");
    begins(refusal("memory_get", R"({"key":"k","keys":1})"),
           "keys: is not known here; known are key");
    begins(refusal("memory_get", R"({"key":"k","version":0})"), "version: must be a whole number");
    begins(refusal("memory_set", R"({"value":{}})"), "key: ");
    begins(refusal("memory_set", R"({"key":"k"})"), "value: ");
    begins(refusal("memory_set", R"({"key":"k","value":[1]})"), "value: ");
    begins(refusal("memory_set", R"({"key":"k","value":{},"expected_version":"1"})"),
           "expected_version: ");
    begins(refusal("memory_set", R"({"key":"k","value":{},"data":{}})"), "data: is not known here");
    begins(refusal("memory_set", R"({"key":"k","value":{},"strategy":"x"})"), "strategy: must be");
    begins(refusal("memory_set", R"({"key":"k","value":{},"operation_id":7})"), "operation_id: ");
    begins(refusal("memory_set", R"({"key":"k","value":{},"operation_id":""})"), "operation_id: ");
    begins(refusal("memory_set",
                   R"({"key":"k","value":{},"operation_id":")" + std::string(200, 'x') + "\"}"),
           "operation_id: ");
    begins(refusal("memory_set", R"({"key":")" + std::string(300, 'k') + R"(","value":{}})"),
           "key: ");
    begins(refusal("memory_set", R"({"key":"k","key":"k","value":{}})"), "key: stands twice");
    begins(refusal("memory_patch", R"({"key":"k","patch":7})"), "patch: ");
    begins(refusal("memory_patch", R"({"key":"none","patch":{}})"), "key: there is no");
    begins(refusal("memory_delete", R"({"key":"none"})"), "key: there is no");
    begins(refusal("memory_restore", R"({"key":"none","version":1})"), "key: there is no");
    begins(refusal("memory_list", R"({"limit":0})"),
           "limit: must be a whole number from 1 to 1000");
    begins(refusal("memory_search", "{}"), "query: is required");
    begins(refusal("memory_history", "{}"), "key: is required");
    begins(refusal("memory_history", R"({"key":"none"})"), "key: nothing is stored");
    begins(refusal("memory_changes", R"({"since":"x"})"), "since: must be");
    begins(refusal("memory_changes", R"({"wait_seconds":26})"), "wait_seconds: must be");
    begins(refusal("context_pack", R"({"budget_tokens":10})"), "budget_tokens: must be");
    begins(refusal("context_pack", R"({"session":""})"), "session: ");
    begins(refusal("mode_get", R"({"instance":" "})"), "instance: ");
    begins(refusal("mode_set", "{}"), "mode: is required");
    begins(refusal("mode_set", R"({"mode":"loud"})"), "mode: must be");
    begins(refusal("agents_list", R"({"x":1})"), "x: is not known");
    begins(refusal("response_query", R"({"limit":2000})"), "limit: must be");
}

TEST(McpTools, ProvenanceIsKeptAsItWasSaid) {
    McpRig rig;
    rig.set("said", R"({"n":1})",
            R"(,"provenance":{"kind":"web","model":"m-1","trust":"quarantined"})");
    const FakeCallPtr said = rig.ask("memory_get", R"({"key":"said"})");
    EXPECT_EQ(said->text("/provenance/kind"), "web");
    EXPECT_EQ(said->text("/provenance/model"), "m-1");
    EXPECT_EQ(said->text("/provenance/trust"), "quarantined");
    const FakeCallPtr unsaid = rig.set("unsaid", R"({"n":1})");
    EXPECT_EQ(unsaid->text("/provenance/kind"), "model");
    EXPECT_EQ(unsaid->text("/provenance/trust"), "unverified");
    EXPECT_EQ(unsaid->at("/provenance/model"), nullptr);
}

TEST(McpTools, AClaimIsHeldByOneAndItsFenceEndsWithIt) {
    McpRig rig;
    const FakeCallPtr claim =
        rig.ask("claim_acquire", R"({"resource":"context:k","note":"writing","ttl_ms":1000})");
    EXPECT_EQ(claim->text("/action"), "granted");
    EXPECT_EQ(claim->text("/holder"), "claude");
    rig.instance = "codex";
    const FakeCallPtr taken = rig.call("claim_acquire", R"({"resource":"context:k"})");
    EXPECT_EQ(taken->code, Errc::claimed);
    EXPECT_EQ(taken->text("/claim/holder"), "claude");
    EXPECT_EQ(taken->text("/claim/note"), "writing");
    EXPECT_EQ(rig.ask("agents_list", "{}")->text("/agents/0/claims/0/resource"), "context:k");
    rig.instance = "claude";
    const std::string fence =
        R"("resource":"context:k","token":)" + std::to_string(claim->number("/token"));
    rig.set("k", R"({"n":1})", ",\"fence\":{" + fence + "}");
    EXPECT_EQ(rig.ask("claim_release", "{" + fence + "}")->text("/action"), "released");
    rig.instance = "codex";
    EXPECT_GT(rig.ask("claim_acquire", R"({"resource":"context:k"})")->number("/token"),
              claim->number("/token"));
    rig.instance = "claude";
    const FakeCallPtr late =
        rig.call("memory_set",
                 R"({"key":"k","value":{"n":2},"expected_version":1,"fence":{)" + fence + "}}");
    EXPECT_EQ(late->code, Errc::claim_lost);
    EXPECT_EQ(rig.ask("memory_get", R"({"key":"k"})")->number("/value/n"), 1);
}

TEST(McpTools, NobodySeesAnothersMemory) {
    McpRig rig;
    rig.set("secret", R"({"word":"swordfish"})");
    rig.user = "eve";
    EXPECT_EQ(rig.call("memory_get", R"({"key":"secret"})")->code, Errc::not_found);
    EXPECT_EQ(rig.ask("memory_list", "{}")->count("/values"), 0u);
    EXPECT_EQ(rig.ask("memory_search", R"({"query":"swordfish"})")->count("/hits"), 0u);
    EXPECT_EQ(rig.ask("context_pack", R"({"task":"swordfish"})")->count("/facts"), 0u);
    EXPECT_EQ(rig.ask("agents_list", "{}")->count("/agents"), 1u);
}

TEST(McpTools, TheTableIsWhole) {
    const mcp::Registry& registry = mcp::product_registry();
    std::set<std::string_view> names;
    for (const mcp::Tool& tool : registry.tools) {
        EXPECT_TRUE(names.insert(tool.name).second);
        EXPECT_LE(tool.description.size(), 1024u) << tool.name;
        const auto input = json::parse(tool.input_schema);
        ASSERT_TRUE(input.has_value()) << tool.name << input.error().detail;
        EXPECT_FALSE(input->at("additionalProperties").get_bool());
        EXPECT_EQ(input->at("type"), "object");
        const auto output = json::parse(tool.output_schema);
        ASSERT_TRUE(output.has_value()) << tool.name << output.error().detail;
        EXPECT_EQ(output->at("type"), "object");
    }
    EXPECT_EQ(registry.prompts.size(), 4u);
}

}  // namespace
}  // namespace dyad
