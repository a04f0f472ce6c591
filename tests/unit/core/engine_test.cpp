// The engine's timers: what is due happens in time, and what is not costs nothing.
#include "base/limits.hpp"
#include "base/metrics.hpp"
#include "support/core_rig.hpp"

#include <gtest/gtest.h>

namespace dyad::core {
namespace {

using test::Call;
using test::CoreRig;
using test::error_in;
using test::reply_in;

// How often one tick looks at the clock, with so many users in memory.
int looks_of_a_tick(int users) {
    CoreRig rig;
    for (int i = 0; i < users; ++i) {
        rig.user = "user" + std::to_string(i);
        rig.grow(1);
    }
    rig.pass(100);
    rig.clock.looks = 0;
    rig.engine().tick();
    return rig.clock.looks;
}

}  // namespace

TEST(Engine, ATickCostsTheSameHoweverManyUsersWaitForNothing) {
    EXPECT_EQ(looks_of_a_tick(200), looks_of_a_tick(1));
}

TEST(Engine, AUserWhomNobodyUsesIsLetGoAndReadAgain) {
    CoreRig rig;
    rig.grow(1);
    EXPECT_EQ(rig.node().gated.count(Call::load), 1);
    rig.pass(limits::user_idle_ms - 1000);
    rig.grow(1);
    rig.pass(limits::user_idle_ms - 1000);  // counted from the last use
    rig.grow(1);
    EXPECT_EQ(rig.node().gated.count(Call::load), 1);
    rig.pass(limits::user_idle_ms + 1000);
    EXPECT_EQ(rig.data_of("grown"), "{\"n\":3}");
    EXPECT_EQ(rig.node().gated.count(Call::load), 2);
}

TEST(Engine, AUserWithAConnectionStays) {
    CoreRig rig;
    test::RecordingPeer peer;
    rig.attach(peer, CoreRig::negotiated());
    rig.pass(3 * limits::user_idle_ms);
    rig.grow(1);
    EXPECT_EQ(peer.ranges(), "1-1");
    EXPECT_EQ(rig.node().gated.count(Call::load), 1);
    rig.engine().detach(peer.session);
    rig.pass(2 * limits::user_idle_ms);
    EXPECT_EQ(rig.data_of("grown"), "{\"n\":1}");
    EXPECT_EQ(rig.node().gated.count(Call::load), 2);
}

TEST(Engine, WhereThereAreTooManyUsersThoseGoThatWereUnusedForLongest) {
    CoreRig rig;
    for (int i = 0; i < limits::users_active_max + 10; ++i) {
        rig.user = "user" + std::to_string(i);
        rig.engine().snapshot(rig.user, [](auto) {});
        if (i % 1000 == 0) rig.pass(100);
    }
    rig.pass(10'000);
    const auto loads_for = [&](int user) {
        const int before = rig.node().gated.count(Call::load);
        rig.user = "user" + std::to_string(user);
        EXPECT_TRUE(rig.snapshot());
        return rig.node().gated.count(Call::load) - before;
    };
    EXPECT_EQ(loads_for(limits::users_active_max), 0);
    EXPECT_EQ(loads_for(10), 0);
    EXPECT_EQ(loads_for(9), 1);
    EXPECT_EQ(loads_for(0), 1);
}

TEST(Engine, AContextExpiresByAnEventAtItsTime) {
    CoreRig rig;
    test::RecordingPeer peer;
    rig.attach(peer, CoreRig::negotiated());
    PutContext soon{.key = "soon", .data = "{}"};
    soon.expires_at_ms = rig.clock.wall + 60'000;
    ASSERT_TRUE(reply_in(rig.submit(rig.command(soon))));
    PutContext sooner{.key = "sooner", .data = "{}"};
    sooner.expires_at_ms = rig.clock.wall + 20'000;
    ASSERT_TRUE(reply_in(rig.submit(rig.command(sooner))));
    rig.pass(19'900);
    EXPECT_EQ(peer.ranges(), "1-1 2-2");
    rig.pass(200);
    EXPECT_EQ(peer.ranges(), "1-1 2-2 3-3");
    EXPECT_NE(peer.runs.back().text.find("\"action\":\"expired\""), std::string::npos);
    EXPECT_FALSE(rig.data_of("sooner"));
    EXPECT_TRUE(rig.data_of("soon"));
    rig.pass(40'100);
    EXPECT_EQ(rig.log_end(), 4u);
    EXPECT_FALSE(rig.data_of("soon"));
}

TEST(Engine, AnExpiryThatWasPutOffComesLater) {
    CoreRig rig;
    PutContext body{.key = "k", .data = "{}"};
    body.expires_at_ms = rig.clock.wall + 10'000;
    ASSERT_TRUE(reply_in(rig.submit(rig.command(body))));
    body.force = true;
    body.expires_at_ms = rig.clock.wall + 30'000;
    ASSERT_TRUE(reply_in(rig.submit(rig.command(body))));
    rig.pass(20'000);
    EXPECT_TRUE(rig.data_of("k"));
    rig.pass(10'200);
    EXPECT_FALSE(rig.data_of("k"));
}

TEST(Engine, AContextExpiresWhereNobodyIsConnected) {
    CoreRig rig;
    PutContext body{.key = "k", .data = "{}"};
    body.expires_at_ms = rig.clock.wall + limits::user_idle_ms + 60'000;
    ASSERT_TRUE(reply_in(rig.submit(rig.command(body))));
    rig.pass(limits::user_idle_ms + 1000);  // the user is let go
    rig.pass(100'000);
    EXPECT_EQ(rig.log_end(), 2u);
}

// The same key and version can come again once the log and the deletion in it are forgotten.
TEST(Engine, AContextExpiresAlsoWhereOneOfItsVersionExpiredBefore) {
    CoreRig rig;
    PutContext body{.key = "k", .data = "{}"};
    body.expires_at_ms = rig.clock.wall + 1000;
    ASSERT_TRUE(reply_in(rig.submit(rig.command(body))));
    rig.pass(1200);
    ASSERT_EQ(rig.log_end(), 2u);
    rig.grow(2);
    rig.expire_up_to(3);
    sim::UserRecord& record = rig.database.users().at(rig.user);
    record.state.contexts.erase("k");  // as a store does that drops old deletions
    rig.restart(0);
    body.expires_at_ms = rig.clock.wall + 1000;
    const auto again = rig.submit(rig.command(body, "again"));
    ASSERT_TRUE(reply_in(again));
    ASSERT_EQ(reply_in(again)->version, 1u);
    rig.pass(1200);
    EXPECT_EQ(rig.log_end(), 6u);
    EXPECT_FALSE(rig.data_of("k"));
}

TEST(Engine, AnExpiryIsTriedAgainUntilItIsInTheLog) {
    CoreRig rig;
    PutContext body{.key = "k", .data = "{}"};
    body.expires_at_ms = rig.clock.wall + 1000;
    ASSERT_TRUE(reply_in(rig.submit(rig.command(body))));
    sim::StoreFaults faults;
    faults.refuse = 1000;
    rig.node().store.set_faults(faults);
    rig.pass(3000);
    EXPECT_EQ(rig.log_end(), 1u);
    rig.node().store.set_faults({});
    rig.pass(200);
    EXPECT_EQ(rig.log_end(), 2u);
}

TEST(Engine, AClaimEndsByAnEventAtItsTimeAndIsFree) {
    CoreRig rig;
    test::RecordingPeer peer;
    rig.attach(peer, CoreRig::negotiated());
    const AcquireClaim claim{.resource = "r", .ttl_ms = 20'000, .note = {}, .session = {}};
    const auto granted = rig.submit(rig.command(claim));
    ASSERT_TRUE(reply_in(granted));
    EXPECT_EQ(reply_in(granted)->kind, EventKind::claim_changed);
    EXPECT_TRUE(reply_in(granted)->result.starts_with(R"({"action":"granted","claim":{)"));
    const auto claims = [&] { return (*rig.snapshot())->claims.size(); };
    EXPECT_EQ(claims(), 1u);
    rig.pass(15'000);
    ASSERT_TRUE(reply_in(rig.submit(rig.command(claim))));
    rig.pass(19'900);
    EXPECT_EQ(peer.ranges(), "1-1 2-2") << "it was renewed";
    rig.pass(200);
    EXPECT_EQ(peer.ranges(), "1-1 2-2 3-3");
    EXPECT_NE(peer.runs.back().text.find("\"action\":\"expired\""), std::string::npos);
    EXPECT_EQ(claims(), 0u);
    Command late = rig.put("k", "{}");
    late.fence = Fence{"r", 1};
    EXPECT_EQ(error_in(rig.submit(late)), Errc::claim_lost);
}

TEST(Engine, AClaimEndsWhereNobodyIsConnected) {
    CoreRig rig;
    ASSERT_TRUE(reply_in(rig.submit(rig.command(
        AcquireClaim{.resource = "r", .ttl_ms = limits::user_idle_ms + 60'000, .note = {}}))));
    rig.pass(limits::user_idle_ms + 1000);  // the user is let go
    rig.pass(100'000);
    EXPECT_EQ(rig.log_end(), 2u);
}

TEST(Engine, AClaimOutlivesItsNodeAndEndsSoonAfterTheStart) {
    CoreRig rig;
    ASSERT_TRUE(reply_in(
        rig.submit(rig.command(AcquireClaim{.resource = "r", .ttl_ms = 5'000, .note = {}}))));
    rig.restart(0);
    ASSERT_EQ((*rig.snapshot())->claims.size(), 1u);
    rig.clock.wall += 6'000;  // the machine was off
    rig.restart(0);
    rig.pass(1'500);
    EXPECT_EQ(rig.log_end(), 2u) << "nobody asks for it";
    EXPECT_TRUE((*rig.snapshot())->claims.empty());
}

TEST(Engine, AWriteUnderAClaimThatComesAgainAfterItEndedGetsItsAnswerAgain) {
    CoreRig rig;
    ASSERT_TRUE(reply_in(
        rig.submit(rig.command(AcquireClaim{.resource = "r", .ttl_ms = 5'000, .note = {}}))));
    Command write = rig.put("k", "{}");
    write.fence = Fence{"r", 1};
    write.operation_id = "w";
    ASSERT_TRUE(reply_in(rig.submit(write)));
    rig.pass(6'000);
    const auto again = rig.submit(write);
    ASSERT_TRUE(reply_in(again)) << "it was applied while it was held";
    EXPECT_TRUE(reply_in(again)->duplicate);
    write.fence = Fence{"r", 2};
    EXPECT_EQ(error_in(rig.submit(write)), Errc::operation_reused);
}

TEST(Engine, EveryCommandHasItsAnswerInTime) {
    Config config;
    config.command_ms = 2000;
    CoreRig rig(1, config);
    rig.grow(1);
    rig.node().gated.hold(Call::append);
    const auto written = rig.begin(rig.put("k", "{}"));
    const auto rejected = rig.begin(rig.command(DeleteContext{.key = "none"}));
    rig.settle();
    const auto queued = rig.begin(rig.put("other", "{}"));
    rig.pass(1900);
    EXPECT_FALSE(*written || *rejected || *queued);
    EXPECT_FALSE(rig.engine().idle());
    rig.pass(200);
    EXPECT_EQ(error_in(*written), Errc::outcome_unknown);
    EXPECT_EQ(error_in(*rejected), Errc::storage_unavailable) << "it rests on the batch";
    EXPECT_EQ(error_in(*queued), Errc::storage_unavailable);
    EXPECT_TRUE(rig.engine().idle());
    rig.node().gated.release(Call::append);
    rig.settle();  // nobody is answered twice, nor is anything done that was given up
    EXPECT_EQ(rig.log_end(), 2u);
}

TEST(Engine, TheTimeOfACommandCountsFromWhenItCame) {
    Config config;
    config.command_ms = 2000;
    CoreRig rig(1, config);
    rig.grow(1);
    rig.node().gated.hold(Call::append);
    const auto first = rig.begin(rig.put("k", "{}"));
    rig.settle();
    rig.pass(1500);
    const auto second = rig.begin(rig.put("l", "{}"));
    rig.pass(600);
    EXPECT_TRUE(*first);
    EXPECT_FALSE(*second);
    rig.pass(1500);
    EXPECT_TRUE(*second);
}

}  // namespace dyad::core
