// What versions and conditions mean for a decision.
#include "base/limits.hpp"
#include "support/desk.hpp"

#include <gtest/gtest.h>

namespace dyad::core {
using namespace test;

TEST(Decide, TheConditionThatDoesNotHoldIsNamed) {
    Command command;
    command.instance_id = "desk";
    command.operation_id = "op";
    command.conditions = {.match = VersionSet{.any = true}, .none_match = VersionSet{.any = true}};
    Desk desk;
    desk.take(put("{}"));
    desk.take(SetMode{.mode = Mode::parallel});
    const View view(desk.state);
    for (const CommandBody& body : {CommandBody(put("{}")), CommandBody(SetMode{})}) {
        command.body = body;
        const Decided there = decide(view, command, {});
        ASSERT_EQ(rejected(there), Errc::version_conflict);
        EXPECT_TRUE(std::get<Rejection>(there).error.detail.starts_with("If-None-Match: "));
    }
    const State none;
    const View nothing(none);
    command.body = put("{}");
    const Decided missing = decide(nothing, command, {});
    EXPECT_TRUE(std::get<Rejection>(missing).error.detail.starts_with("If-Match: "));
}

TEST(Decide, AboveEveryVersionThatWasForgotten) {
    Desk desk;
    const auto erase = [&](const std::string& key, Version version) {
        auto context = std::make_shared<Context>();
        context->key = key;
        context->version = version;
        context->data = "null";
        context->deleted = true;
        context->offset = ++desk.offset;
        fold(desk.state, ContextChange{.context = context, .action = ContextAction::deleted});
    };
    erase("k", 9);
    for (int n = 0; n < limits::deleted_contexts_per_user_max; ++n)
        erase("other" + std::to_string(n), 1);
    EXPECT_FALSE(desk.state.find("k"));
    const ContextPtr made = desk.take(put("{}"), 0);
    ASSERT_TRUE(made);
    EXPECT_EQ(made->version, 10u);
    EXPECT_EQ(desk.last_change().previous_version, 0u);
}

}  // namespace dyad::core
