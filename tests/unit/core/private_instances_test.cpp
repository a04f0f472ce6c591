// Privacy that was asked for: from when it holds, and what ends it.
#include "support/core_rig.hpp"

#include <gtest/gtest.h>

namespace dyad::core {
namespace {

using test::Call;
using test::CoreRig;
using test::error_in;
using test::RecordingPeer;
using test::reply_in;

SessionRequest plain(const std::string& instance) {
    SessionRequest request = CoreRig::negotiated(instance);
    request.dialect = Dialect::plain;
    return request;
}

Command set_mode(CoreRig& rig, Mode mode, const std::string& instance) {
    SetMode body{.mode = mode};
    body.instance_id = instance;
    return rig.command(body);
}

Command by(Command command, const std::string& instance) {
    command.instance_id = instance;
    return command;
}

// A mode that desk asks for itself, and that is refused: by its version.
Command refused_mode(CoreRig& rig, Mode mode) {
    Command command = by(rig.command(SetMode{.mode = mode}), "desk");
    command.expected_version = 77;
    return command;
}

std::size_t events_in(const RecordingPeer& peer) {
    std::size_t events = 0;
    for (const RecordingPeer::Run& run : peer.runs)
        events += run.last + 1 - run.first;
    return events;
}

}  // namespace

TEST(Privacy, WhoAskedAndWasRefusedIsPrivateUntilItSaysAnotherMode) {
    CoreRig rig;
    RecordingPeer peer;
    rig.attach(peer, plain("desk"));
    rig.grow(1);
    EXPECT_EQ(events_in(peer), 1u);
    EXPECT_EQ(error_in(rig.submit(refused_mode(rig, Mode::inspired))), Errc::version_conflict);
    rig.grow(2);
    EXPECT_EQ(events_in(peer), 1u) << "nothing is pushed to it";
    EXPECT_EQ(error_in(rig.submit(by(rig.put("k", "{}"), "desk"))), Errc::private_mode);
    EXPECT_TRUE(rig.engine().presence(rig.user).empty());
    EXPECT_EQ(error_in(rig.submit(refused_mode(rig, Mode::didactic))), Errc::version_conflict);
    EXPECT_EQ(error_in(rig.submit(by(rig.put("k", "{}"), "desk"))), Errc::private_mode)
        << "a mode that is not durable ends nothing";
    Command failed = by(rig.command(SetMode{.mode = Mode::didactic, .success = false}), "desk");
    EXPECT_TRUE(reply_in(rig.submit(failed)));
    EXPECT_EQ(error_in(rig.submit(by(rig.put("k", "{}"), "desk"))), Errc::private_mode);
    EXPECT_TRUE(reply_in(rig.submit(by(rig.command(SetMode{.mode = Mode::didactic}), "desk"))));
    EXPECT_TRUE(reply_in(rig.submit(by(rig.put("k", "{}"), "desk"))));
    EXPECT_EQ(rig.engine().presence(rig.user).size(), 1u);
    EXPECT_GT(events_in(peer), 3u) << "it catches up";
}

TEST(Privacy, HoldsFromTheMomentItIsAskedForAndForWhatFollowsAtOnce) {
    CoreRig rig;
    RecordingPeer peer;
    rig.attach(peer, plain("desk"));
    rig.node().gated.hold(Call::append);
    const auto before = rig.begin(by(rig.put("before", "{}"), "desk"));
    const auto asked = rig.begin(by(rig.command(SetMode{.mode = Mode::inspired}), "desk"));
    const auto after = rig.begin(by(rig.put("after", "{}"), "desk"));
    const auto others = rig.begin(rig.put("others", "{}"));
    rig.settle();
    EXPECT_TRUE(rig.engine().presence(rig.user).empty());
    rig.node().gated.release(Call::append);
    rig.settle();
    EXPECT_TRUE(reply_in(*before)) << "it was sent before";
    EXPECT_TRUE(reply_in(*asked));
    EXPECT_EQ(error_in(*after), Errc::private_mode);
    EXPECT_TRUE(reply_in(*others));
    EXPECT_EQ(events_in(peer), 0u);
}

TEST(Privacy, WhatFollowsTheWayOutIsWritten) {
    CoreRig rig;
    rig.submit(refused_mode(rig, Mode::inspired));
    const auto left = rig.begin(by(rig.command(SetMode{.mode = Mode::didactic}), "desk"));
    const auto after = rig.begin(by(rig.put("after", "{}"), "desk"));
    rig.settle();
    EXPECT_TRUE(reply_in(*left));
    EXPECT_TRUE(reply_in(*after)) << "it comes behind the mode in the log";
}

TEST(Privacy, AModeFromBeforeTheAskDoesNotEndIt) {
    CoreRig rig;
    const auto open = rig.begin(by(rig.command(SetMode{.mode = Mode::didactic}), "desk"));
    const auto asked = rig.begin(refused_mode(rig, Mode::inspired));
    rig.settle();
    EXPECT_TRUE(reply_in(*open));
    EXPECT_EQ(error_in(*asked), Errc::version_conflict);
    EXPECT_EQ(error_in(rig.submit(by(rig.put("k", "{}"), "desk"))), Errc::private_mode);
}

TEST(Privacy, DoesNotDependOnTheStoreOrOnALimit) {
    for (const bool crowded : {false, true}) {
        Config config;
        if (crowded) config.commands_bytes_max = 0;
        CoreRig rig(1, config);
        RecordingPeer peer;
        rig.attach(peer, plain("desk"));
        rig.database_up->up = crowded;
        const auto asked = rig.begin(by(rig.command(SetMode{.mode = Mode::inspired}), "desk"));
        rig.settle();
        rig.pass(20'000);
        EXPECT_TRUE(error_in(*asked)) << crowded;
        EXPECT_TRUE(rig.engine().presence(rig.user).empty()) << crowded;
        rig.engine().keep_private(rig.user, "other");
        RecordingPeer other;
        rig.attach(other, plain("other"));
        EXPECT_TRUE(rig.engine().presence(rig.user).empty()) << crowded;
    }
}

TEST(Privacy, AnOperationThatComesAgainIsNoNewAsk) {
    CoreRig rig;
    const Command asked = by(rig.command(SetMode{.mode = Mode::inspired}), "desk");
    const Command left = by(rig.command(SetMode{.mode = Mode::didactic}), "desk");
    ASSERT_TRUE(reply_in(rig.submit(asked)));
    ASSERT_TRUE(reply_in(rig.submit(left)));
    // As a client does that reconnects: both again, and what came after them.
    const auto first = rig.begin(asked);
    const auto second = rig.begin(left);
    const auto after = rig.begin(by(rig.put("k", "{}"), "desk"));
    rig.settle();
    EXPECT_TRUE(reply_in(*first)->duplicate && reply_in(*second)->duplicate);
    EXPECT_TRUE(reply_in(*after));
    // The id of something else: it asks for privacy now.
    Command reused = by(rig.command(SetMode{.mode = Mode::inspired}, left.operation_id), "desk");
    const auto refused = rig.begin(reused);
    const auto behind = rig.begin(by(rig.put("k", "{}"), "desk"));
    rig.settle();
    EXPECT_EQ(error_in(*refused), Errc::operation_reused);
    EXPECT_EQ(error_in(*behind), Errc::private_mode);
}

TEST(Privacy, AnotherNodesLaterModeEndsWhatWasRefusedHere) {
    CoreRig rig(2);
    RecordingPeer peer;
    rig.attach(peer, plain("desk"), 1);
    rig.submit(refused_mode(rig, Mode::inspired), 1);
    rig.grow(1, 0);
    EXPECT_EQ(events_in(peer), 0u);
    ASSERT_TRUE(reply_in(rig.submit(set_mode(rig, Mode::didactic, "desk"), 0)));
    EXPECT_GT(events_in(peer), 0u);
}

TEST(Privacy, WhoMakesRoomWhileItIsConnectedStaysPrivate) {
    Config config;
    config.private_instances_max = 1;
    CoreRig rig(2, config);
    RecordingPeer peer;
    rig.attach(peer, plain("desk"), 1);
    ASSERT_TRUE(reply_in(rig.submit(set_mode(rig, Mode::inspired, "desk"), 0)));
    ASSERT_TRUE(reply_in(rig.submit(set_mode(rig, Mode::inspired, "new"), 0)));
    EXPECT_EQ((*rig.snapshot(1))->modes.size(), 1u);
    rig.grow(1, 0);
    EXPECT_EQ(events_in(peer), 0u);
    EXPECT_EQ(error_in(rig.submit(by(rig.put("k", "{}"), "desk"), 1)), Errc::private_mode);
}

}  // namespace dyad::core
