// What the commits ask of the tables, and what waits for the answers.
#include "unit/store/tables_rig.hpp"

namespace dyad::sqlite {
namespace {

class Commits : public TablesOfStore {
  protected:
    void SetUp() override { ASSERT_TRUE(open()); }
    StoreOptions options() const override {
        StoreOptions options = TablesOfStore::options();
        options.journal_file_bytes = 16 * 1024;
        return options;
    }
    void submit(SampleLog& log) {
        AppendRequest request = log.draft(1);
        log.take(*request.batch, request.changes);
        submit(std::move(request));
    }
    void submit(AppendRequest request) {
        store_->commits().submit({.request = std::move(request)});
    }
    CommitLog::Round round() {
        CommitLog::Round round = store_->commits().commit();
        auto committed = round.committed;
        if (!committed.empty()) store_->tables().take(std::move(committed), round.sequence);
        return round;
    }
    void learn(const std::string& user) {
        store_->commits().learn(user, store_->tables().head(user));
    }
};

}  // namespace

TEST_F(Commits, AnUnknownLogHoldsNobodyElseUp) {
    SampleLog ada("ada", random_);
    SampleLog bob("bob", random_);
    submit(bob);
    ASSERT_EQ(round().questions.size(), 1U);
    learn("bob");
    ASSERT_EQ(round().committed.size(), 1U);

    submit(ada);
    submit(bob);
    submit(ada);
    const CommitLog::Round first = round();
    ASSERT_EQ(first.questions.size(), 1U) << "each log is asked for once";
    EXPECT_EQ(first.questions[0].user_id, "ada");
    ASSERT_EQ(first.committed.size(), 1U);
    EXPECT_EQ(first.committed[0].user_id, "bob");
    EXPECT_FALSE(store_->commits().can_commit());
    EXPECT_FALSE(store_->commits().is_idle());
    learn("ada");
    submit(ada);
    const CommitLog::Round second = round();
    ASSERT_EQ(second.committed.size(), 3U) << "in their order";
    for (const PendingAppend& append : second.answered)
        EXPECT_EQ(append.result.outcome, AppendOutcome::committed);
    EXPECT_TRUE(store_->commits().is_idle());
}

TEST_F(Commits, WhatMayBeARepeatIsAskedWithAllThatFollowsIt) {
    SampleLog ada("ada", random_);
    const AppendRequest request = ada.draft(1);
    submit(request);
    round();
    learn("ada");
    ASSERT_EQ(round().committed.size(), 1U);
    ada.take(*request.batch, request.changes);

    // Another event of the same operation.
    auto moved = std::make_shared<EventBatch>();
    LogHead head = ada.head();
    const Change change = McpChange{EventKind::mcp_server_added, "{}"};
    const EventView event = *decode_event(request.batch->text(1));
    append_event(*moved, head,
                 {.kind = EventKind::mcp_server_added,
                  .scope = "mcp",
                  .source_instance_id = event.source_instance_id,
                  .operation_id = event.operation_id,
                  .data = "{}",
                  .timestamp_ms = ada.head().timestamp_ms});
    submit({.user_id = "ada", .batch = moved, .changes = {change}});
    submit(ada);
    const CommitLog::Round asked = round();
    ASSERT_EQ(asked.questions.size(), 1U);
    EXPECT_TRUE(asked.committed.empty());
    const CommitLog::Question& question = asked.questions[0];
    ASSERT_EQ(question.events, std::vector<std::size_t>{0});
    const Result<std::vector<Duplicate>> found =
        store_->tables().duplicates("ada", *question.batch, question.events);
    ASSERT_TRUE(found && found->size() == 1);
    EXPECT_EQ((*found)[0].offset, 1U);
    store_->commits().settle("ada", found);
    const CommitLog::Round after = round();
    ASSERT_EQ(after.answered.size(), 2U);
    EXPECT_EQ(after.answered[0].result.outcome, AppendOutcome::duplicate);
    EXPECT_EQ(after.answered[0].result.duplicates.size(), 1U);
    EXPECT_EQ(after.answered[1].result.outcome, AppendOutcome::committed);
}

TEST_F(Commits, WhatStoodBesideARepeatIsNotTakenForOneAfterwards) {
    SampleLog ada("ada", random_);
    const AppendRequest first = ada.draft(1);
    submit(first);
    round();
    learn("ada");
    ASSERT_EQ(round().committed.size(), 1U);
    ada.take(*first.batch, first.changes);

    const OperationId id = ada.operation_at(1);
    const AppendRequest alone = ada.draft(2);
    EventBatch both = *alone.batch;
    LogHead head = both.head();
    append_event(both, head,
                 {.kind = EventKind::mcp_server_added,
                  .scope = "mcp",
                  .source_instance_id = id.instance_id,
                  .operation_id = id.operation_id,
                  .data = "{}",
                  .timestamp_ms = head.timestamp_ms});
    std::vector<Change> changes = alone.changes;
    changes.push_back(McpChange{EventKind::mcp_server_added, "{}"});
    submit({.user_id = "ada",
            .batch = std::make_shared<EventBatch>(std::move(both)),
            .changes = std::move(changes)});
    const CommitLog::Round suspected = round();
    ASSERT_EQ(suspected.questions.size(), 1U);
    ASSERT_EQ(suspected.questions[0].events, std::vector<std::size_t>{2});
    store_->commits().settle("ada", std::vector<Duplicate>{{.event = 2, .offset = 1}});
    ASSERT_EQ(round().answered.size(), 1U);
    submit(alone);
    const CommitLog::Round last = round();
    EXPECT_TRUE(last.questions.empty());
    EXPECT_EQ(last.committed.size(), 1U);
}

TEST_F(Commits, UntilItsOperationsAreKnownALogsAppendsAreAskedAbout) {
    using Kind = CommitLog::Question::Kind;
    SampleLog ada("ada", random_);
    submit(ada);
    round();
    learn("ada");
    ASSERT_EQ(round().committed.size(), 1U);
    ASSERT_TRUE(store_->apply());
    ASSERT_TRUE(open());

    submit(ada);
    ASSERT_EQ(round().questions.size(), 1U);
    learn("ada");
    const CommitLog::Round asked = round();
    ASSERT_EQ(asked.questions.size(), 2U);
    EXPECT_EQ(asked.questions[0].kind, Kind::operations);
    ASSERT_EQ(asked.questions[1].kind, Kind::duplicates);
    EXPECT_EQ(asked.questions[1].events, std::vector<std::size_t>{0});
    store_->commits().settle("ada", std::vector<Duplicate>());
    ASSERT_EQ(round().committed.size(), 1U) << "it does not wait for the filter";

    submit(ada);
    const CommitLog::Round again = round();
    ASSERT_EQ(again.questions.size(), 1U) << "the filter is asked for once";
    EXPECT_EQ(again.questions[0].kind, Kind::duplicates);
    store_->commits().settle("ada", std::vector<Duplicate>());
    store_->commits().filter("ada", asked.questions[0].serial + 1, KeyFilter());  // another one's
    ASSERT_EQ(round().committed.size(), 1U);
    store_->commits().filter("ada", asked.questions[0].serial, store_->operations("ada"));
    submit(ada);
    const CommitLog::Round last = round();
    EXPECT_TRUE(last.questions.empty());
    EXPECT_EQ(last.committed.size(), 1U);
    // Those from before the walk, those from during it.
    for (Offset offset = 1; offset <= 3; ++offset) {
        const OperationId id = ada.operation_at(offset);
        auto repeat = std::make_shared<EventBatch>();
        LogHead head = ada.head();
        append_event(*repeat, head,
                     {.kind = EventKind::mcp_server_added,
                      .scope = "mcp",
                      .source_instance_id = id.instance_id,
                      .operation_id = id.operation_id,
                      .data = "{}",
                      .timestamp_ms = head.timestamp_ms});
        submit({.user_id = "ada",
                .batch = repeat,
                .changes = {McpChange{EventKind::mcp_server_added, "{}"}}});
        const CommitLog::Round suspected = round();
        ASSERT_EQ(suspected.questions.size(), 1U) << offset;
        store_->commits().settle("ada",
                                 store_->tables().duplicates("ada", *suspected.questions[0].batch,
                                                             suspected.questions[0].events));
        const CommitLog::Round refused = round();
        ASSERT_EQ(refused.answered.size(), 1U);
        ASSERT_EQ(refused.answered[0].result.duplicates.size(), 1U);
        EXPECT_EQ(refused.answered[0].result.duplicates[0].offset, offset);
    }
}

TEST_F(Commits, AFullJournalWaitsForTheTables) {
    SampleLog ada("ada", random_);
    submit(ada);
    round();
    learn("ada");
    ASSERT_EQ(round().committed.size(), 1U);
    CommitLog::Round last;
    int commits = 0;
    for (; commits < 1000 && !last.wants_room; ++commits) {
        submit(ada);
        last = round();
    }
    EXPECT_GT(commits, 20);
    ASSERT_TRUE(last.wants_room);
    EXPECT_TRUE(last.answered.empty());
    EXPECT_FALSE(store_->commits().can_commit());
    const Status applied = store_->apply();
    ASSERT_TRUE(applied);
    store_->commits().room(applied);
    EXPECT_EQ(round().committed.size(), 1U);

    for (last = {}; !last.wants_room;) {
        submit(ada);
        last = round();
    }
    submit(ada);
    store_->commits().room(fail(Errc::storage_full, "no room"));
    const CommitLog::Round refused = round();
    ASSERT_EQ(refused.answered.size(), 2U);
    for (const PendingAppend& append : refused.answered)
        EXPECT_EQ(append.result.error->code, Errc::storage_full);
}

}  // namespace dyad::sqlite
