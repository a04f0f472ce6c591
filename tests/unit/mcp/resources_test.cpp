#include "support/mcp_rig.hpp"

#include <set>

#include <gtest/gtest.h>

namespace dyad {
namespace {

using test::FakeCallPtr;
using test::McpRig;
namespace mcp = server::mcp;

mcp::Handler reader_of(std::string_view uri) {
    for (const mcp::ResourceRow& row : mcp::product_registry().resources)
        if (row.uri == uri) return row.read;
    CHECK(false);
}

TEST(McpResources, AValueIsReadByItsUri) {
    McpRig rig;
    rig.set("plan/ä b", R"({"n":1})");
    const std::string uri = "memory://contexts/plan%2F%C3%A4%20b";
    const FakeCallPtr read =
        rig.call(reader_of("memory://contexts/{key}"), R"({"uri":")" + uri + "\"}");
    EXPECT_EQ(read->how, "content");
    EXPECT_EQ(read->text("/contents/0/uri"), uri);
    EXPECT_EQ(read->text("/contents/0/mimeType"), "application/json");
    const auto text = json::parse(read->text("/contents/0/text"));
    ASSERT_TRUE(text.has_value());
    EXPECT_EQ(text->at("value").at("n"), 1);
    EXPECT_EQ(text->at("provenance").at("written_by"), "claude");
    const FakeCallPtr none =
        rig.call(reader_of("memory://contexts/{key}"), R"({"uri":"memory://contexts/none"})");
    EXPECT_EQ(none->how, "refused");
    EXPECT_EQ(none->code, Errc::not_found);
    EXPECT_EQ(
        rig.call(reader_of("memory://contexts/{key}"), R"({"uri":"memory://contexts/%zz"})")->code,
        Errc::invalid_field);
    rig.ask("mode_set", R"({"mode":"parallel"})");
    const FakeCallPtr modes = rig.call(reader_of("memory://modes"), R"({"uri":"memory://modes"})");
    EXPECT_NE(modes->text("/contents/0/text").find("\"mode\":\"parallel\""), std::string::npos);
}

TEST(McpResources, TheirListHasPages) {
    McpRig rig;
    for (int i = 0; i < 120; ++i)
        rig.set("k" + std::to_string(i), R"({"n":1})");
    std::set<std::string> uris;
    std::string cursor;
    int pages = 0;
    do {
        const FakeCallPtr page =
            rig.call(mcp::product_registry().list_resources, R"({"cursor":")" + cursor + "\"}");
        for (std::size_t i = 0; i < page->count("/resources"); ++i)
            EXPECT_TRUE(uris.insert(page->text("/resources/" + std::to_string(i) + "/uri")).second);
        cursor = page->text("/nextCursor");
        pages += 1;
    } while (!cursor.empty());
    EXPECT_EQ(pages, 2);
    EXPECT_EQ(uris.size(), 120u);
    EXPECT_TRUE(uris.contains("memory://contexts/k7"));
    EXPECT_EQ(rig.call(mcp::product_registry().list_resources, R"({"cursor":"x"})")->how,
              "refused");
}

TEST(McpResources, KeysAndInstancesAreCompleted) {
    McpRig rig;
    rig.set("plan/a", R"({"n":1})");
    rig.set("the/plan", R"({"n":1})");
    rig.set("other", R"({"n":1})");
    const auto complete = [&](const std::string& name, const std::string& value) {
        return rig.call(
            mcp::product_registry().complete,
            R"({"ref":{"type":"ref/resource","uri":"memory://contexts/{key}"},"argument":{"name":")" +
                name + R"(","value":")" + value + R"("},"context":{"arguments":{}}})");
    };
    const FakeCallPtr keys = complete("key", "plan");
    EXPECT_EQ(keys->count("/completion/values"), 2u);
    EXPECT_EQ(keys->text("/completion/values/0"), "plan/a");
    EXPECT_EQ(keys->text("/completion/values/1"), "the/plan");
    EXPECT_EQ(keys->number("/completion/total"), 2);
    EXPECT_EQ(complete("to", "")->text("/completion/values/0"), "claude");
    EXPECT_EQ(complete("task", "")->count("/completion/values"), 0u);
}

TEST(McpResources, AnEventNamesTheResourceThatItChanges) {
    EventView event;
    event.kind = EventKind::context_changed;
    event.scope = "ctx:plan/a";
    EXPECT_EQ(mcp::product_registry().changed_resource(event), "memory://contexts/plan%2Fa");
    event.kind = EventKind::mode_changed;
    EXPECT_EQ(mcp::product_registry().changed_resource(event), "memory://modes");
    event.kind = EventKind::response_recorded;
    EXPECT_EQ(mcp::product_registry().changed_resource(event), "");
}

TEST(McpPrompts, EachBringsTheMemoryThatItTakes) {
    McpRig rig;
    rig.set("decision/auth", R"({"text":"tokens"})");
    rig.set("decision/auth", R"({"text":"passkeys"})", R"(,"expected_version":1)");
    const auto says = [](const FakeCallPtr& prompt, std::string_view text) {
        EXPECT_EQ(prompt->how, "content") << prompt->detail;
        EXPECT_EQ(prompt->text("/messages/0/role"), "user");
        EXPECT_EQ(prompt->text("/messages/0/content/type"), "text");
        EXPECT_NE(prompt->text("/messages/1/content/text").find(text), std::string::npos)
            << prompt->body;
    };
    says(rig.call("resume_work", R"({"task":"auth"})"), "passkeys");
    says(rig.call("resume_work", "{}"), "passkeys");
    says(rig.call("hand_off", R"({"task":"auth","to":"codex"})"), "passkeys");
    says(rig.call("explain_decision", R"({"key":"decision/auth"})"), "tokens");
    says(rig.call("review_changes", "{}"), "\"action\":\"created\"");
    const std::string position = rig.ask("memory_list", "{}")->text("/position");
    rig.set("later", R"({"n":1})");
    const FakeCallPtr review = rig.call("review_changes", R"({"since":")" + position + "\"}");
    says(review, "later");
    EXPECT_EQ(review->text("/messages/1/content/text").find("decision/auth"), std::string::npos);
    EXPECT_EQ(rig.call("hand_off", "{}")->code, Errc::missing_field);
    EXPECT_EQ(rig.call("explain_decision", R"({"key":"none"})")->code, Errc::not_found);
    EXPECT_EQ(rig.call("review_changes", R"({"since":"x"})")->code, Errc::invalid_field);
    EXPECT_EQ(rig.call("resume_work", R"({"strange":"x"})")->how, "refused");
}

}  // namespace
}  // namespace dyad
