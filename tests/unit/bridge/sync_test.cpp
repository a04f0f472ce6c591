#include "cli/bridge/sync.hpp"

#include <gtest/gtest.h>

namespace dyad::cli {
namespace {

const Text kNone;
const Text kOne = "one\n", kTwo = "two\n";

void expect(const SyncPlan& plan, const Text& mine, const Text& theirs, const Text& base) {
    EXPECT_EQ(plan.mine, mine);
    EXPECT_EQ(plan.theirs, theirs);
    EXPECT_EQ(plan.base, base);
    EXPECT_TRUE(plan.conflicts.empty());
}

TEST(SyncPlan, GivesTheOtherSideWhatIsNew) {
    for (const bool deletes : {false, true}) {
        expect(plan_sync(kNone, kNone, kNone, deletes), kNone, kNone, kNone);
        expect(plan_sync(kOne, kNone, kNone, deletes), kOne, kOne, kOne);
        expect(plan_sync(kNone, kNone, kOne, deletes), kOne, kOne, kOne);
        expect(plan_sync(kOne, kOne, kTwo, deletes), kTwo, kTwo, kTwo);
        expect(plan_sync(kTwo, kOne, kOne, deletes), kTwo, kTwo, kTwo);
    }
}

TEST(SyncPlan, LeavesAloneWhatIsGoneOnOneSide) {
    expect(plan_sync(kNone, kOne, kOne, false), kNone, kOne, kOne);
    expect(plan_sync(kOne, kOne, kNone, false), kOne, kNone, kOne);
    expect(plan_sync(kNone, kOne, kTwo, false), kNone, kTwo, kOne);
}

TEST(SyncPlan, DeletesWhereThatIsAskedForAndNothingChanged) {
    expect(plan_sync(kNone, kOne, kOne, true), kNone, kNone, kNone);
    expect(plan_sync(kOne, kOne, kNone, true), kNone, kNone, kNone);
    expect(plan_sync(kNone, kOne, kTwo, true), kTwo, kTwo, kTwo);
    expect(plan_sync(kTwo, kOne, kNone, true), kTwo, kTwo, kTwo);
    expect(plan_sync(kTwo, kOne, kNone, false), kTwo, kTwo, kTwo);
    expect(plan_sync(kNone, kOne, kNone, true), kNone, kNone, kNone);
}

TEST(SyncPlan, KeepsBothSidesOfAConflict) {
    const SyncPlan plan = plan_sync("a\nmine\n", "a\nb\n", "a\ntheirs\n", false);
    ASSERT_EQ(plan.conflicts.size(), 1U);
    EXPECT_EQ(plan.mine, "a\nmine\n");
    EXPECT_EQ(plan.theirs, "a\ntheirs\n");
    EXPECT_EQ(plan.base, "a\nb\n");
}

TEST(SyncPlan, SaysWhatIsCommonWhileTheFileIsNotWrittenYet) {
    const SyncPlan plan = plan_sync("mine\nb\nc\n", "a\nb\nc\n", "a\nb\ntheirs\n", false);
    EXPECT_EQ(plan.base_of_mine, "mine\nb\nc\n");
    expect(plan_sync("mine\nb\nc\n", plan.base_of_mine, plan.theirs, false), plan.mine, plan.theirs,
           plan.base);
}

}  // namespace
}  // namespace dyad::cli
