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
using test::RecordingPeer;
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

// Operation ids.

TEST(UserLog, AnOperationThatIsSentAgainHasTheSameAnswerAndIsAppliedOnce) {
    CoreRig rig;
    const Command command = rig.put("k", "{\"n\":1}", "same");
    const CommandAnswer first = rig.submit(command);
    rig.grow(3);
    const CommandAnswer again = rig.submit(command);
    ASSERT_TRUE(reply_in(first) && reply_in(again));
    EXPECT_FALSE(reply_in(first)->duplicate);
    EXPECT_TRUE(reply_in(again)->duplicate);
    EXPECT_EQ(reply_in(again)->position, reply_in(first)->position);
    EXPECT_EQ(reply_in(again)->result, reply_in(first)->result);
    EXPECT_EQ(reply_in(again)->version, reply_in(first)->version);
    EXPECT_EQ(times_in_log(rig, "same"), 1);
}

TEST(UserLog, AnOperationIsKnownAfterARestartAndAtOtherNodes) {
    CoreRig rig(2);
    const Command command = rig.put("k", "{\"n\":1}", "same");
    const CommandAnswer first = rig.submit(command, 0);
    rig.restart(0);
    for (const std::size_t node : {0, 1}) {
        const CommandAnswer again = rig.submit(command, node);
        ASSERT_TRUE(reply_in(again));
        EXPECT_TRUE(reply_in(again)->duplicate);
        EXPECT_EQ(reply_in(again)->result, reply_in(first)->result);
    }
    EXPECT_EQ(rig.log_end(), 1u);
}

TEST(UserLog, AnOperationTwiceInOneTurnIsAppliedOnce) {
    CoreRig rig;
    const Command command = rig.put("k", "{\"n\":1}", "same");
    const auto one = rig.begin(command);
    const auto other = rig.begin(command);
    rig.settle();
    ASSERT_TRUE(reply_in(*one) && reply_in(*other));
    EXPECT_EQ(reply_in(*other)->position, reply_in(*one)->position);
    EXPECT_TRUE(reply_in(*other)->duplicate);
    EXPECT_EQ(rig.log_end(), 1u);
}

TEST(UserLog, AnOperationIdForSomethingElseIsRefused) {
    CoreRig rig;
    ASSERT_TRUE(reply_in(rig.submit(rig.put("k", "{\"n\":1}", "same"))));
    EXPECT_EQ(error_in(rig.submit(rig.put("k", "{\"n\":2}", "same"))), Errc::operation_reused);
    Command other = rig.put("k", "{\"n\":3}", "same");
    other.instance_id = "another";
    EXPECT_TRUE(reply_in(rig.submit(other))) << "ids are each instance's own";
    EXPECT_EQ(rig.log_end(), 2u);
}

TEST(UserLog, ARejectedOperationMayBeSentAgain) {
    CoreRig rig;
    const Command erase = rig.command(DeleteContext{.key = "k"}, "same");
    EXPECT_EQ(error_in(rig.submit(erase)), Errc::not_found);
    rig.submit(rig.put("k", "{}"));
    EXPECT_TRUE(reply_in(rig.submit(erase)));
}

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

// Several nodes.

TEST(UserLog, TwoNodesAtOneOffsetBothGetIn) {
    CoreRig rig(2);
    rig.grow(1);
    ASSERT_TRUE(rig.snapshot(1));
    rig.carry = false;
    const auto one = rig.begin(rig.put("k", "{\"by\":1}"), 0);
    const auto other = rig.begin(rig.put("l", "{\"by\":2}"), 1);
    rig.settle();
    rig.pass(1000);
    ASSERT_TRUE(reply_in(*one) && reply_in(*other));
    EXPECT_NE(reply_in(*one)->position.offset, reply_in(*other)->position.offset);
    EXPECT_EQ(rig.log_end(), 3u);
}

TEST(UserLog, ALostRaceIsDecidedAnewOnWhatWon) {
    CoreRig rig(2);
    rig.submit(rig.put("k", "{}"), 0);
    ASSERT_TRUE(rig.snapshot(1));
    rig.carry = false;
    const auto expecting = [&](const std::string& data) {
        PutContext body{.key = "k", .data = data};
        Command command = rig.command(std::move(body));
        command.expected_version = 1;
        return command;
    };
    const auto one = rig.begin(expecting("{\"by\":1}"), 0);
    const auto other = rig.begin(expecting("{\"by\":2}"), 1);
    rig.settle();
    rig.pass(1000);
    EXPECT_TRUE(reply_in(*one));
    EXPECT_EQ(error_in(*other), Errc::version_conflict);
    EXPECT_EQ(rig.data_of("k", 1), "{\"by\":1}");
}

