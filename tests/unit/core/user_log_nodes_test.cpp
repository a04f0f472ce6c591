// A log that others write, too, and that a restored backup may replace.
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

}  // namespace

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

// Existing instances hear of an event from the node that wrote it, and from nobody else.
TEST(UserLog, WhatGotInOfABatchWithoutAnAnswerIsAnnounced) {
    for (const auto fault : {&sim::StoreFaults::partial, &sim::StoreFaults::lose_answer,
                             &sim::StoreFaults::lose_request}) {
        CoreRig rig(2);
        rig.grow(1);
        rig.carry = false;
        rig.node().store.set_faults(always(fault));
        std::vector<std::shared_ptr<CommandAnswer>> answers;
        for (const char* const key : {"k", "l", "m", "n"})
            answers.push_back(rig.begin(rig.put(key, "{}")));
        rig.settle();
        rig.node().store.set_faults({});
        rig.pass(3000);
        for (const auto& answer : answers)
            EXPECT_TRUE(reply_in(*answer));
        ASSERT_EQ(rig.log_end(), 5u);
        std::vector<Offset> announced;
        for (const Announcement& one : rig.node().bus.sent) {
            EXPECT_TRUE(verify_batch(*one.batch));
            for (Offset at = one.batch->first; at <= one.batch->last(); ++at)
                announced.push_back(at);
        }
        EXPECT_EQ(announced, (std::vector<Offset>{2, 3, 4, 5}));
    }
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
    rig.node(0).gated.hold(Call::read);
    std::optional<Offset> read_to;
    rig.engine(0).snapshot(rig.user, [&](auto result) { read_to = (*result)->position.offset; });
    rig.settle();
    rig.node(0).gated.hold(Call::append);
    rig.begin(rig.put("k", "{}"), 0);
    rig.settle();
    rig.node(0).gated.release(Call::append);
    rig.settle();
    rig.node(0).gated.release(Call::read);
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
    const int reads = rig.node(1).gated.count(Call::read);
    rig.grow(1, 0);
    EXPECT_EQ(peer.ranges(), "2-2");
    EXPECT_EQ(rig.node(1).gated.count(Call::read), reads);
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

TEST(UserLog, EveryNodeSaysTheSameOfALogBeforeItsFirstEvent) {
    CoreRig rig(3);
    RecordingPeer early[3];
    for (std::size_t node = 0; node < 3; ++node)
        rig.attach(early[node], CoreRig::negotiated(), node);
    rig.restart(2);
    rig.grow(1, 1);
    for (const RecordingPeer& peer : early)
        EXPECT_EQ(peer.start->epoch, rig.position_at(1).epoch);
    for (std::size_t node = 0; node < 3; ++node) {
        RecordingPeer later;
        rig.attach(later, CoreRig::resuming(*early[node].start), 2);
        EXPECT_TRUE(later.resets.empty()) << node;
        EXPECT_EQ(later.ranges(), "1-1") << node;
    }
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
    const int reads = rig.node(1).gated.count(Call::read);
    rig.pass(10 * Config{}.poll_ms);
    EXPECT_EQ(rig.node(1).gated.count(Call::heads), 10);
    EXPECT_EQ(rig.node(1).gated.count(Call::read), reads);
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
    rig.node(1).gated.hold(Call::read);
    rig.engine(1).snapshot(rig.user, [](auto) {});
    rig.settle();
    rig.node(1).store.set_faults(always(&sim::StoreFaults::read_error));
    rig.node(1).gated.release(Call::read);
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
    rig.node(1).gated.hold(Call::read);
    rig.engine(1).snapshot(rig.user, [](auto) {});
    rig.settle();
    rig.node(1).store.set_faults(always(&sim::StoreFaults::read_error));
    rig.node(1).gated.release(Call::read);
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

}  // namespace dyad::core
