// Appending, loading and reading the log.
#include "conformance/store/store_law.hpp"

#include "base/limits.hpp"

#include <set>

namespace dyad::conformance {

using test::SampleLog;

TEST_P(StoreLaw, AUserWithoutALogHasNothing) {
    const LoadedLog loaded = load("nobody");
    EXPECT_EQ(loaded.head.offset, 0U);
    EXPECT_EQ(loaded.first_kept, 1U);
    EXPECT_EQ(find("nobody", "vscode-1", "one"), std::nullopt);
    EXPECT_TRUE(texts("nobody", 0, 1000).empty());
    EXPECT_EQ(heads({"nobody"}), std::vector<Position>{loaded.head.position()});
}

TEST_P(StoreLaw, TheEpochIsThereBeforeTheFirstEventAndTheSameForEverybody) {
    const LogHead early = load("ada").head;
    EXPECT_NE(early.epoch, 0U);
    EXPECT_EQ(early.hash, genesis_hash("ada", early.epoch));
    EXPECT_NE(load("bob").head.epoch, early.epoch);
    const auto expect_same = [&](Store& of) {
        const auto loaded = ask<LoadedLog>([&](auto done) { of.load("ada", std::move(done)); });
        ASSERT_TRUE(loaded);
        EXPECT_EQ(loaded->head.epoch, early.epoch);
        const auto slice =
            ask<LogSlice>([&](auto done) { of.read("ada", 0, 1000, std::move(done)); });
        ASSERT_TRUE(slice);
        EXPECT_EQ(slice->head.epoch, early.epoch);
        const auto ends =
            ask<std::vector<Position>>([&](auto done) { of.heads({"ada"}, std::move(done)); });
        ASSERT_TRUE(ends);
        EXPECT_EQ(ends->at(0).epoch, early.epoch);
    };
    expect_same(backend_->first());
    expect_same(backend_->second());
    backend_->restart(false);
    expect_same(backend_->first());
    SampleLog log("ada", random_);
    AppendRequest other = log.draft(1);
    auto batch = std::make_shared<EventBatch>(*other.batch);
    batch->epoch += 1;
    batch->prev_hash = genesis_hash("ada", batch->epoch);
    other.batch = std::move(batch);
    EXPECT_EQ(append(std::move(other)), AppendOutcome::conflict) << "a first event of another log";
    grow(log, 1, 1);
    EXPECT_EQ(log.head().epoch, early.epoch);
    expect_same(backend_->second());
}

TEST_P(StoreLaw, WhatWasCommittedIsReadBack) {
    SampleLog log("ada", random_);
    grow(log, 6, 5);
    expect_holds(log);
}

TEST_P(StoreLaw, CommittedEventsSurviveACrashAndARestart) {
    SampleLog ada("ada", random_);
    SampleLog bob("bob", random_);
    for (const bool cleanly : {false, true, false, false, true}) {
        grow(ada, 5, 6);
        grow(bob, 3, 3);
        backend_->restart(cleanly);
        expect_holds(ada);
        expect_holds(bob);
    }
}

TEST_P(StoreLaw, OnlyABatchThatFollowsTheEndIsTaken) {
    SampleLog log("ada", random_);
    AppendRequest wrong_genesis = log.draft(1);
    auto changed = std::make_shared<EventBatch>(*wrong_genesis.batch);
    changed->prev_hash[0] ^= 1;
    wrong_genesis.batch = changed;
    EXPECT_EQ(append(wrong_genesis), AppendOutcome::conflict);

    const AppendRequest first = log.draft(2);
    ASSERT_EQ(append(first), AppendOutcome::committed);
    const SampleLog before = log;
    log.take(*first.batch, first.changes);
    EXPECT_EQ(append(first), AppendOutcome::conflict) << "the same batch twice";
    SampleLog sibling = before;
    sibling.skip_operations_of(log);
    EXPECT_EQ(append(sibling.draft(1)), AppendOutcome::conflict) << "an offset that is taken";

    AppendRequest later = log.draft(1);
    SampleLog ahead = log;
    ahead.take(*later.batch, later.changes);
    EXPECT_EQ(append(ahead.draft(1)), AppendOutcome::conflict) << "beyond a hole";

    AppendRequest wrong_hash = log.draft(1);
    changed = std::make_shared<EventBatch>(*wrong_hash.batch);
    changed->prev_hash[31] ^= 1;
    wrong_hash.batch = changed;
    EXPECT_EQ(append(wrong_hash), AppendOutcome::conflict);
    expect_holds(log);
}

TEST_P(StoreLaw, OfTwoAppendsAtOneOffsetOneConflicts) {
    SampleLog log("ada", random_);
    for (int round = 0; round < 8; ++round) {
        const AppendRequest one = log.draft(1);
        const AppendRequest other = log.draft(2);
        std::vector<AppendOutcome> outcomes(2, AppendOutcome::unknown);
        int answers = 0;
        backend_->first().append(one, [&](AppendResult result) {
            outcomes[0] = result.outcome;
            ++answers;
        });
        backend_->second().append(other, [&](AppendResult result) {
            outcomes[1] = result.outcome;
            ++answers;
        });
        wait([&] { return answers == 2; });
        const bool first_won = outcomes[0] == AppendOutcome::committed;
        EXPECT_EQ(outcomes[first_won ? 1 : 0], AppendOutcome::conflict);
        ASSERT_EQ(outcomes[first_won ? 0 : 1], AppendOutcome::committed);
        const AppendRequest& winner = first_won ? one : other;
        log.take(*winner.batch, winner.changes);
    }
    expect_holds(log);
}

TEST_P(StoreLaw, AnOperationIsInTheLogOnce) {
    SampleLog log("ada", random_);
    const Change change = McpChange{EventKind::mcp_server_added, "{}"};
    const AppendRequest request = request_for(log, change, "same", log.now_ms);
    ASSERT_EQ(append(request), AppendOutcome::committed);
    log.take(*request.batch, request.changes);
    const AppendResult repeated =
        append_result(store(), request_for(log, change, "same", log.now_ms));
    EXPECT_EQ(repeated.outcome, AppendOutcome::duplicate);
    ASSERT_EQ(repeated.duplicates.size(), 1U);
    EXPECT_EQ(repeated.duplicates[0].event, 0U);
    EXPECT_EQ(repeated.duplicates[0].offset, 1U);
    const AppendRequest another = request_for(log, change, "other", log.now_ms);
    EXPECT_EQ(append(another), AppendOutcome::committed);
}

TEST_P(StoreLaw, AnOperationIsInTheLogOnceHoweverLongAgoItWas) {
    SampleLog log("ada", random_);
    const auto write = [&](const char* instance, const char* operation) {
        AppendRequest request = request_for(log, {{instance, operation}});
        ASSERT_EQ(append(request), AppendOutcome::committed) << instance << operation;
        log.take(*request.batch, request.changes);
    };
    write("vscode-1", "first");
    grow(log, 70, 6);
    write("vscode-1", "middle");
    grow(log, 50, 6);
    write("vscode-1", "last");
    int unused = 0;
    const auto expect_duplicates = [&] {
        for (const char* operation : {"first", "middle", "last"}) {
            const std::optional<Offset> at = find("ada", "vscode-1", operation);
            ASSERT_TRUE(at && *at != 0) << operation;
            const AppendResult alone =
                append_result(store(), request_for(log, {{"vscode-1", operation}}));
            EXPECT_EQ(alone.outcome, AppendOutcome::duplicate) << operation;
            ASSERT_FALSE(alone.duplicates.empty());
            EXPECT_EQ(alone.duplicates[0].event, 0U);
            EXPECT_EQ(alone.duplicates[0].offset, *at);
            // Nothing from the first one on is taken; what is before it may be.
            const std::string before = "before" + std::to_string(++unused);
            const std::string after = "after" + std::to_string(unused);
            const AppendRequest request = request_for(
                log, {{"vscode-1", before}, {"vscode-1", operation}, {"vscode-1", after}});
            const AppendResult among = append_result(store(), request);
            EXPECT_EQ(among.outcome, AppendOutcome::duplicate) << operation;
            ASSERT_FALSE(among.duplicates.empty());
            EXPECT_EQ(among.duplicates[0].event, 1U);
            EXPECT_EQ(among.duplicates[0].offset, *at);
            EXPECT_EQ(find("ada", "vscode-1", after), std::nullopt);
            if (find("ada", "vscode-1", before)) {
                EXPECT_FALSE(among.is_untouched);
                const AppendRequest taken = request_for(log, {{"vscode-1", before}});
                log.take(*taken.batch, taken.changes);
            }
        }
        expect_holds(log);
    };
    expect_duplicates();
    for (const bool cleanly : {false, true}) {
        backend_->restart(cleanly);
        expect_duplicates();
        write(cleanly ? "vscode-2" : "vscode-3", "first");  // of another instance: another one
    }
    grow(log, 3, 6);
    expect_holds(log);
}

TEST_P(StoreLaw, ABatchDoesNotRepeatItself) {
    SampleLog log("ada", random_);
    grow(log, 2, 3);
    const AppendRequest request =
        request_for(log, {{"vscode-1", "one"}, {"vscode-1", "two"}, {"vscode-1", "one"}});
    const AppendResult result = append_result(store(), request);
    EXPECT_EQ(result.outcome, AppendOutcome::duplicate);
    ASSERT_FALSE(result.duplicates.empty());
    EXPECT_EQ(result.duplicates[0].event, 2U);
    EXPECT_EQ(result.duplicates[0].offset, request.batch->first);
}

TEST_P(StoreLaw, BatchesThatFollowEachOtherMayBeSentWithoutWaiting) {
    SampleLog log("ada", random_);
    std::vector<AppendOutcome> outcomes;
    for (int i = 0; i < 40; ++i) {
        const AppendRequest request = log.draft(1 + random_.below(3));
        log.take(*request.batch, request.changes);
        store().append(request, [&](AppendResult result) { outcomes.push_back(result.outcome); });
    }
    wait([&] { return outcomes.size() == 40; });
    EXPECT_EQ(outcomes, std::vector<AppendOutcome>(40, AppendOutcome::committed));
    expect_holds(log);
}

TEST_P(StoreLaw, TheOtherHandleSeesWhatWasCommitted) {
    SampleLog log("ada", random_);
    const AppendRequest request = log.draft(3);
    ASSERT_EQ(append(backend_->second(), request), AppendOutcome::committed);
    log.take(*request.batch, request.changes);
    expect_holds(log);
    EXPECT_EQ(heads({"ada"}), std::vector<Position>{log.head().position()});
}

TEST_P(StoreLaw, HeadsAreThePositionsOfTheLogsEndsInTheOrderThatWasAskedFor) {
    SampleLog ada("ada", random_);
    SampleLog bob("bob", random_);
    grow(ada, 4, 3);
    grow(bob, 1, 1);
    const auto expect_heads = [&] {
        EXPECT_EQ(heads({"nobody", "bob", "x", "ada", "bob"}),
                  (std::vector<Position>{load("nobody").head.position(), bob.head().position(),
                                         load("x").head.position(), ada.head().position(),
                                         bob.head().position()}));
        EXPECT_TRUE(heads({}).empty());
    };
    expect_heads();
    backend_->restart(false);
    expect_heads();
    const AppendRequest taken = ada.draft(2);
    const AppendRequest other = ada.draft(2);  // of the same length, with another hash
    ASSERT_EQ(append(taken), AppendOutcome::committed);
    SampleLog imagined = ada;
    imagined.take(*other.batch, other.changes);
    ada.take(*taken.batch, taken.changes);
    expect_heads();
    const Position end = heads({"ada"}).at(0);
    EXPECT_EQ(end.offset, imagined.head().offset);
    EXPECT_NE(end, imagined.head().position());
}

TEST_P(StoreLaw, TheLogIsReadFromAnyOffsetInPiecesOfAnySize) {
    SampleLog log("ada", random_);
    grow(log, 30, 4);
    backend_->restart(false);
    grow(log, 4, 3);
    const auto& all = log.texts();
    for (Offset after = 0; after <= log.head().offset; after += 5) {
        const std::vector<std::string> expected(all.begin() + static_cast<long>(after), all.end());
        for (const std::size_t bytes_max : {std::size_t{1}, std::size_t{3000}})
            EXPECT_EQ(texts("ada", after, bytes_max), expected) << after << " " << bytes_max;
    }
    EXPECT_TRUE(texts("ada", log.head().offset, 1000).empty());
}

TEST_P(StoreLaw, AnOperationIsFoundByItsId) {
    SampleLog log("ada", random_);
    grow(log, 12, 4);
    backend_->restart(true);
    grow(log, 2, 2);
    expect_operations(log);
    const OperationId last = log.operation_at(log.head().offset);
    EXPECT_EQ(find("ada", last.instance_id, last.operation_id),
              std::optional<Offset>(log.head().offset));
    EXPECT_EQ(find("ada", last.instance_id, "never"), std::nullopt);
    EXPECT_EQ(find("ada", "another", last.operation_id), std::nullopt);
    EXPECT_EQ(find("bob", last.instance_id, last.operation_id), std::nullopt);
}

TEST_P(StoreLaw, OfDeletedContextsTheLastOnesAreKnownAndTheGreatestVersionOfAll) {
    constexpr int kMost = limits::deleted_contexts_per_user_max;
    constexpr int kAtOnce = 500;
    SampleLog log("ada", random_);
    const auto erase = [&](int from, Version version) {
        std::vector<Change> changes;
        for (int n = from; n < from + kAtOnce; ++n) {
            auto context = std::make_shared<Context>();
            context->key = "k" + std::to_string(n);
            context->version = version + static_cast<Version>(n % 7);
            context->data = "null";
            context->deleted = true;
            context->offset = log.head().offset + 1 + changes.size();
            context->updated_at_ms = log.now_ms;
            changes.push_back(ContextChange{.context = context, .action = ContextAction::deleted});
        }
        const AppendRequest request = request_for(log, changes);
        ASSERT_EQ(append(request), AppendOutcome::committed);
        log.take(*request.batch, request.changes);
    };
    erase(0, 40);
    for (int n = kAtOnce; n < kMost + 2 * kAtOnce; n += kAtOnce)
        erase(n, 2);
    EXPECT_EQ(log.state().deletions.size(), static_cast<std::size_t>(kMost));
    EXPECT_EQ(log.state().forgotten_version, 46U);
    for (const bool cleanly : {true, false}) {
        const LoadedLog loaded = load("ada");
        EXPECT_EQ(test::describe(loaded.state, true), test::describe(log.state(), true));
        EXPECT_EQ(loaded.state.deletions.size(), static_cast<std::size_t>(kMost));
        EXPECT_EQ(loaded.state.forgotten_version, 46U);
        backend_->restart(cleanly);
        erase(2 * kMost + (cleanly ? 0 : kAtOnce), 3);
    }
}

TEST_P(StoreLaw, TheLargestBatchIsTakenAndReadBack) {
    SampleLog log("ada", random_, {.keys = 600, .data_bytes = 5400, .only_contexts = true});
    const AppendRequest request = log.draft(512);
    ASSERT_EQ(append(request), AppendOutcome::committed);
    log.take(*request.batch, request.changes);
    grow(log, 1, 1);
    backend_->restart(false);
    expect_holds(log);
}

TEST_P(StoreLaw, NamesMayHaveAnyCharacters) {
    std::vector<SampleLog> logs;
    for (const char* name : {"o'brien", "ada\"; --", "ünï©ode 🙂", "%_like", "ada", "ADA", " "})
        logs.emplace_back(name, random_);
    for (SampleLog& log : logs)
        grow(log, 2, 2);
    backend_->restart(false);
    for (const SampleLog& log : logs)
        expect_holds(log);
}

TEST_P(StoreLaw, ADestroyedHandleCallsNobody) {
    SampleLog log("ada", random_);
    bool called = false;
    backend_->second().append(log.draft(1), [&](AppendResult) { called = true; });
    backend_->second().load("ada", [&](Result<LoadedLog>) { called = true; });
    backend_->drop_second();
    for (int i = 0; i < 20; ++i)
        backend_->pump();
    EXPECT_FALSE(called);
}

TEST_P(StoreLaw, TheClocksMarkIsTheLastOneThatWasSaved) {
    const auto mark = [&] {
        return ask<ClockMark>([&](auto done) { store().load_clock(std::move(done)); });
    };
    ASSERT_TRUE(mark());
    EXPECT_EQ(mark()->proven_ms, 0);  // of a store without events
    ClockMark saved{
        .proven_ms = 5, .stood_ms = 6, .wall_ms = 7, .dated = {1, 2, 3}, .corrections = {}};
    store().save_clock(saved);
    saved.corrections = {{1, 2, 3}, {4, 5, 6}};
    store().save_clock(saved);
    ASSERT_TRUE(mark());
    EXPECT_EQ(*mark(), saved);
    backend_->restart(true);
    ASSERT_TRUE(mark());
    EXPECT_EQ(*mark(), saved);
}

TEST_P(StoreLaw, HealthTellsOfAWorkingStore) {
    SampleLog log("ada", random_);
    grow(log, 1, 1);
    const StoreHealth health = store().health();
    EXPECT_FALSE(health.kind.empty());
    EXPECT_TRUE(health.connected);
    EXPECT_TRUE(health.healthy) << health.problem;
}

}  // namespace dyad::conformance
