#include "support/mcp_rig.hpp"

#include <gtest/gtest.h>

namespace dyad {
namespace {

using test::FakeCallPtr;
using test::McpRig;

std::string position_of(const FakeCallPtr& answer) {
    return answer->text("/position");
}
std::string since(const FakeCallPtr& answer, const std::string& more = "") {
    return R"({"since":")" + position_of(answer) + "\"" + more + "}";
}

TEST(McpChanges, WhatCameAfterAPositionIsToldOnceAndInOrder) {
    McpRig rig;
    const FakeCallPtr start = rig.ask("memory_changes", "{}");
    EXPECT_EQ(start->count("/changes"), 0u);
    rig.set("a", R"({"n":1})");
    rig.ask("mode_set", R"({"mode":"parallel"})");
    rig.ask("memory_delete", R"({"key":"a"})");
    const FakeCallPtr first = rig.ask("memory_changes", since(start, R"(,"limit":2)"));
    EXPECT_EQ(first->count("/changes"), 2u);
    EXPECT_TRUE(first->at("/more")->get_bool());
    EXPECT_EQ(first->text("/changes/0/key"), "a");
    EXPECT_EQ(first->text("/changes/0/action"), "created");
    EXPECT_EQ(first->number("/changes/0/value/n"), 1);
    EXPECT_EQ(first->text("/changes/0/provenance/written_by"), "claude");
    EXPECT_EQ(first->text("/changes/1/kind"), "mode-changed");
    EXPECT_EQ(first->text("/changes/1/mode"), "parallel");
    EXPECT_EQ(first->text("/changes/1/provenance/written_by"), "claude");
    const FakeCallPtr second = rig.ask("memory_changes", since(first));
    EXPECT_EQ(second->count("/changes"), 1u);
    EXPECT_EQ(second->text("/changes/0/action"), "deleted");
    EXPECT_FALSE(second->at("/more")->get_bool());
    EXPECT_EQ(rig.ask("memory_changes", since(second))->count("/changes"), 0u);
}

TEST(McpChanges, WaitingEndsWithTheChange) {
    McpRig rig;
    const FakeCallPtr start = rig.ask("memory_changes", "{}");
    const FakeCallPtr waiting = rig.begin("memory_changes", since(start, R"(,"wait_seconds":25)"));
    const FakeCallPtr from_now = rig.begin("memory_changes", R"({"wait_seconds":25})");
    rig.rig.run(3000);
    EXPECT_FALSE(waiting->answered());
    rig.instance = "codex";
    rig.set("k", R"({"n":1})");  // runs for 50 ms
    ASSERT_TRUE(waiting->answered());
    EXPECT_EQ(waiting->text("/changes/0/provenance/written_by"), "codex");
    EXPECT_EQ(position_of(waiting), position_of(rig.ask("memory_list", "{}")));
    ASSERT_TRUE(from_now->answered());
    EXPECT_EQ(from_now->text("/changes/0/key"), "k");
}

TEST(McpChanges, WaitingEndsWithTheTime) {
    McpRig rig;
    const FakeCallPtr waiting = rig.begin("memory_changes", R"({"wait_seconds":2})");
    rig.rig.run(1900);
    EXPECT_FALSE(waiting->answered());
    rig.rig.run(200);
    ASSERT_TRUE(waiting->answered());
    EXPECT_EQ(waiting->count("/changes"), 0u);
    EXPECT_TRUE(Position::parse(position_of(waiting)).has_value());
}

TEST(McpChanges, APrefixWaitsForItsOwn) {
    McpRig rig;
    const FakeCallPtr waiting =
        rig.begin("memory_changes", R"({"wait_seconds":25,"prefix":"plan/","values":false})");
    rig.rig.run();
    rig.set("other", R"({"n":1})");
    EXPECT_FALSE(waiting->answered());
    rig.set("plan/a", R"({"n":1})");
    ASSERT_TRUE(waiting->answered());
    EXPECT_EQ(waiting->count("/changes"), 1u);
    EXPECT_EQ(waiting->text("/changes/0/key"), "plan/a");
    EXPECT_EQ(waiting->number("/changes/0/bytes"), 7);
    // What does not match is behind it.
    EXPECT_EQ(rig.ask("memory_changes", since(waiting))->count("/changes"), 0u);
}

TEST(McpChanges, WhoCancelsIsForgotten) {
    McpRig rig;
    const std::size_t before = rig.rig.engine().session_count();
    const FakeCallPtr waiting = rig.begin("memory_changes", R"({"wait_seconds":25})");
    rig.rig.run();
    EXPECT_EQ(rig.rig.engine().session_count(), before + 2);  // it waits, and is present
    ASSERT_TRUE(waiting->cancel);
    waiting->cancel();
    rig.rig.run();
    EXPECT_EQ(rig.rig.engine().session_count(), before + 1);
    rig.rig.run(26'000);
    EXPECT_FALSE(waiting->answered());
}

TEST(McpChanges, APositionOfAnotherLogIsRefused) {
    McpRig rig;
    rig.set("k", R"({"n":1})");
    const FakeCallPtr lost = rig.call(
        "memory_changes", R"({"since":"00000000000000ff.1.00000000000000aa","wait_seconds":5})");
    EXPECT_EQ(lost->code, Errc::history_gone);
}

TEST(McpChanges, APageEndsWhereItIsFull) {
    McpRig rig;
    const FakeCallPtr start = rig.ask("memory_changes", "{}");
    const std::string value = R"({"t":")" + std::string(20'000, 'x') + "\"}";
    for (int i = 0; i < 5; ++i)
        rig.set("k" + std::to_string(i), value);
    FakeCallPtr page = rig.ask("memory_changes", since(start));
    EXPECT_EQ(page->count("/changes"), 3u);
    EXPECT_TRUE(page->at("/more")->get_bool());
    page = rig.ask("memory_changes", since(page));
    EXPECT_EQ(page->count("/changes"), 2u);
    EXPECT_EQ(page->text("/changes/1/key"), "k4");
}

}  // namespace
}  // namespace dyad