// A rejection from what another node had changed already is none: it needs a read of the log's end
// that began after the command came.
TEST(UserLog, ARejectionRestsOnTheLogsEnd) {
    CoreRig rig(2);
    rig.grow(1);
    ASSERT_TRUE(rig.snapshot(1));
    rig.carry = false;
    ASSERT_TRUE(reply_in(rig.submit(rig.put("k", "{}"), 0)));
    EXPECT_TRUE(reply_in(rig.submit(rig.command(DeleteContext{.key = "k"}), 1)));

    ASSERT_TRUE(reply_in(rig.submit(rig.put("l", "{\"n\":1}"), 1)));
    ASSERT_TRUE(rig.snapshot(0));
    ASSERT_TRUE(reply_in(rig.submit(rig.command(DeleteContext{.key = "l"}), 1)));
    PutContext keep{.key = "l", .data = "{\"n\":2}", .strategy = MergeStrategy::ignore};
    const CommandAnswer kept = rig.submit(rig.command(keep), 0);
    ASSERT_TRUE(reply_in(kept));
    EXPECT_EQ(reply_in(kept)->result.find("\"ignored\""), std::string::npos);
    EXPECT_EQ(rig.data_of("l", 0), "{\"n\":2}");
}

// A read of the log that our own commit overtook is older, and no other log.
TEST(UserLog, AReadThatACommitOvertookResetsNobody) {
    CoreRig rig(2);
    rig.grow(1);
    RecordingPeer peer;
    rig.attach(peer, CoreRig::negotiated());
    rig.carry = false;
    rig.node(0).gated.hold(Call::read_log);
    std::optional<Offset> read_to;
    rig.engine(0).snapshot(rig.user, [&](auto result) { read_to = (*result)->position.offset; });
    rig.settle();
    rig.node(0).gated.hold(Call::append);
    rig.begin(rig.put("k", "{}"), 0);
    rig.settle();
    rig.node(0).gated.release(Call::append);
    rig.settle();
    rig.node(0).gated.release(Call::read_log);
    rig.settle();
    EXPECT_EQ(read_to, 2u);
    EXPECT_TRUE(peer.resets.empty());
    EXPECT_EQ(peer.ranges(), "2-2");
    EXPECT_EQ(rig.node(0).gated.count(Call::load), 1);
}

// A batch waits for its own answer, also where the log is read anew meanwhile: the answer to the
// first request is none to a second.
TEST(UserLog, ABatchUnderWayIsNotSentAgainByAReload) {
    CoreRig rig(2);
    rig.grow(4);
    ASSERT_TRUE(rig.snapshot(1));
    rig.carry = false;
    rig.node(1).gated.hold(Call::append);
    const auto answer = rig.begin(rig.put("k", "{}", "once"), 1);
    rig.settle();
    ASSERT_EQ(rig.log_end(), 5u);
    EXPECT_EQ(rig.node(1).gated.count(Call::append), 1);
    // The log goes on, and the part of it that node 1 would read next expires.
    rig.grow(3, 0);
    rig.expire_up_to(7);
    ASSERT_TRUE(rig.snapshot(1)) << "a reload";
    EXPECT_EQ(rig.node(1).gated.count(Call::load), 2);
    rig.settle();
    EXPECT_EQ(rig.node(1).gated.count(Call::append), 1);
    EXPECT_FALSE(*answer);
    rig.node(1).gated.release(Call::append);
    rig.settle();
    ASSERT_TRUE(reply_in(*answer));
    EXPECT_EQ(reply_in(*answer)->position, rig.position_at(5));
    EXPECT_EQ(rig.log_end(), 8u);
}

// The answer comes while the log is read anew: what is read may be older than the commit.
TEST(UserLog, ACommitThatMeetsAReloadIsNotPutOnTopOfIt) {
    CoreRig rig(2);
    rig.grow(4);
    ASSERT_TRUE(rig.snapshot(1));
    RecordingPeer peer;
    rig.attach(peer, CoreRig::negotiated(), 1);
    rig.carry = false;
    rig.node(1).gated.hold(Call::append);
    const auto answer = rig.begin(rig.put("k", "{}", "once"), 1);
    rig.settle();
    rig.grow(3, 0);
    rig.expire_up_to(7);
    rig.node(1).gated.hold(Call::load);
    rig.engine(1).snapshot(rig.user, [](auto) {});
    rig.settle();
    ASSERT_EQ(rig.node(1).gated.waiting(Call::load), 1u);
    rig.node(1).gated.release(Call::append);
    rig.settle();
    EXPECT_TRUE(peer.runs.empty()) << "nothing of it is shown on a state that is gone";
    rig.node(1).gated.release(Call::load);
    rig.settle();
    ASSERT_TRUE(reply_in(*answer));
    EXPECT_EQ(rig.data_of("k", 1), "{}");
    ASSERT_EQ(peer.resets.size(), 1u);
    EXPECT_EQ(peer.resets[0]->position, rig.position_at(8));
}

