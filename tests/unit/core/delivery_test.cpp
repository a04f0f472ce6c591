// What each connection is given, when, and what a slow one costs the others.
#include "base/limits.hpp"
#include "support/core_rig.hpp"

#include <gtest/gtest.h>

namespace dyad::core {
namespace {

using test::Call;
using test::CommandAnswer;
using test::CoreRig;
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

}  // namespace

TEST(Delivery, AConnectionGetsWhatIsWrittenFromThenOn) {
    CoreRig rig;
    rig.grow(2);
    RecordingPeer peer;
    rig.attach(peer, CoreRig::negotiated());
    EXPECT_EQ(peer.start, rig.position_at(2));
    EXPECT_TRUE(peer.runs.empty());
    rig.grow(2);
    EXPECT_EQ(peer.ranges(), "3-3 4-4");
    EXPECT_EQ(peer.runs[0].text, rig.log().events[2].text());
}

TEST(Delivery, ASnapshotComesFirstWhereItIsAskedFor) {
    CoreRig rig;
    rig.grow(2);
    RecordingPeer peer;
    SessionRequest request = CoreRig::negotiated();
    request.snapshot = true;
    rig.attach(peer, request);
    ASSERT_EQ(peer.resets.size(), 1u);
    EXPECT_EQ(peer.resets[0]->position, rig.position_at(2));
    EXPECT_EQ(peer.resets[0]->contexts.at(0)->data, "{\"n\":2}");
    rig.grow(1);
    EXPECT_EQ(peer.ranges(), "3-3");
}

TEST(Delivery, WhatOneTurnBroughtIsOneRun) {
    CoreRig rig;
    RecordingPeer peer;
    rig.attach(peer, CoreRig::negotiated());
    for (int i = 0; i < 50; ++i)
        rig.begin(rig.put("k", "{\"i\":" + std::to_string(i) + "}"));
    rig.settle();
    EXPECT_EQ(peer.ranges(), "1-50");
    EXPECT_EQ(peer.runs[0].text.find("}{"), std::string::npos) << "commas between the events";
}

TEST(Delivery, NothingIsDeliveredBeforeItIsDurable) {
    CoreRig rig;
    rig.grow(1);
    RecordingPeer peer;
    rig.attach(peer, CoreRig::negotiated());
    rig.node().gated.hold(Call::append);
    rig.begin(rig.put("k", "{}"));
    rig.settle();
    EXPECT_TRUE(peer.runs.empty());
    EXPECT_FALSE(rig.data_of("k"));
    rig.node().gated.release(Call::append);
    rig.settle();
    EXPECT_EQ(peer.ranges(), "2-2");
}

TEST(Delivery, AFlushWithoutNewsGivesNobodyAnything) {
    CoreRig rig;
    RecordingPeer peer;
    rig.attach(peer, CoreRig::negotiated());
    rig.grow(1);
    rig.engine().flush();
    rig.engine().flush();
    EXPECT_EQ(peer.ranges(), "1-1");
}

namespace {

std::string heard(const RecordingPeer& peer) {
    std::string text;
    for (const RecordingPeer::Run& run : peer.runs)
        text += run.text;
    return text;
}

// Writes through the peer's own connection.
void write(CoreRig& rig, const RecordingPeer& peer, std::string operation_id = {}) {
    rig.engine().submit(peer.session, rig.put("k", "{}", std::move(operation_id)),
                        [](const std::variant<Reply, Rejection>&) {});
}

}  // namespace

TEST(Delivery, APlainClientDoesNotGetWhatItWroteThroughItsConnection) {
    CoreRig rig;
    RecordingPeer own;
    RecordingPeer other;
    rig.attach(own, plain("writer"));
    rig.attach(other, plain("reader"));
    write(rig, own);
    rig.settle();
    rig.grow(1);
    write(rig, other);
    write(rig, own);
    write(rig, own);
    rig.grow(1);
    EXPECT_EQ(heard(own), "2 3 6 ");
    EXPECT_EQ(heard(other), "1 2 4 5 6 ");
}

TEST(Delivery, TwoConnectionsOfOneInstanceHearEachOther) {
    CoreRig rig(2);
    RecordingPeer left;
    RecordingPeer right;
    RecordingPeer elsewhere;
    rig.attach(left, plain("desk"));
    rig.attach(right, plain("desk"));
    rig.attach(elsewhere, plain("desk"), 1);
    write(rig, left);
    rig.settle();
    write(rig, right);
    rig.settle();
    Command by_rest = rig.put("k", "{}");
    by_rest.instance_id = "desk";
    rig.submit(by_rest, 1);
    EXPECT_EQ(heard(left), "2 3 ");
    EXPECT_EQ(heard(right), "1 3 ");
    EXPECT_EQ(heard(elsewhere), "1 2 3 ");
}

TEST(Delivery, WhatAConnectionWroteIsLeftOutBehindTheFeedToo) {
    Config config;
    config.feeds_bytes_max = 1;
    CoreRig rig(1, config);
    RecordingPeer own;
    rig.attach(own, plain("desk"));
    own.full = true;
    rig.grow(1);
    for (int i = 0; i < 3; ++i) {
        write(rig, own);
        rig.settle();
        rig.grow(1);
    }
    own.full = false;
    rig.engine().writable(own.session);
    rig.settle();
    EXPECT_EQ(heard(own), "1 3 5 7 ");
}

TEST(Delivery, AnOperationThatWasSentTwiceIsLeftOutForBothWhoSentIt) {
    CoreRig rig;
    RecordingPeer left;
    RecordingPeer right;
    rig.attach(left, plain("desk"));
    rig.attach(right, plain("desk"));
    write(rig, left, "same");
    write(rig, right, "same");
    rig.settle();
    rig.grow(1);
    EXPECT_EQ(heard(left), "2 ");
}

TEST(OwnWrites, AreRangesAndBounded) {
    OwnWrites own;
    for (const Offset offset : {3, 4, 5, 9})
        own.add(offset);
    std::string parts;
    own.without(1, 12, [&](Offset first, Offset last) {
        parts += std::to_string(first) + "-" + std::to_string(last) + " ";
    });
    EXPECT_EQ(parts, "1-2 6-8 10-12 ");
    EXPECT_TRUE(own.has_any_of(5, 6) && !own.has_any_of(6, 8) && !own.has_any_of(10, 99));
    own.drop_before(6);
    EXPECT_FALSE(own.has_any_of(1, 8));
    for (Offset offset = 20; offset < 20 + 4 * OwnWrites::kRangesMax; offset += 2)
        own.add(offset);
    EXPECT_FALSE(own.has_any_of(9, 20));
    EXPECT_TRUE(own.has_any_of(18 + 4 * OwnWrites::kRangesMax, 18 + 4 * OwnWrites::kRangesMax));
}

// Slow clients

TEST(Delivery, AFullSocketIsGivenNothingUntilItTakesMore) {
    CoreRig rig;
    RecordingPeer slow;
    RecordingPeer fast;
    rig.attach(slow, CoreRig::negotiated("slow"));
    rig.attach(fast, CoreRig::negotiated("fast"));
    slow.full = true;
    rig.grow(4);
    EXPECT_EQ(slow.ranges(), "1-1");
    EXPECT_EQ(fast.ranges(), "1-1 2-2 3-3 4-4");
    slow.full = false;
    rig.engine().writable(slow.session);
    rig.settle();
    EXPECT_EQ(slow.ranges(), "1-1 2-4");
    rig.grow(1);
    EXPECT_EQ(slow.ranges(), "1-1 2-4 5-5");
}

TEST(Delivery, WhoFallsBehindTheFeedGoesOnFromTheLog) {
    CoreRig rig;
    RecordingPeer slow;
    rig.attach(slow, CoreRig::negotiated());
    slow.full = true;
    rig.grow(1);
    const std::string large = "{\"x\":\"" + std::string(200'000, 'x') + "\"}";
    for (std::size_t bytes = 0; bytes <= limits::feed_bytes_max; bytes += large.size())
        ASSERT_TRUE(reply_in(rig.submit(rig.put("large", large))));
    const int reads = rig.node().gated.count(Call::read);
    slow.full = false;
    rig.engine().writable(slow.session);
    rig.settle();
    EXPECT_GT(rig.node().gated.count(Call::read), reads);
    Offset next = 1;
    for (const RecordingPeer::Run& run : slow.runs) {
        EXPECT_EQ(run.first, next);
        next = run.last + 1;
        EXPECT_LE(run.text.size(), static_cast<std::size_t>(limits::output_held_bytes_max));
    }
    EXPECT_EQ(next, rig.log_end() + 1);
    EXPECT_TRUE(slow.resets.empty());
}

TEST(Delivery, WhoFallsBehindTheLogGetsASnapshot) {
    CoreRig rig;
    RecordingPeer slow;
    rig.attach(slow, CoreRig::negotiated());
    slow.full = true;
    rig.grow(1);
    const std::string large = "{\"x\":\"" + std::string(200'000, 'x') + "\"}";
    for (std::size_t bytes = 0; bytes <= limits::feed_bytes_max; bytes += large.size())
        ASSERT_TRUE(reply_in(rig.submit(rig.put("large", large))));
    rig.expire_up_to(rig.log_end() - 1);
    slow.full = false;
    rig.engine().writable(slow.session);
    rig.settle();
    EXPECT_EQ(slow.ranges(), "1-1");
    ASSERT_EQ(slow.resets.size(), 1u);
    EXPECT_EQ(slow.resets[0]->position, rig.position_at(rig.log_end()));
    rig.grow(1);
    EXPECT_EQ(slow.runs.back().first, rig.log_end());
}

TEST(Delivery, AConnectionMayGoAtAnyMoment) {
    CoreRig rig;
    RecordingPeer first;
    RecordingPeer second;
    rig.attach(first, CoreRig::negotiated("first"));
    rig.attach(second, CoreRig::negotiated("second"));
    rig.grow(3);
    rig.restart(0);
    RecordingPeer leaving;
    rig.node().gated.hold(Call::read);
    rig.attach(leaving, CoreRig::resuming(rig.position_at(1)));
    EXPECT_EQ(rig.engine().session_count(), 1u);
    rig.engine().detach(leaving.session);
    rig.node().gated.release(Call::read);
    rig.settle();
    EXPECT_TRUE(leaving.runs.empty());
    EXPECT_EQ(rig.engine().session_count(), 0u);
}

TEST(Delivery, PresenceJoinsAnInstancesConnections) {
    CoreRig rig;
    RecordingPeer one;
    RecordingPeer two;
    RecordingPeer other;
    rig.attach(one, CoreRig::negotiated("desk"));
    rig.pass(1000);
    rig.attach(two, CoreRig::negotiated("desk"));
    rig.attach(other, CoreRig::negotiated("laptop"));
    rig.pass(1000);
    rig.engine().seen(two.session);
    const std::vector<Presence> presence = rig.engine().presence("ada");
    ASSERT_EQ(presence.size(), 2u);
    EXPECT_EQ(presence[0].instance_id, "desk");
    EXPECT_EQ(presence[0].connections, 2u);
    EXPECT_EQ(presence[0].connected_at_ms, rig.clock.wall - 2000);
    EXPECT_EQ(presence[0].last_seen_ms, rig.clock.wall);
    EXPECT_EQ(rig.engine().session_count("ada"), 3u);
    EXPECT_TRUE(rig.engine().presence("bob").empty());
}

TEST(Delivery, NothingReachesAnotherUser) {
    CoreRig rig;
    RecordingPeer ada;
    rig.attach(ada, CoreRig::negotiated());
    rig.user = "bob";
    RecordingPeer bob;
    rig.attach(bob, CoreRig::negotiated());
    rig.grow(2);
    EXPECT_EQ(bob.ranges(), "1-1 2-2");
    EXPECT_TRUE(ada.runs.empty());
}

// Inspired mode

TEST(Delivery, AnInstanceInInspiredModeWaitsAndCatchesUp) {
    CoreRig rig;
    RecordingPeer peer;
    rig.attach(peer, CoreRig::negotiated("desk"));
    rig.grow(1);
    ASSERT_TRUE(reply_in(rig.submit(set_mode(rig, Mode::inspired, "desk"))));
    const std::size_t runs = peer.runs.size();
    rig.grow(3);
    EXPECT_EQ(peer.runs.size(), runs);
    ASSERT_TRUE(reply_in(rig.submit(set_mode(rig, Mode::parallel, "desk"))));
    EXPECT_EQ(peer.runs.back().last, 6u);
    Offset next = 1;
    for (const RecordingPeer::Run& run : peer.runs) {
        EXPECT_EQ(run.first, next);
        next = run.last + 1;
    }
}

TEST(Delivery, AnInstanceThatIsPrivateWhenItConnectsWaits) {
    CoreRig rig;
    rig.submit(set_mode(rig, Mode::inspired, "desk"));
    RecordingPeer peer;
    rig.attach(peer, CoreRig::negotiated("desk"));
    rig.grow(1);
    EXPECT_TRUE(peer.runs.empty());
}

// The part of the log in which the instance left inspired mode was never read here.
TEST(Delivery, AReloadFindsOutWhoIsPrivate) {
    CoreRig rig(2);
    rig.submit(set_mode(rig, Mode::inspired, "desk"), 0);
    RecordingPeer peer;
    rig.attach(peer, CoreRig::negotiated("desk"), 1);
    rig.carry = false;
    ASSERT_TRUE(reply_in(rig.submit(set_mode(rig, Mode::parallel, "desk"), 0)));
    rig.grow(2, 0);
    rig.expire_up_to(3);
    ASSERT_TRUE(rig.snapshot(1));
    ASSERT_EQ(rig.node(1).gated.count(Call::load), 2);
    ASSERT_EQ(peer.resets.size(), 1u);
    EXPECT_EQ(peer.resets[0]->position, rig.position_at(4));
    rig.carry = true;
    rig.grow(1, 0);
    EXPECT_EQ(peer.ranges(), "5-5");
}

}  // namespace dyad::core
