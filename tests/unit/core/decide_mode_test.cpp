// Who makes room for a new instance, and who is private.
#include "base/limits.hpp"
#include "support/desk.hpp"

#include <gtest/gtest.h>

namespace dyad::core {
using namespace test;

namespace {

// `count` instances of one user: the first said its mode at 1,000 ms, each next one a ms later.
void fill(Desk& desk, Mode mode, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
        ModeState state;
        state.instance_id = std::string(name_of(mode)) + std::to_string(i);
        state.current = mode;
        state.updated_at_ms = 1'000 + i;
        desk.state.modes[state.instance_id] = state;
    }
}

std::vector<std::string> forgotten(const Decided& decided) {
    return std::get<ModeChange>(std::get<Change>(decided)).forgotten;
}

}  // namespace

TEST(Decide, TheInstanceThatSaidItsModeLongestAgoMakesRoom) {
    Desk desk;
    fill(desk, Mode::didactic, limits::instances_per_user_max - 1);
    fill(desk, Mode::inspired, 3);
    EXPECT_TRUE(forgotten(desk.ask(SetMode{.mode = Mode::parallel})).empty());
    EXPECT_TRUE(forgotten(desk.ask(SetMode{.mode = Mode::inspired})).empty());
    fill(desk, Mode::didactic, limits::instances_per_user_max);
    EXPECT_EQ(forgotten(desk.ask(SetMode{.mode = Mode::parallel})),
              std::vector<std::string>{"didactic0"});
    desk.state.modes["didactic7"].updated_at_ms = 999;
    EXPECT_EQ(forgotten(desk.ask(SetMode{.mode = Mode::parallel})),
              std::vector<std::string>{"didactic7"});
    EXPECT_TRUE(forgotten(desk.ask(SetMode{.mode = Mode::inspired})).empty())
        << "privacy does not depend on how many others there are";
    SetMode again{.mode = Mode::parallel};
    again.instance_id = "didactic9";
    EXPECT_TRUE(forgotten(desk.ask(again)).empty()) << "it has its place";
}

TEST(Decide, PrivateInstancesAreKeptLonger) {
    Desk desk;
    fill(desk, Mode::inspired, limits::instances_per_user_max + 5);
    EXPECT_TRUE(forgotten(desk.ask(SetMode{.mode = Mode::didactic})).empty());
    fill(desk, Mode::inspired, limits::private_instances_per_user_max);
    EXPECT_TRUE(forgotten(desk.ask(SetMode{.mode = Mode::didactic})).empty());
    EXPECT_EQ(forgotten(desk.ask(SetMode{.mode = Mode::inspired})),
              std::vector<std::string>{"inspired0"});
    SetMode leaving{.mode = Mode::didactic};
    leaving.instance_id = "inspired3";
    EXPECT_TRUE(forgotten(desk.ask(leaving)).empty());
}

TEST(Decide, WhoIsConnectedMakesRoomLast) {
    const std::function<bool(std::string_view)> present = [](std::string_view instance) {
        return instance == "didactic0" || instance == "didactic1";
    };
    Desk desk;
    fill(desk, Mode::didactic, limits::instances_per_user_max);
    desk.at.is_present = &present;
    EXPECT_EQ(forgotten(desk.ask(SetMode{.mode = Mode::parallel})),
              std::vector<std::string>{"didactic2"});
}

TEST(Decide, WhoseAskForPrivacyCouldNotBeNotedWritesNothing) {
    Desk desk;
    desk.at.is_private = true;
    EXPECT_EQ(rejected(desk.ask(put("{}"))), Errc::private_mode);
    EXPECT_FALSE(rejected(desk.ask(SetMode{.mode = Mode::didactic}))) << "its own mode";
    SetMode other{.mode = Mode::didactic};
    other.instance_id = "another";
    EXPECT_EQ(rejected(desk.ask(other)), Errc::private_mode);
}

}  // namespace dyad::core