// A read must see what other nodes had acknowledged before it: what is being loaded may be older.
TEST(UserLog, AReadDoesNotJoinALoadThatBeganBeforeIt) {
    CoreRig rig(2);
    rig.grow(1, 0);
    rig.carry = false;
    rig.node(1).gated.hold(Call::load);
    rig.engine(1).snapshot(rig.user, [](auto) {});
    rig.settle();
    ASSERT_TRUE(reply_in(rig.submit(rig.put("k", "{}"), 0)));
    std::optional<Offset> read_to;
    rig.engine(1).snapshot(rig.user, [&](auto result) { read_to = (*result)->position.offset; });
    rig.settle();
    rig.node(1).gated.release(Call::load);
    rig.settle();
    EXPECT_EQ(read_to, 2u);
}

// Announcements.

TEST(UserLog, AnAnnouncementThatFollowsIsAppliedWithoutARead) {
    CoreRig rig(2);
    rig.grow(1, 0);
    RecordingPeer peer;
    rig.attach(peer, CoreRig::negotiated(), 1);
    const int reads = rig.node(1).gated.count(Call::read_log);
    rig.grow(1, 0);
    EXPECT_EQ(peer.ranges(), "2-2");
    EXPECT_EQ(rig.node(1).gated.count(Call::read_log), reads);
}

TEST(UserLog, AnAnnouncementBeyondTheEndSendsTheReaderToTheLog) {
    CoreRig rig(2);
    rig.grow(1, 0);
    RecordingPeer peer;
    rig.attach(peer, CoreRig::negotiated(), 1);
    rig.carry = false;
    rig.grow(2, 0);
    rig.node(0).bus.sent.erase(rig.node(0).bus.sent.begin());  // the first one is lost
    rig.carry = true;
    rig.settle();
    EXPECT_EQ(peer.ranges(), "2-3");
}

TEST(UserLog, AnAnnouncementThatDoesNotChainIsLookedUp) {
    CoreRig rig(2);
    rig.grow(1, 0);
    RecordingPeer peer;
    rig.attach(peer, CoreRig::negotiated(), 1);
    rig.carry = false;
    rig.grow(1, 0);
    Announcement forged = rig.node(0).bus.sent.back();
    auto other = std::make_shared<EventBatch>(*forged.batch);
    other->prev_hash[0] ^= 1;
    forged.batch = other;
    rig.node(1).bus.arrive(forged);
    rig.settle();
    EXPECT_EQ(peer.ranges(), "2-2");
    EXPECT_TRUE(peer.resets.empty());
    rig.node(1).bus.arrive(rig.node(0).bus.sent.back());  // late, and known
    rig.settle();
    EXPECT_EQ(peer.ranges(), "2-2");
}

// Nothing proves that a first event is of this log and not of one that a restore took away.
TEST(UserLog, AnAnnouncedFirstEventIsLookedUpNotBelieved) {
    CoreRig rig(2);
    rig.carry = false;
    const sim::SimDatabase::Backup empty = rig.database.backup();
    ASSERT_TRUE(reply_in(rig.submit(rig.put("gone", "{}"), 0)));
    const Announcement announced = rig.node(0).bus.sent.back();
    rig.restart(0);
    rig.restart(1);
    rig.database.restore(empty, {});
    RecordingPeer peer;
    rig.attach(peer, CoreRig::negotiated(), 1);
    rig.node(1).bus.arrive(announced);
    rig.settle();
    EXPECT_TRUE(peer.runs.empty());
    EXPECT_FALSE(rig.data_of("gone", 1));
}

