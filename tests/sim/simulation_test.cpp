// The parts of the simulation that everything else rests on: the same seed is the same run, and the
// simulated store keeps its law with and without faults.
#include "sim/run.hpp"
#include "sim_store/sim_store.hpp"

#include <set>

#include <gtest/gtest.h>

namespace dyad::sim {
namespace {

// `count` events that follow `head`.
AppendRequest batch_after(LogHead& head, int count, const std::string& prefix) {
    auto batch = std::make_shared<EventBatch>();
    AppendRequest request{.user_id = "anna"};
    for (int i = 0; i < count; ++i) {
        const std::string id = prefix + std::to_string(i);
        const Change change = McpChange{EventKind::mcp_tool_executed, "{}"};
        const std::string data = encode_change(change);
        append_event(*batch, head,
                     {.kind = EventKind::mcp_tool_executed,
                      .scope = "mcp",
                      .source_instance_id = "laptop",
                      .operation_id = id,
                      .data = data});
        request.changes.push_back(change);
    }
    request.batch = batch;
    return request;
}

LogHead new_log() {
    return first_head("anna", SimDatabase().epoch_seed);
}

struct Fixture {
    EventQueue queue;
    SimDatabase database;
    std::shared_ptr<Availability> availability = std::make_shared<Availability>();
    SimStore store{queue, database, 1, availability};

