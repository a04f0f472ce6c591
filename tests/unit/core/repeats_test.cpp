// Operations that come again: they are answered as before, whatever has become of the log since.
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

TEST(Repeats, AnOperationThatIsSentAgainHasTheSameAnswerAndIsAppliedOnce) {
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

TEST(Repeats, AnOperationIsKnownAfterARestartAndAtOtherNodes) {
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

TEST(Repeats, AnOperationTwiceInOneTurnIsAppliedOnce) {
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

TEST(Repeats, AnOperationIdForSomethingElseIsRefused) {
    CoreRig rig;
    ASSERT_TRUE(reply_in(rig.submit(rig.put("k", "{\"n\":1}", "same"))));
    EXPECT_EQ(error_in(rig.submit(rig.put("k", "{\"n\":2}", "same"))), Errc::operation_reused);
    Command other = rig.put("k", "{\"n\":3}", "same");
    other.instance_id = "another";
    EXPECT_TRUE(reply_in(rig.submit(other))) << "ids are each instance's own";
    EXPECT_EQ(rig.log_end(), 2u);
}

TEST(Repeats, ARejectedOperationMayBeSentAgain) {
    CoreRig rig;
    const Command erase = rig.command(DeleteContext{.key = "k"}, "same");
    EXPECT_EQ(error_in(rig.submit(erase)), Errc::not_found);
    rig.submit(rig.put("k", "{}"));
    EXPECT_TRUE(reply_in(rig.submit(erase)));
}

// Its event is gone, and its answer with it.
TEST(Repeats, AnOperationThatExpiredIsNotAppliedAgain) {
    for (const bool in_memory : {true, false}) {
        CoreRig rig;
        const Command command = rig.put("k", "{\"n\":1}", "same");
        ASSERT_TRUE(reply_in(rig.submit(command)));
        rig.grow(3);
        rig.expire_up_to(2);
        if (!in_memory) rig.restart(0);
        EXPECT_EQ(error_in(rig.submit(command)), Errc::already_applied);
        EXPECT_EQ(rig.log_end(), 4u);
        EXPECT_TRUE(reply_in(rig.submit(rig.put("k", "{\"n\":2}", "new"))));
    }
}

TEST(Repeats, AnOperationThatExpiresWhileItIsLookedUpIsNotAppliedAgain) {
    CoreRig rig;
    const Command command = rig.put("k", "{}", "same");
    ASSERT_TRUE(reply_in(rig.submit(command)));
    rig.grow(3);
    rig.restart(0);
    ASSERT_TRUE(rig.snapshot());
    rig.node().gated.hold(Call::append);
    const auto again = rig.begin(command);
    rig.settle();
    ASSERT_EQ(rig.node().gated.waiting(Call::append), 1u);
    rig.expire_up_to(2);
    rig.node().gated.release(Call::append);
    rig.settle();
    EXPECT_EQ(error_in(*again), Errc::already_applied);
    EXPECT_EQ(rig.log_end(), 4u);
}

// What was written is the store's to know.

TEST(Repeats, NobodyReadsWhatWasWrittenBeforeAWrite) {
    CoreRig rig;
    rig.grow(3);
    rig.restart(0);
    ASSERT_TRUE(rig.snapshot());
    ASSERT_TRUE(reply_in(rig.submit(rig.put("k", "{}"))));
    EXPECT_EQ(rig.node().gated.count(Call::find), 0);
    EXPECT_EQ(rig.node().gated.count(Call::append), 1);
}

TEST(Repeats, ARepeatOfWhatIsReadAlreadyCostsAnAppendAndTheReadOfItsEvent) {
    CoreRig rig;
    const Command command = rig.put("k", "{\"n\":1}", "same");
    const CommandAnswer first = rig.submit(command);
    rig.grow(3);
    rig.restart(0);
    ASSERT_TRUE(rig.snapshot());
    const CommandAnswer again = rig.submit(command);
    ASSERT_TRUE(reply_in(first) && reply_in(again));
    EXPECT_EQ(reply_in(again)->position, reply_in(first)->position);
    EXPECT_EQ(rig.node().gated.count(Call::append), 1);
    EXPECT_EQ(rig.node().gated.count(Call::read), 1);
}

TEST(Repeats, ARepeatFromBeforeARestartKeepsNobodyOutOfItsBatch) {
    CoreRig rig;
    const Command command = rig.put("k", "{\"n\":1}", "same");
    const CommandAnswer first = rig.submit(command);
    ASSERT_TRUE(reply_in(first));
    rig.restart(0);
    const auto before = rig.begin(rig.put("k", "{\"n\":2}", "before"));
    const auto again = rig.begin(command);
    const auto behind = rig.begin(rig.put("k", "{\"n\":3}", "behind"));
    rig.settle();
    ASSERT_TRUE(reply_in(*before) && reply_in(*again) && reply_in(*behind));
    EXPECT_TRUE(reply_in(*again)->duplicate);
    EXPECT_EQ(reply_in(*again)->position, reply_in(first)->position);
    EXPECT_EQ(rig.log_end(), 3u);
    EXPECT_EQ(rig.data_of("k"), "{\"n\":3}");
}

TEST(Repeats, ManyRepeatsAreNoRacesThatTheOthersLose) {
    CoreRig rig;
    std::vector<Command> commands;
    for (int i = 0; i < 40; ++i) {
        commands.push_back(rig.put("k", "{}", "same" + std::to_string(i)));
        ASSERT_TRUE(reply_in(rig.submit(commands.back())));
    }
    rig.restart(0);
    std::vector<std::shared_ptr<CommandAnswer>> answers;
    answers.push_back(rig.begin(rig.put("k", "{}", "new")));
    for (const Command& command : commands)
        answers.push_back(rig.begin(command));
    rig.settle();
    for (const auto& answer : answers)
        ASSERT_TRUE(reply_in(*answer));
    EXPECT_EQ(rig.log_end(), 41u);
}

TEST(Repeats, ARepeatOfAnAcceptedOperationIsNeverToldThatItConflicts) {
    CoreRig rig;
    Command create = rig.put("k", "{\"n\":1}", "same");
    create.expected_version = 0;
    std::get<PutContext>(create.body).force = false;
    const CommandAnswer first = rig.submit(create);
    ASSERT_TRUE(reply_in(first));
    for (const bool restarted : {false, true}) {
        if (restarted) rig.restart(0);
        const CommandAnswer again = rig.submit(create);
        ASSERT_TRUE(reply_in(again));
        EXPECT_TRUE(reply_in(again)->duplicate);
        EXPECT_EQ(reply_in(again)->position, reply_in(first)->position);
    }
    create.operation_id = "another";
    EXPECT_EQ(error_in(rig.submit(create)), Errc::version_conflict);
    rig.expire_up_to(1);
    create.operation_id = "same";
    EXPECT_EQ(error_in(rig.submit(create)), Errc::already_applied);
}

TEST(Repeats, WhereItCannotBeKnownWhetherItWasAppliedARejectionIsNotGiven) {
    CoreRig rig;
    rig.grow(1);
    Command create = rig.put("grown", "{}", "late");
    create.expected_version = 0;
    std::get<PutContext>(create.body).force = false;
    rig.node().store.set_faults(always(&sim::StoreFaults::read_error));
    EXPECT_EQ(error_in(rig.submit(create)), Errc::storage_unavailable);
    rig.node().store.set_faults({});
    EXPECT_EQ(error_in(rig.submit(create)), Errc::version_conflict);
}

}  // namespace dyad::core