// A log has its epoch before its first event: a position that was given out then stays good.
TEST(UserLog, APositionBeforeTheFirstEventStaysGood) {
    CoreRig rig;
    RecordingPeer early;
    rig.attach(early, CoreRig::negotiated());
    ASSERT_TRUE(early.start);
    EXPECT_NE(early.start->epoch, 0u);
    rig.grow(1);
    EXPECT_EQ(rig.position_at(1).epoch, early.start->epoch);
    EXPECT_EQ(early.ranges(), "1-1");
    RecordingPeer later;
    rig.attach(later, CoreRig::resuming(*early.start));
    EXPECT_EQ(later.ranges(), "1-1");
    EXPECT_TRUE(later.resets.empty());
}

// Restored backups.

TEST(UserLog, ALogThatIsShorterThanWhatWasReadIsReadAnew) {
    CoreRig rig(2);
    rig.grow(2);
    const sim::SimDatabase::Backup backup = rig.database.backup();
    RecordingPeer peer;
    rig.attach(peer, CoreRig::negotiated(), 1);
    rig.grow(2);
    rig.database.restore(backup, {});
    EXPECT_EQ(rig.data_of("grown", 1), "{\"n\":2}");
    EXPECT_EQ(peer.ranges(), "3-3 4-4");
    ASSERT_EQ(peer.resets.size(), 1u);
    EXPECT_EQ(peer.resets[0]->position, rig.position_at(2));
}

// A merge had its base, and a restoration its version, from a log that is replaced before they are
// decided.
TEST(UserLog, WhatWasLookedUpInALogThatWasReplacedIsLookedUpAnew) {
    CoreRig rig(2);
    const sim::SimDatabase::Backup empty = rig.database.backup();
    const auto write_versions = [&](const std::string& first) {
        ASSERT_TRUE(reply_in(rig.submit(rig.put("k", first), 0)));
        ASSERT_TRUE(reply_in(rig.submit(rig.put("k", "{\"a\":1,\"b\":1}"), 0)));
        ASSERT_TRUE(reply_in(rig.submit(rig.put("l", first), 0)));
        ASSERT_TRUE(reply_in(rig.submit(rig.put("l", "{}"), 0)));
    };
    write_versions("{\"a\":1,\"b\":0}");
    ASSERT_TRUE(rig.snapshot(1));
    rig.carry = false;
    rig.node(1).gated.hold(Call::read_version);
    PutContext body{.key = "k", .data = "{\"a\":2,\"b\":0}", .strategy = MergeStrategy::merge};
    Command merge = rig.command(std::move(body));
    merge.expected_version = 1;
    const auto merged = rig.begin(merge, 1);
    const auto restored = rig.begin(rig.command(RestoreContext{.key = "l", .version = 1}), 1);
    rig.settle();
    ASSERT_EQ(rig.node(1).gated.waiting(Call::read_version), 2u);
    rig.database.restore(empty, {});
    rig.restart(0);
    write_versions("{\"a\":2,\"b\":1}");
    ASSERT_TRUE(rig.snapshot(1));
    rig.node(1).gated.release(Call::read_version);
    rig.settle();
    ASSERT_TRUE(reply_in(*merged) && reply_in(*restored));
    EXPECT_EQ(rig.data_of("k", 1), "{\"a\":1,\"b\":0}");
    EXPECT_EQ(rig.data_of("l", 1), "{\"a\":2,\"b\":1}");
}

// Nobody reads or writes, and no announcement arrives: only the poll can tell.
TEST(UserLog, ARestoredLogIsNoticedByTheNextPollWhateverItsLength) {
    struct Case {
        const char* name;
        int lost;   // events
        int grown;  // after the restore
        bool new_epoch;
    };
    for (const Case& it : {Case{"shorter", 2, 0, false}, Case{"of the same length", 2, 2, false},
                           Case{"longer", 2, 3, false}, Case{"with a new epoch", 0, 0, true},
                           Case{"empty", 4, 0, false}}) {
        CoreRig rig(2);
        rig.grow(4 - it.lost);
        const sim::SimDatabase::Backup backup = rig.database.backup();
        rig.grow(it.lost);
        RecordingPeer peer;
        rig.attach(peer, CoreRig::negotiated(), 1);
        rig.carry = false;
        rig.database.restore(backup,
                             it.new_epoch ? [] { return Epoch{99}; } : std::function<Epoch()>());
        rig.restart(0);
        rig.grow(it.grown);
        EXPECT_TRUE(peer.resets.empty() && peer.runs.empty()) << it.name;
        rig.pass(Config{}.poll_ms + 200);
        ASSERT_EQ(peer.resets.size(), 1u) << it.name;
        const Offset end = rig.log_end();
        EXPECT_EQ(peer.resets[0]->position.offset, end) << it.name;
        if (end != 0) EXPECT_EQ(peer.resets[0]->position, rig.position_at(end)) << it.name;
    }
}

