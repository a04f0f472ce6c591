// What the commands of one batch see of each other, and the replies that events stand for.
#include "support/desk.hpp"

#include <gtest/gtest.h>

namespace dyad::core {

using namespace test;

TEST(View, ABatchIsDecidedOnWhatItsEarlierCommandsDid) {
    Desk desk = with_two_versions();
    View view(desk.state);
    const auto on_view = [&](CommandBody body, std::optional<Version> expected = std::nullopt) {
        Command command;
        command.instance_id = "desk";
        command.expected_version = expected;
        command.body = std::move(body);
        Decided decided = decide(view, command, {.now_ms = kNow, .offset = 3});
        if (const auto* change = std::get_if<Change>(&decided)) view.add(*change);
        return decided;
    };
    EXPECT_EQ(view.live_contexts(), 1u);
    EXPECT_FALSE(rejected(on_view(put("{\"a\":3}"), 2)));
    EXPECT_EQ(rejected(on_view(put("{\"a\":4}"), 2)), Errc::version_conflict);
    EXPECT_FALSE(rejected(on_view(put("{\"a\":4}"), 3)));
    EXPECT_EQ(view.live_bytes(), std::string("{\"a\":4}").size());
    EXPECT_FALSE(rejected(on_view(DeleteContext{.key = "k"})));
    EXPECT_EQ(view.live_contexts(), 0u);
    EXPECT_EQ(view.live_bytes(), 0u);
    EXPECT_EQ(rejected(on_view(DeleteContext{.key = "k"})), Errc::not_found);
    EXPECT_FALSE(rejected(on_view(SetMode{.mode = Mode::inspired})));
    EXPECT_EQ(view.instances(), 1u);
    EXPECT_EQ(rejected(on_view(put("{}"))), Errc::private_mode);
    EXPECT_EQ(desk.state.find("k")->version, 2u) << "the durable state is as it was";
}

TEST(View, AConflictOfTheBatchCanBeClosedInIt) {
    Desk desk = in_conflict();
    View view(desk.state);
    EXPECT_EQ(view.open_conflicts(), 1u);
    EXPECT_EQ(view.conflicts_of("k"), std::vector<std::string>{"3.1"});
    ContextChange change{.context = desk.state.find("k"), .conflicts_closed = {"3.1"}};
    view.add(change);
    EXPECT_EQ(view.open_conflicts(), 0u);
    EXPECT_EQ(view.conflict("3.1"), nullptr);
    EXPECT_TRUE(view.conflicts_of("k").empty());
}

TEST(Reply, IsAFunctionOfItsEvent) {
    Desk desk;
    desk.take(put("{\"a\":1}"));
    Command command;
    command.operation_id = "op";
    const LogHead head{.epoch = 5, .offset = 1};
    const Reply reply = reply_of(desk.last, command, head);
    EXPECT_EQ(reply.position, head.position());
    EXPECT_EQ(reply.version, 1u);
    EXPECT_EQ(reply.operation_id, "op");
    EXPECT_TRUE(reply.result.starts_with("{\"action\":\"created\",\"conflicts\":[],\"context\":{"));
    command.brief = true;
    const Reply brief = reply_of(desk.last, command, head);
    EXPECT_TRUE(brief.result.empty());
    EXPECT_EQ(brief.version, 1u) << "what costs nothing is in a brief reply, too";
    EXPECT_EQ(brief.kind, EventKind::context_changed);
}

}  // namespace dyad::core