    AppendOutcome append(const AppendRequest& request) {
        std::optional<AppendOutcome> outcome;
        store.append(request, [&](AppendResult result) { outcome = result.outcome; });
        EXPECT_FALSE(outcome);  // never inside the call
        queue.run_all();
        return outcome.value();
    }
    std::optional<Offset> find(const std::string& operation) {
        std::optional<Offset> at;
        store.find("anna", {"laptop", operation},
                   [&](const Result<std::optional<Offset>>& result) { at = *result; });
        queue.run_all();
        return at;
    }
    LoadedLog load() {
        std::optional<LoadedLog> loaded;
        store.load("anna", [&](Result<LoadedLog> result) { loaded = *std::move(result); });
        queue.run_all();
        return loaded.value();
    }
};

}  // namespace

TEST(Simulation, TheSameSeedIsTheSameRun) {
    for (const std::uint64_t seed : {1, 9, 19, 42}) {
        const Outcome first = run_seed(seed, {}, true);
        const Outcome again = run_seed(seed, {}, false);
        EXPECT_EQ(first.trace_hash, again.trace_hash) << seed;
        EXPECT_EQ(first.steps, again.steps) << seed;
        EXPECT_GT(first.trace.size(), 10u) << seed;
    }
    EXPECT_NE(run_seed(1, {}, false).trace_hash, run_seed(2, {}, false).trace_hash);
}

TEST(Simulation, EveryVariantHasANameOfItsOwn) {
    std::set<std::string> names;
    for (const Variant& variant : all_variants()) {
        EXPECT_TRUE(names.insert(variant.name).second) << variant.name;
        EXPECT_TRUE(variant_by_name(variant.name)) << variant.name;
    }
    EXPECT_FALSE(variant_by_name("no_such_variant"));
}

TEST(SimStore, CommitsAndReadsBack) {
    Fixture fixture;
    LogHead head = new_log();
    EXPECT_EQ(fixture.append(batch_after(head, 3, "a")), AppendOutcome::committed);
    const LoadedLog loaded = fixture.load();
    EXPECT_EQ(loaded.head.offset, 3u);
    EXPECT_EQ(loaded.head.hash, head.hash);
    EXPECT_EQ(fixture.find("a0"), std::optional<Offset>(1));
    EXPECT_EQ(fixture.find("a2"), std::optional<Offset>(3));
    EXPECT_EQ(fixture.find("a3"), std::nullopt);
}

TEST(SimStore, OneOfTwoAppendsAtTheSameOffsetConflicts) {
    Fixture fixture;
    LogHead one = new_log();
    LogHead other = new_log();
    EXPECT_EQ(fixture.append(batch_after(one, 1, "a")), AppendOutcome::committed);
    EXPECT_EQ(fixture.append(batch_after(other, 1, "b")), AppendOutcome::conflict);
    EXPECT_EQ(fixture.load().head.hash, one.hash);
}

TEST(SimStore, AnOperationIdIsInTheLogOnce) {
    Fixture fixture;
    LogHead head = new_log();
    EXPECT_EQ(fixture.append(batch_after(head, 1, "a")), AppendOutcome::committed);
    EXPECT_EQ(fixture.append(batch_after(head, 1, "a")), AppendOutcome::duplicate);
    EXPECT_EQ(fixture.load().head.offset, 1u);
}

TEST(SimStore, ALateAppendLandsAfterItsTimeOutUnlessItWasOvertaken) {
    for (const bool overtaken : {false, true}) {
        Fixture fixture;
        StoreFaults faults;
        faults.late = 1'000;
        fixture.store.set_faults(faults);
        LogHead head = new_log();
        LogHead other = new_log();
        std::optional<AppendOutcome> outcome;
        fixture.store.append(batch_after(head, 1, "a"),
                             [&](AppendResult result) { outcome = result.outcome; });
        fixture.queue.run_until(faults.time_out_us);
        EXPECT_EQ(outcome, AppendOutcome::unknown);
        EXPECT_TRUE(fixture.database.find("anna") == nullptr);
        fixture.store.set_faults({});
        if (overtaken) {
            fixture.store.append(batch_after(other, 1, "b"), [](const AppendResult&) {});
            fixture.queue.run_until(faults.time_out_us);
        }
        fixture.queue.run_all();
        EXPECT_EQ(fixture.load().head.offset, 1u);
        EXPECT_EQ(fixture.load().head.hash, overtaken ? other.hash : head.hash);
    }
}

TEST(SimStore, ACrashDropsWhatIsVisibleButNotJournaled) {
    Fixture fixture;
    StoreFaults faults;
    faults.journal_max_us = 1'000'000;
    fixture.store.set_faults(faults);
    LogHead head = new_log();
    std::optional<AppendOutcome> outcome;
    fixture.store.append(batch_after(head, 1, "a"),
                         [&](AppendResult result) { outcome = result.outcome; });
    fixture.queue.step();
    ASSERT_EQ(fixture.database.users().at("anna").events.size(), 1u);
    EXPECT_TRUE(fixture.database.find("anna") == nullptr);  // readers do not see it
    fixture.availability->crashes += 1;
    fixture.database.crash();
    fixture.queue.run_all();
    EXPECT_EQ(outcome, AppendOutcome::unknown);
    EXPECT_EQ(fixture.load().head.offset, 0u);
}

TEST(SimStore, ALostAnswerLeavesTheEventInTheLog) {
    Fixture fixture;
    StoreFaults faults;
    faults.lose_answer = 1'000;
    fixture.store.set_faults(faults);
    LogHead head = new_log();
    EXPECT_EQ(fixture.append(batch_after(head, 2, "a")), AppendOutcome::unknown);
    EXPECT_EQ(fixture.load().head.offset, 2u);
}

TEST(SimStore, APartOfABatchMayLandWhereItIsNotCommitted) {
    Fixture fixture;
    StoreFaults faults;
    faults.partial = 1'000;
    fixture.store.set_faults(faults);
    LogHead head = new_log();
    EXPECT_EQ(fixture.append(batch_after(head, 4, "a")), AppendOutcome::unknown);
    const Offset landed = fixture.load().head.offset;
    EXPECT_GE(landed, 1u);
    EXPECT_LT(landed, 4u);
}

TEST(SimStore, NothingIsCommittedWhileTheDatabaseIsDown) {
    Fixture fixture;
    fixture.availability->up = false;
    LogHead head = new_log();
    const AppendOutcome outcome = fixture.append(batch_after(head, 1, "a"));
    EXPECT_TRUE(outcome == AppendOutcome::unknown || outcome == AppendOutcome::refused);
    fixture.availability->up = true;
    EXPECT_EQ(fixture.load().head.offset, 0u);
}

TEST(SimStore, OnlyDurableEventsExpireAndTheLogsEndStays) {
    Fixture fixture;
    LogHead head = new_log();
    EXPECT_EQ(fixture.append(batch_after(head, 3, "a")), AppendOutcome::committed);
    UserRecord& record = fixture.database.users().at("anna");
    record.projected = 1;
    record.journaled = 2;
    EXPECT_EQ(fixture.database.expire(1'000), 2u);
    record.journaled = 3;
    EXPECT_EQ(fixture.database.expire(1'000), 1u);
    EXPECT_EQ(fixture.load().head.hash, head.hash);
    std::optional<Errc> error;
    fixture.store.read("anna", 1, 1, [&](const Result<LogSlice>& slice) {
        if (!slice) error = slice.error().code;
    });
    fixture.queue.run_all();
    EXPECT_EQ(error, Errc::history_gone);
}

TEST(SimStore, ARestoredBackupEndsWhereItWasTaken) {
    Fixture fixture;
    LogHead head = new_log();
    EXPECT_EQ(fixture.append(batch_after(head, 1, "a")), AppendOutcome::committed);
    const SimDatabase::Backup backup = fixture.database.backup();
    const LogHead kept = head;
    EXPECT_EQ(fixture.append(batch_after(head, 2, "b")), AppendOutcome::committed);
    fixture.database.restore(backup, [] { return Epoch{9}; });
    const LoadedLog loaded = fixture.load();
    EXPECT_EQ(loaded.head.offset, 1u);
    EXPECT_EQ(loaded.head.hash, kept.hash);
    EXPECT_EQ(loaded.head.epoch, 9u);
    LogHead old_epoch = kept;
    EXPECT_EQ(fixture.append(batch_after(old_epoch, 1, "c")), AppendOutcome::conflict);
}

}  // namespace dyad::sim