TEST(UserLog, APollReadsNoLogThatHasNothingNew) {
    CoreRig rig(2);
    rig.grow(2);
    RecordingPeer peer;
    rig.attach(peer, CoreRig::negotiated(), 1);
    rig.user = "bob";  // without an event
    RecordingPeer other;
    rig.attach(other, CoreRig::negotiated(), 1);
    const int reads = rig.node(1).gated.count(Call::read_log);
    rig.pass(10 * Config{}.poll_ms);
    EXPECT_EQ(rig.node(1).gated.count(Call::heads), 10);
    EXPECT_EQ(rig.node(1).gated.count(Call::read_log), reads);
    EXPECT_EQ(rig.node(1).gated.count(Call::load), 2);
}

TEST(UserLog, APollFindsWhatNoAnnouncementTold) {
    CoreRig rig(2);
    RecordingPeer peer;
    rig.attach(peer, CoreRig::negotiated(), 1);
    rig.carry = false;
    rig.grow(2, 0);
    rig.node(1).bus.up = false;
    rig.pass(Config{}.poll_ms + 200);
    EXPECT_EQ(peer.ranges(), "1-2");
    rig.grow(1, 0);
    rig.pass(Config{}.poll_down_ms + 200);
    EXPECT_EQ(peer.ranges(), "1-2 3-3") << "fast while the bus is down";
}

TEST(UserLog, ALogOfTheSameLengthWithAnotherEndIsReadAnew) {
    CoreRig rig(2);
    rig.grow(2);
    const sim::SimDatabase::Backup backup = rig.database.backup();
    RecordingPeer peer;
    rig.attach(peer, CoreRig::negotiated(), 1);
    rig.grow(2, 0);
    rig.carry = false;
    rig.database.restore(backup, {});
    rig.grow(2, 0);
    EXPECT_EQ(rig.data_of("grown", 1), rig.data_of("grown", 0));
    ASSERT_EQ(peer.resets.size(), 1u);
    EXPECT_EQ(peer.resets[0]->position, rig.position_at(4));
}

// Sessions wait for it, and nobody else may ask for this user for long.
TEST(UserLog, AReloadThatFailsIsTriedAgain) {
    CoreRig rig(2);
    rig.grow(2);
    const sim::SimDatabase::Backup backup = rig.database.backup();
    RecordingPeer peer;
    rig.attach(peer, CoreRig::negotiated(), 1);
    rig.grow(2, 0);
    rig.database.restore(backup, {});
    rig.node(1).gated.hold(Call::read_log);
    rig.engine(1).snapshot(rig.user, [](auto) {});
    rig.settle();
    rig.node(1).store.set_faults(always(&sim::StoreFaults::read_error));
    rig.node(1).gated.release(Call::read_log);
    rig.pass(500);
    EXPECT_GT(rig.node(1).gated.count(Call::load), 1);
    EXPECT_TRUE(peer.resets.empty());
    rig.node(1).store.set_faults({});
    rig.pass(3000);
    ASSERT_EQ(peer.resets.size(), 1u);
    EXPECT_EQ(peer.resets[0]->position, rig.position_at(2));
}

TEST(UserLog, ABatchUnderWayIsNotSentAgainByAReloadThatFailedFirst) {
    CoreRig rig(2);
    rig.grow(4);
    RecordingPeer peer;
    rig.attach(peer, CoreRig::negotiated(), 1);
    rig.carry = false;
    rig.node(1).gated.hold(Call::append);
    const auto answer = rig.begin(rig.put("k", "{}", "once"), 1);
    rig.settle();
    rig.grow(3, 0);
    rig.expire_up_to(7);
    rig.node(1).gated.hold(Call::read_log);
    rig.engine(1).snapshot(rig.user, [](auto) {});
    rig.settle();
    rig.node(1).store.set_faults(always(&sim::StoreFaults::read_error));
    rig.node(1).gated.release(Call::read_log);
    rig.settle();
    rig.node(1).store.set_faults({});
    rig.pass(3000);
    EXPECT_EQ(peer.resets.size(), 1u);
    EXPECT_EQ(rig.node(1).gated.count(Call::append), 1);
    EXPECT_FALSE(*answer);
    rig.node(1).gated.release(Call::append);
    rig.settle();
    ASSERT_TRUE(reply_in(*answer));
    EXPECT_EQ(reply_in(*answer)->position, rig.position_at(5));
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
