#include "conformance/bus/bus_law.hpp"

#include "base/limits.hpp"

#include <utility>

namespace dyad::conformance {

TEST_P(BusLaw, WhatIsOfAUserReachesThoseWhoFollowItAndNobodyElse) {
    follow(0, "ada");
    follow(1, "ada");
    follow(2, "bob");
    backend_->pump();
    for (auto& heard : heard_)
        heard.clear();
    publish(0, announcement("ada"));
    publish(0, PresenceReport{.user_id = "ada", .node = 7, .serial = 1});
    publish(0, Hint{"ada"});
    EXPECT_EQ(heard<Announcement>(0), 0) << "nothing comes back to its sender";
    backend_->pump();
    ASSERT_EQ(heard_[1].size(), 3u);
    EXPECT_EQ(heard<Announcement>(1, "ada"), 1);
    EXPECT_EQ(heard<Announcement>(2), 0);
    EXPECT_EQ(heard<PresenceReport>(2), 0);
    EXPECT_EQ(heard<Hint>(2), 0);
}

TEST_P(BusLaw, AMessageArrivesAsItWasSent) {
    follow(1, "ada");
    backend_->pump();
    heard_[1].clear();
    const Announcement sent = announcement("ada");
    publish(0, sent);
    publish(0, PresenceReport{.user_id = "ada",
                              .node = 7,
                              .serial = 3,
                              .asks = true,
                              .sessions = 2,
                              .instances = {{"laptop", 2, 10, 20}}});
    backend_->pump();
    ASSERT_EQ(heard_[1].size(), 2u);
    for (const BusMessage& message : heard_[1]) {
        if (const auto* one = std::get_if<Announcement>(&message)) {
            EXPECT_EQ(one->batch->texts, sent.batch->texts);
            EXPECT_EQ(one->batch->head().hash, sent.batch->head().hash);
            EXPECT_EQ(one->batch->prev_hash, sent.batch->prev_hash);
        } else {
            const auto& report = std::get<PresenceReport>(message);
            EXPECT_EQ(report.node, 7u);
            EXPECT_EQ(report.serial, 3u);
            EXPECT_TRUE(report.asks);
            EXPECT_EQ(report.sessions, 2u);
            ASSERT_EQ(report.instances.size(), 1u);
            EXPECT_EQ(report.instances[0].instance_id, "laptop");
            EXPECT_EQ(report.instances[0].connections, 2u);
            EXPECT_EQ(report.instances[0].connected_at_ms, 10);
            EXPECT_EQ(report.instances[0].last_seen_ms, 20);
        }
    }
}

TEST_P(BusLaw, AHeartbeatReachesEverybodyAndItsSender) {
    Position head;
    head.offset = 4;
    publish(0, Heartbeat{.node = 7, .server = "s", .clients = 5, .heads = {{"ada", head}}});
    backend_->pump();
    for (std::size_t i = 0; i < BusBackend::kNodes; ++i) {
        ASSERT_EQ(heard_[i].size(), 1u) << i;
        const auto& beat = std::get<Heartbeat>(heard_[i].front());
        EXPECT_EQ(beat.node, 7u);
        EXPECT_EQ(beat.server, "s");
        EXPECT_EQ(beat.clients, 5u);
        ASSERT_EQ(beat.heads.size(), 1u);
        EXPECT_EQ(beat.heads[0].first, "ada");
        EXPECT_EQ(beat.heads[0].second, head);
    }
}

TEST_P(BusLaw, ANoteOnASessionReachesEverybodyElseAsItWasSent) {
    follow(1, "ada");
    backend_->pump();
    heard_[1].clear();
    SessionNote sent{.server = "s",
                     .node = 7,
                     .serial = 3,
                     .topic = Topic::shown,
                     .user = "ada",
                     .session = "s-1"};
    for (std::uint64_t i = 0; std::cmp_less(i, limits::session_note_entries_max); ++i)
        sent.entries.emplace_back("key " + std::to_string(i) + std::string(i % 3, '\0'), i << 40);
    publish(0, sent);
    backend_->pump();
    EXPECT_TRUE(heard_[0].empty()) << "nothing comes back to its sender";
    for (const std::size_t i : {1u, 2u}) {
        ASSERT_EQ(heard_[i].size(), 1u) << i;
        EXPECT_EQ(std::get<SessionNote>(heard_[i].front()), sent);
        heard_[i].clear();
    }
    // Of nobody's, and without entries.
    for (const char* const name : {"one", "two", "three"})
        publish(1, SessionNote{.topic = Topic::session_ended, .session = name});
    EXPECT_EQ(heard<SessionNote>(0), 3);
    EXPECT_EQ(heard<SessionNote>(2), 3);
    EXPECT_TRUE(heard_[1].empty());
}

TEST_P(BusLaw, WhoWaitsForNotesToBeSentIsToldInAnyCase) {
    int told = 0;
    const auto wait = [&] { node(0).when_sent([&] { ++told; }); };
    wait();
    EXPECT_EQ(told, 1) << "there is nothing to wait for";
    publish(0, SessionNote{.session = "one"});
    wait();
    publish(0, SessionNote{.session = "two"});
    wait();
    backend_->pump();
    EXPECT_EQ(told, 3);
    EXPECT_EQ(heard<SessionNote>(1), 2);
    wait();
    EXPECT_EQ(told, 4);
}

TEST_P(BusLaw, WhatIsPublishedAfterFollowIsHeardOrHinted) {
    for (int round = 0; round < 20; ++round) {
        const std::string user = "user" + std::to_string(round);
        follow(1, user);
        publish(0, announcement(user));
        backend_->pump();
        bool learned = false;
        for (const BusMessage& message : heard_[1])
            learned = learned || *user_of(message) == user;
        EXPECT_TRUE(learned);
        heard_[1].clear();
    }
}

TEST_P(BusLaw, NothingIsHeardOfAUserWhoIsNotFollowedAnyMore) {
    follow(1, "ada");
    follow(1, "bob");
    backend_->pump();
    call([&] { node(1).unfollow("ada"); });
    backend_->pump();
    heard_[1].clear();
    publish(0, announcement("ada"));
    publish(0, announcement("bob"));
    EXPECT_EQ(heard<Announcement>(1), 1);
    follow(1, "ada");
    backend_->pump();
    publish(0, announcement("ada"));
    EXPECT_EQ(heard<Announcement>(1, "ada"), 1);
}

TEST_P(BusLaw, ToFollowTwiceIsToFollowOnce) {
    follow(1, "ada");
    follow(1, "ada");
    backend_->pump();
    publish(0, announcement("ada"));
    EXPECT_EQ(heard<Announcement>(1), 1);
    call([&] {
        node(1).unfollow("ada");
        node(1).unfollow("ada");
    });
    publish(0, announcement("ada"));
    EXPECT_EQ(heard<Announcement>(1), 0);
}

TEST_P(BusLaw, ASubscriptionThatIsLostIsHadAgain) {
    follow(1, "ada");
    backend_->pump();
    if (backend_->lose_subscriptions(1)) {
        heard_[1].clear();
        publish(0, announcement("ada"));
        publish(1, Heartbeat{.node = 1});
        EXPECT_EQ(heard<Heartbeat>(1), 0) << "this is how the node learns of it";
    }
    call([&] { node(1).renew(); });
    backend_->pump();
    bool hinted = false;
    for (const BusMessage& message : heard_[1])
        if (const auto* hint = std::get_if<Hint>(&message))
            hinted = hinted || (hint->user_id == "ada" && hint->subscribed);
    heard_[1].clear();
    publish(0, announcement("ada"));
    publish(1, Heartbeat{.node = 1});
    EXPECT_EQ(heard<Announcement>(1), 1);
    if (backend_->lose_subscriptions(1)) EXPECT_TRUE(hinted) << "what it missed is looked up";
}

TEST_P(BusLaw, WhoHasGoneIsMissedByNobody) {
    follow(0, "ada");
    follow(1, "ada");
    follow(2, "ada");
    backend_->pump();
    publish(0, announcement("ada"));
    backend_->drop(1);
    publish(0, announcement("ada"));
    EXPECT_EQ(heard<Announcement>(2), 2);
    EXPECT_TRUE(node(0).connected());
}

}  // namespace dyad::conformance
