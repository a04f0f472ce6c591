// How a command gets into a log, once, whatever the store and the other nodes do meanwhile.
#include "base/limits.hpp"
#include "support/core_rig.hpp"

#include <gtest/gtest.h>

namespace dyad::core {
namespace {

using test::Call;
using test::CommandAnswer;
using test::CoreRig;
using test::error_in;
using test::reply_in;

sim::StoreFaults always(std::int64_t sim::StoreFaults::* fault) {
    sim::StoreFaults faults;
    faults.*fault = 1000;
    return faults;
}

// How often an operation is in the log.
int times_in_log(CoreRig& rig, const std::string& operation_id) {
    int times = 0;
    for (const sim::StoredEvent& event : rig.log().events)
        times += decode_event(event.text())->operation_id == operation_id ? 1 : 0;
    return times;
}

}  // namespace

// Writes in doubt.

TEST(UserLog, AWriteInDoubtThatWasAppliedIsFoundAndNotRepeated) {
    CoreRig rig(2);
    rig.grow(1);
    rig.node(0).store.set_faults(always(&sim::StoreFaults::lose_answer));
    const auto answer = rig.begin(rig.put("k", "{}", "doubted"));
    rig.settle();
    EXPECT_FALSE(*answer) << "nobody knows yet";
    EXPECT_EQ(rig.log_end(), 2u);
    rig.node(0).store.set_faults({});
    rig.pass(100);
    ASSERT_TRUE(reply_in(*answer));
    EXPECT_EQ(reply_in(*answer)->position, rig.position_at(2));
    EXPECT_EQ(rig.log_end(), 2u);
}

TEST(UserLog, AWriteInDoubtThatWasNotAppliedIsSentAgain) {
    CoreRig rig;
    rig.grow(1);
    rig.node().store.set_faults(always(&sim::StoreFaults::lose_request));
    const auto answer = rig.begin(rig.put("k", "{}", "doubted"));
    rig.pass(1000);
    EXPECT_FALSE(*answer);
    EXPECT_EQ(rig.log_end(), 1u);
    rig.node().store.set_faults({});
    rig.pass(3000);
    ASSERT_TRUE(reply_in(*answer));
    EXPECT_EQ(times_in_log(rig, "doubted"), 1);
}

TEST(UserLog, WhatWasAppliedInPartIsCompletedOnce) {
    CoreRig rig;
    rig.grow(1);
    rig.node().store.set_faults(always(&sim::StoreFaults::partial));
    std::vector<std::shared_ptr<CommandAnswer>> answers;
    for (int i = 0; i < 5; ++i)
        answers.push_back(rig.begin(rig.put("k", "{}", "part" + std::to_string(i))));
    rig.settle();
    EXPECT_LT(rig.log_end(), 6u);
    rig.node().store.set_faults({});
    rig.pass(1000);
    for (int i = 0; i < 5; ++i) {
        EXPECT_TRUE(reply_in(*answers[static_cast<std::size_t>(i)]));
        EXPECT_EQ(times_in_log(rig, "part" + std::to_string(i)), 1);
    }
    EXPECT_EQ(rig.log_end(), 6u);
}

TEST(UserLog, AnOutcomeThatStaysUnknownIsSaidToBeAndSettledByTheSameId) {
    for (const bool applied : {true, false}) {
        Config config;
        config.command_ms = 2000;
        CoreRig rig(1, config);
        rig.grow(1);
        rig.node().store.set_faults(
            always(applied ? &sim::StoreFaults::lose_answer : &sim::StoreFaults::lose_request));
        const Command command = rig.put("k", "{}", "doubted");
        const auto answer = rig.begin(command);
        rig.settle();
        rig.node().store.set_cut(true);  // no read can tell either
        rig.pass(2500);
        EXPECT_EQ(error_in(*answer), Errc::outcome_unknown);
        rig.node().store.set_cut(false);
        rig.node().store.set_faults({});
        rig.pass(3000);
        const CommandAnswer again = rig.submit(command);
        ASSERT_TRUE(reply_in(again));
        EXPECT_EQ(reply_in(again)->duplicate, applied);
        EXPECT_EQ(times_in_log(rig, "doubted"), 1);
    }
}

TEST(UserLog, ARefusedWriteIsNotInTheLogAndSaysSo) {
    CoreRig rig;
    rig.grow(1);
    rig.node().store.set_faults(always(&sim::StoreFaults::refuse));
    EXPECT_EQ(error_in(rig.submit(rig.put("k", "{}"))), Errc::storage_unavailable);
    rig.node().store.set_faults({});
    rig.pass(3000);
    EXPECT_EQ(rig.log_end(), 1u);
    EXPECT_FALSE(rig.data_of("k"));
}

TEST(UserLog, ACopyOfARequestThatMeetsTheFirstIsNoRaceLost) {
    CoreRig rig;
    rig.grow(1);
    rig.node().store.set_faults(always(&sim::StoreFaults::repeat));  // applied, then "conflict"
    const auto answer = rig.begin(rig.put("k", "{}", "doubled"));
    rig.pass(1000);
    ASSERT_TRUE(reply_in(*answer));
    EXPECT_EQ(times_in_log(rig, "doubled"), 1);
}

TEST(UserLog, ACommandThatLosesEveryRaceIsToldToComeAgain) {
    Config config;
    config.command_ms = 1'000'000;
    CoreRig rig(2, config);
    rig.grow(1);
    rig.node().gated.loses_races = true;
    const int appends = rig.node().gated.count(Call::append);
    const auto answer = rig.begin(rig.put("k", "{}"));
    rig.pass(60'000);
    EXPECT_EQ(error_in(*answer), Errc::unavailable);
    EXPECT_EQ(rig.node().gated.count(Call::append), appends + limits::commit_tries_max);
    rig.node().gated.loses_races = false;
    EXPECT_TRUE(reply_in(rig.submit(rig.put("k", "{}"))));
}

// Past versions.

TEST(UserLog, APastVersionIsRestoredAsANewOne) {
    CoreRig rig;
    rig.grow(3);  // versions 1 to 3
    const CommandAnswer answer =
        rig.submit(rig.command(RestoreContext{.key = "grown", .version = 1}));
    ASSERT_TRUE(reply_in(answer));
    EXPECT_EQ(reply_in(answer)->version, 4u);
    EXPECT_EQ(rig.data_of("grown"), "{\"n\":1}");
    EXPECT_EQ(error_in(rig.submit(rig.command(RestoreContext{.key = "grown", .version = 9}))),
              Errc::not_found);
}

TEST(UserLog, AnExpiredVersionCannotBeRestoredAndSaysWhy) {
    CoreRig rig;
    rig.grow(3);
    rig.expire_up_to(2);
    EXPECT_EQ(error_in(rig.submit(rig.command(RestoreContext{.key = "grown", .version = 1}))),
              Errc::history_gone);
    EXPECT_EQ(rig.data_of("grown"), "{\"n\":3}");
}

TEST(UserLog, ADeletedContextIsRestored) {
    CoreRig rig;
    rig.grow(1);
    ASSERT_TRUE(reply_in(rig.submit(rig.command(DeleteContext{.key = "grown"}))));
    ASSERT_TRUE(reply_in(rig.submit(rig.command(RestoreContext{.key = "grown", .version = 1}))));
    EXPECT_EQ(rig.data_of("grown"), "{\"n\":1}");
}

// Merges whose base is not the stored version look for it in the log.
TEST(UserLog, AMergeFindsItsBaseInTheLog) {
    for (const bool expired : {false, true}) {
        CoreRig rig;
        rig.submit(rig.put("k", "{\"a\":1,\"b\":1}"));
        rig.submit(rig.put("k", "{\"a\":2,\"b\":1}"));
        if (expired) rig.expire_up_to(1);
        PutContext body{.key = "k", .data = "{\"a\":1,\"b\":2}", .strategy = MergeStrategy::merge};
        Command command = rig.command(std::move(body));
        command.expected_version = 1;
        const CommandAnswer answer = rig.submit(command);
        ASSERT_TRUE(reply_in(answer));
        const auto taken = rig.snapshot();
        if (expired)
            EXPECT_EQ((*taken)->conflicts.size(), 2u) << "both sides are kept";
        else
            EXPECT_EQ(rig.data_of("k"), "{\"a\":2,\"b\":2}");
    }
}

// Bounds.

TEST(UserLog, TooManyWaitingCommandsAreSentAway) {
    CoreRig rig;
    rig.node().gated.hold(Call::load);
    int away = 0;
    for (int i = 0; i < limits::commands_per_user_queued_max + 5; ++i)
        away += error_in(*rig.begin(rig.put("k", "{}"))) == Errc::unavailable ? 1 : 0;
    EXPECT_EQ(away, 5);
}

TEST(UserLog, WaitingCommandsOfAllUsersHaveABoundInBytes) {
    core::Config config;
    config.commands_bytes_max = 100'000;
    CoreRig rig(1, config);
    rig.node().gated.hold(Call::load);
    const std::string data = "{\"x\":\"" + std::string(20'000, 'y') + "\"}";
    int away = 0;
    for (int i = 0; i < 12; ++i) {
        rig.user = i % 2 == 0 ? "ada" : "bob";
        away += error_in(*rig.begin(rig.put("k", data))) == Errc::unavailable ? 1 : 0;
    }
    EXPECT_EQ(away, 8);
    rig.node().gated.release(Call::load);
    rig.settle();
    for (int i = 0; i < 8; ++i)
        EXPECT_TRUE(reply_in(rig.submit(rig.put("again" + std::to_string(i), data))));
}

TEST(UserLog, CommandsOfOneTurnAreOneBatchInTheirOrder) {
    CoreRig rig;
    rig.grow(1);
    const int appends = rig.node().gated.count(Call::append);
    std::vector<std::shared_ptr<CommandAnswer>> answers;
    for (int i = 0; i < 100; ++i)
        answers.push_back(rig.begin(rig.put("k", "{\"i\":" + std::to_string(i) + "}")));
    rig.settle();
    EXPECT_EQ(rig.node().gated.count(Call::append), appends + 1);
    for (std::size_t i = 0; i < answers.size(); ++i) {
        ASSERT_TRUE(reply_in(*answers[i]));
        EXPECT_EQ(reply_in(*answers[i])->position.offset, i + 2);
    }
    EXPECT_EQ(rig.data_of("k"), "{\"i\":99}");
}

// Time: what a wrong clock may not do.

core::Config short_lives() {
    core::Config config;
    config.context_ttl_ms = 30LL * 24 * 3600 * 1000;
    return config;
}
constexpr std::int64_t kDay = 24LL * 3600 * 1000;

TEST(UserLog, AClockThatIsDaysAheadForAMomentExpiresNothing) {
    CoreRig rig(1, short_lives());
    rig.submit(rig.put("kept", "{}"));
    rig.pass(1'000);
    const std::int64_t now = rig.clock.wall;
    rig.clock.wall += 40 * kDay;
    rig.pass(5'000);
    EXPECT_EQ(rig.data_of("kept"), "{}");
    rig.submit(rig.put("dated", "{}"));
    EXPECT_LE(rig.log().events.back().entry().timestamp_ms, now + 6'000);
    rig.clock.wall -= 40 * kDay;
    rig.pass(60'000);
    EXPECT_EQ(rig.data_of("kept"), "{}");
    EXPECT_EQ(rig.log_end(), 2U);
}

TEST(UserLog, ANodeThatStartsDaysAheadExpiresNothing) {
    CoreRig rig(1, short_lives());
    rig.submit(rig.put("kept", "{}"));
    rig.clock.wall += 40 * kDay;
    rig.restart(0);
    rig.pass(600'000);
    EXPECT_EQ(rig.data_of("kept"), "{}");
    rig.clock.wall -= 40 * kDay;
    rig.restart(0);
    rig.pass(600'000);
    EXPECT_EQ(rig.data_of("kept"), "{}");
}

TEST(UserLog, TimeThatReallyPassedExpiresWhatIsOver) {
    CoreRig rig(1, short_lives());
    rig.submit(rig.put("over", "{}"));
    rig.clock.wall += 31 * kDay;  // asleep
    rig.clock.steady += 31 * kDay;
    rig.pass(60'000);
    EXPECT_EQ(rig.data_of("over"), std::nullopt);
}

TEST(UserLog, WhatEndedWhileTheMachineWasOffExpiresSoonAfterTheStart) {
    core::Config config;
    config.context_ttl_ms = kDay;
    CoreRig rig(1, config);
    rig.submit(rig.put("over", "{}"));
    rig.clock.wall += 2 * kDay;
    rig.restart(0);
    rig.pass(240'000);
    EXPECT_EQ(rig.data_of("over"), "{}");
    rig.pass(120'000);
    EXPECT_EQ(rig.data_of("over"), std::nullopt);
}

TEST(UserLog, WhatASlowClockDatedLivesOnWhenTheClockIsPutRight) {
    core::Config config;
    config.context_ttl_ms = 30 * kDay;
    config.proof.hold_max_ms = 60'000;
    CoreRig rig(1, config);
    rig.submit(rig.put("young", "{}"));
    rig.clock.wall += 60 * kDay;
    rig.pass(120'000);
    EXPECT_EQ(rig.data_of("young"), "{}");
    rig.clock.wall += 31 * kDay;
    rig.clock.steady += 31 * kDay;
    rig.pass(60'000);
    EXPECT_EQ(rig.data_of("young"), std::nullopt);
}

TEST(UserLog, AnIdleEngineHasNothingToDoForSeconds) {
    CoreRig rig;
    rig.submit(rig.put("k", "{}"));
    rig.pass(31'000);
    EXPECT_GE(rig.engine().next_ms() - rig.clock.steady, 1'000);
}

TEST(UserLog, ATimestampNeverGoesBackWithTheClock) {
    CoreRig rig;
    rig.grow(1);
    rig.clock.wall -= 3'600'000;
    rig.grow(1);
    const auto& events = rig.log().events;
    EXPECT_EQ(events[1].entry().timestamp_ms, events[0].entry().timestamp_ms);
}

TEST(UserLog, AFailingLoadAnswersAndTheNextOneTriesAgain) {
    CoreRig rig;
    rig.node().store.set_faults(always(&sim::StoreFaults::read_error));
    EXPECT_EQ(error_in(rig.submit(rig.put("k", "{}"))), Errc::storage_unavailable);
    EXPECT_FALSE(rig.snapshot());
    rig.node().store.set_faults({});
    EXPECT_TRUE(reply_in(rig.submit(rig.put("k", "{}"))));
}

}  // namespace dyad::core
