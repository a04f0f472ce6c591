// What nodes tell each other beside what was committed: presence, heads, signs of life.
#include "support/core_rig.hpp"

#include <gtest/gtest.h>

namespace dyad::test {
namespace {

constexpr std::int64_t kBeat_ms = 2'000;

std::string names(const std::vector<Presence>& present) {
    std::string text;
    for (const Presence& one : present)
        text += one.instance_id + "x" + std::to_string(one.connections) + " ";
    return text;
}

// Two nodes, and at the second somebody who has all that is in the log.
struct TwoNodes : CoreRig {
    explicit TwoNodes(core::Config config = {}) : CoreRig(2, std::move(config)) {
        grow(1, 0);
        attach(peer, negotiated(), 1);
    }
    RecordingPeer peer;
};

}  // namespace

TEST(Neighbours, WhoIsPresentAtOneNodeIsPresentAtAll) {
    CoreRig rig(3);
    RecordingPeer desk, phone, phone_too;
    rig.attach(desk, CoreRig::negotiated("desk"), 0);
    rig.attach(phone, CoreRig::negotiated("phone"), 1);
    rig.attach(phone_too, CoreRig::negotiated("phone"), 0);
    rig.pass(1'000);
    EXPECT_EQ(names(rig.engine(0).presence("ada")), "deskx1 phonex2 ");
    EXPECT_EQ(names(rig.engine(1).presence("ada")), "deskx1 phonex2 ");
    EXPECT_EQ(rig.engine(1).session_count("ada"), 3u);
    EXPECT_TRUE(rig.engine(2).presence("ada").empty()) << "nobody asked for it there";
    rig.engine(0).detach(desk.session);
    rig.pass(1'000);
    EXPECT_EQ(names(rig.engine(1).presence("ada")), "phonex2 ");
    EXPECT_EQ(rig.engine(1).session_count("ada"), 2u);
}

TEST(Neighbours, WhoAsksIsAnsweredOnceOthersHadTimeToReport) {
    CoreRig rig(2);
    RecordingPeer desk;
    rig.attach(desk, CoreRig::negotiated("desk"), 0);
    rig.pass(1'000);
    std::optional<std::string> present;
    rig.engine(1).presence("ada", [&](const auto& list) { present = names(list); });
    EXPECT_FALSE(present);
    rig.pass(1'000);
    EXPECT_EQ(present, "deskx1 ");
    present.reset();
    rig.engine(1).presence("ada", [&](const auto& list) { present = names(list); });
    EXPECT_EQ(present, "deskx1 ") << "it is known now";
}

TEST(Neighbours, WhatIsTrueOfAWholeNodeIsToldWhenSomebodyComesOrGoes) {
    CoreRig rig(2);
    RecordingPeer desk, phone;
    rig.attach(desk, CoreRig::negotiated("desk"), 0);
    rig.pass(1'000);
    int changes = 0;
    rig.engine(0).on_presence([&](const std::string& user) { changes += user == "ada"; });
    rig.attach(phone, CoreRig::negotiated("phone"), 1);
    rig.pass(1'000);
    EXPECT_EQ(changes, 1);
    rig.pass(100'000);
    EXPECT_EQ(changes, 1) << "renewals are no news";
}

TEST(Neighbours, WhoIsPresentStaysSoThroughRenewals) {
    CoreRig rig(2);
    RecordingPeer desk, phone;
    rig.attach(desk, CoreRig::negotiated("desk"), 0);
    rig.attach(phone, CoreRig::negotiated("phone"), 1);
    rig.pass(200'000);
    EXPECT_EQ(names(rig.engine(0).presence("ada")), "deskx1 phonex1 ");
}

TEST(Neighbours, WithANodeThatDiesGoWhoeverWasPresentThere) {
    CoreRig rig(2);
    RecordingPeer desk, phone;
    rig.attach(desk, CoreRig::negotiated("desk"), 0);
    rig.attach(phone, CoreRig::negotiated("phone"), 1);
    rig.pass(1'000);
    int changes = 0;
    rig.engine(0).on_presence([&](const std::string&) { ++changes; });
    rig.restart(1);
    rig.pass(6 * kBeat_ms);
    EXPECT_EQ(names(rig.engine(0).presence("ada")), "deskx1 ");
    EXPECT_EQ(rig.engine(0).session_count("ada"), 1u);
    EXPECT_EQ(changes, 1);
}

TEST(Neighbours, AnOlderReportDoesNotOvertakeANewerOne) {
    CoreRig rig(2);
    RecordingPeer desk;
    rig.attach(desk, CoreRig::negotiated("desk"), 0);
    rig.pass(1'000);
    const auto report = [](std::uint64_t serial, std::size_t sessions) {
        return PresenceReport{.user_id = "ada", .node = 9, .serial = serial, .sessions = sessions};
    };
    rig.node(0).bus.arrive(report(2, 5));
    rig.node(0).bus.arrive(report(1, 7));
    EXPECT_EQ(rig.engine(0).session_count("ada"), 6u);
}

TEST(Neighbours, AHeartbeatFindsTheLastAnnouncementThatWasLost) {
    TwoNodes rig({.poll_ms = 1'000'000});
    rig.carry = false;
    rig.grow(1, 0);
    rig.node(0).bus.sent.clear();
    rig.carry = true;
    rig.pass(2 * kBeat_ms);
    EXPECT_EQ(rig.peer.ranges(), "2-2");
}

TEST(Neighbours, AHintSendsTheReaderToTheLog) {
    TwoNodes rig({.poll_ms = 1'000'000});
    rig.carry = false;
    rig.grow(1, 0);
    EXPECT_EQ(rig.peer.ranges(), "");
    rig.node(1).bus.arrive(Hint{"ada"});
    rig.settle();
    EXPECT_EQ(rig.peer.ranges(), "2-2");
}

TEST(Neighbours, ANodeThatDoesNotHearItselfSubscribesAgainAndPollsFastUntilItDoes) {
    TwoNodes rig;
    rig.pass(kBeat_ms);
    EXPECT_TRUE(rig.engine(1).hears_others());
    rig.node(1).bus.deaf = true;
    rig.pass(5 * kBeat_ms);
    EXPECT_FALSE(rig.engine(1).hears_others());
    EXPECT_GE(rig.node(1).bus.renewals, 1);
    rig.grow(1, 0);
    rig.pass(500);
    EXPECT_EQ(rig.peer.ranges(), "2-2");
    rig.node(1).bus.deaf = false;
    rig.pass(2 * kBeat_ms);
    EXPECT_TRUE(rig.engine(1).hears_others());
}

TEST(Neighbours, AUserIsFollowedFromTheFirstClientUntilNobodyMissesIt) {
    CoreRig rig(2);
    EXPECT_TRUE(rig.node(1).bus.followed.empty());
    RecordingPeer peer;
    rig.attach(peer, CoreRig::negotiated(), 1);
    EXPECT_TRUE(rig.node(1).bus.followed.contains("ada"));
    rig.pass(2 * limits::user_idle_ms);
    EXPECT_TRUE(rig.node(1).bus.followed.contains("ada"));
    rig.engine(1).detach(peer.session);
    rig.pass(2 * limits::user_idle_ms);
    EXPECT_TRUE(rig.node(1).bus.followed.empty());
}

TEST(Neighbours, ANodeWithoutUsersAndClientsSaysNothing) {
    CoreRig rig(2);
    rig.carry = false;
    rig.pass(10 * kBeat_ms);
    EXPECT_TRUE(rig.node(0).bus.told.empty());
    EXPECT_GT(rig.engine(0).next_ms(), rig.clock.steady + 1'000);
}

TEST(Neighbours, ClientsOfOtherNodesOfTheServerAreCounted) {
    CoreRig rig(2, {.neighbours = {.server = "one"}});
    rig.engine(0).set_client_count(3);
    rig.pass(500);
    EXPECT_EQ(rig.engine(1).clients_elsewhere(), 3u);
    rig.engine(0).set_client_count(0);
    rig.pass(500);
    EXPECT_EQ(rig.engine(1).clients_elsewhere(), 0u);
}

TEST(Neighbours, ACountThatStaysIsNoNews) {
    CoreRig rig(2, {.neighbours = {.server = "one"}});
    rig.engine(0).set_client_count(3);
    rig.pass(1'000);
    const int before = rig.node(0).bus.published;
    for (int i = 0; i < 40; ++i) {
        rig.engine(0).set_client_count(3);
        rig.pass(250);
    }
    EXPECT_LE(rig.node(0).bus.published, before + 6) << "heartbeats of 10 s";
}

TEST(Neighbours, WhoOnlyKeepsAUserInMemoryHardlyBeats) {
    CoreRig rig(2);
    rig.grow(2);
    rig.pass(5 * kBeat_ms);
    const int before = rig.node(0).bus.published;
    rig.pass(60'000);
    EXPECT_LE(rig.node(0).bus.published, before + 3);
}

TEST(Neighbours, ALoneNodeTellsNobody) {
    CoreRig rig(1);
    RecordingPeer peer;
    rig.attach(peer, CoreRig::negotiated(), 0);
    rig.grow(2);
    rig.pass(10 * kBeat_ms);
    EXPECT_TRUE(rig.node().bus.sent.empty());
    EXPECT_TRUE(rig.node().bus.told.empty());
    EXPECT_TRUE(rig.node().bus.followed.empty());
    EXPECT_EQ(rig.engine().session_count("ada"), 1u);
}

// Sessions of agents.

namespace {

core::Config of_server(const std::string& server, bool others) {
    core::Config config;
    config.neighbours.server = server;
    config.others_listen = others;
    return config;
}

}  // namespace

TEST(Neighbours, ANoteOnASessionIsForOtherServersThanItsOwn) {
    CoreRig rig(2, of_server("us", true));
    std::vector<SessionNote> taken;
    rig.engine().on_note([&](const SessionNote& note) { taken.push_back(note); });
    rig.engine().tell({.topic = Topic::shown, .session = "s-1"});
    ASSERT_EQ(rig.node().bus.told.size(), 1u);
    const auto sent = std::get<SessionNote>(rig.node().bus.told.front());
    EXPECT_EQ(sent.server, "us");
    EXPECT_EQ(sent.session, "s-1");
    EXPECT_NE(sent.node, 0u);
    rig.engine().tell({.topic = Topic::shown, .session = "s-2"});
    const auto next = std::get<SessionNote>(rig.node().bus.told.back());
    EXPECT_EQ(next.node, sent.node);
    EXPECT_GT(next.serial, sent.serial);
    rig.node().bus.arrive(sent);  // as another cell of the server hears it
    EXPECT_TRUE(taken.empty());
    SessionNote theirs = sent;
    theirs.server = "them";
    rig.node().bus.arrive(theirs);
    ASSERT_EQ(taken.size(), 1u);
    EXPECT_EQ(taken.front(), theirs);
}

TEST(Neighbours, WhoIsAloneTellsNobodyOfASession) {
    // The cells of one process have no bus to others; a store that nobody else has is nobody
    // else's.
    for (const auto& [nodes, others] : {std::pair(2, false), std::pair(1, true)}) {
        CoreRig rig(nodes, of_server("us", others));
        EXPECT_FALSE(rig.engine().has_others());
        rig.engine().tell({.topic = Topic::shown, .session = "s-1"});
        EXPECT_TRUE(rig.node().bus.told.empty());
        bool told = false;
        rig.engine().when_told([&] { told = true; });
        EXPECT_TRUE(told);
    }
}

}  // namespace dyad::test
