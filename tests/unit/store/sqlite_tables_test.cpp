// Commits, applies and reads, and what failing disks make of them.
#include "unit/store/tables_rig.hpp"

namespace dyad::sqlite {

TEST_F(TablesOfStore, ACommitIsOneWriteAndOneSync) {
    ASSERT_TRUE(open());
    SampleLog ada("ada", random_);
    SampleLog bob("bob", random_);
    grow(ada, 1);
    grow(bob, 1);
    const std::uint64_t writes = disk_.writes();
    const std::uint64_t syncs = disk_.syncs();
    std::vector<AppendRequest> group{ada.draft(3), bob.draft(2)};
    std::vector<AppendResult> results;
    store_->commit(group, results);
    EXPECT_EQ(results[0].outcome, AppendOutcome::committed);
    EXPECT_EQ(results[1].outcome, AppendOutcome::committed);
    EXPECT_EQ(disk_.writes() - writes, 1U);
    EXPECT_EQ(disk_.syncs() - syncs, 1U);
}

TEST_F(TablesOfStore, GoesThroughBothJournalFilesManyTimes) {
    ASSERT_TRUE(open());
    SampleLog log("ada", random_);
    for (int round = 0; round < 12; ++round) {
        grow(log, 40);
        if (round % 3 == 0) {
            crash();
            ASSERT_TRUE(open());
        }
    }
    expect_holds(log);
    EXPECT_TRUE(store_->verify("ada"));
}

TEST_F(TablesOfStore, CommitsAndReadsGoOnBetweenThePiecesOfAnApply) {
    ASSERT_TRUE(open());
    SampleLog ada("ada", random_);
    SampleLog bob("bob", random_);
    SampleLog eve("eve", random_);
    grow(ada, 20);
    grow(bob, 20);
    int pauses = 0;
    const Status applied = store_->apply([&] {
        pauses += 1;
        for (SampleLog* log : {&ada, &bob, &eve}) {
            grow(*log, 1);
            expect_holds(*log);
        }
    });
    ASSERT_TRUE(applied) << applied.error().to_string();
    EXPECT_GT(pauses, 5);
    EXPECT_TRUE(store_->has_unapplied()) << "what came since";
    crash();
    ASSERT_TRUE(open());
    for (const SampleLog* log : {&ada, &bob, &eve})
        expect_holds(*log);
    for (const char* user : {"ada", "bob", "eve"})
        EXPECT_TRUE(store_->verify(user));
}

TEST_F(TablesOfStore, AnApplyThatFailsHalfWayHasChangedNothing) {
    ASSERT_TRUE(open());
    SampleLog ada("ada", random_, {.keys = 50, .data_bytes = 2000, .only_contexts = true});
    SampleLog bob("bob", random_);
    grow(ada, 10);
    grow(bob, 10);
    const Status applied = store_->apply([&] {
        if (ada.head().offset == 20) grow(ada, 1);
        disk_.capacity_bytes = disk_.size("/m.db") + disk_.size("/m.db-log0") +
                               disk_.size("/m.db-log1") + disk_.size("/m.db-journal");
    });
    EXPECT_FALSE(applied);
    EXPECT_TRUE(store_->apply_problem());
    for (const SampleLog* log : {&ada, &bob})
        expect_holds(*log);
    grow(bob, 1);
    disk_.capacity_bytes = SIZE_MAX;
    ASSERT_TRUE(store_->apply());
    EXPECT_FALSE(store_->has_unapplied());
    for (const SampleLog* log : {&ada, &bob})
        expect_holds(*log);
    crash();
    ASSERT_TRUE(open());
    for (const SampleLog* log : {&ada, &bob})
        expect_holds(*log);
    EXPECT_TRUE(store_->verify("ada"));
    EXPECT_TRUE(store_->verify("bob"));
}

TEST_F(TablesOfStore, OperationsAreReadInPiecesWithOtherWorkBetween) {
    StoreOptions large = options();
    large.journal_file_bytes = 4 << 20;
    large.apply_bytes = 1 << 20;
    large.index = {.tail = 256, .chunk = 128};
    auto opened = test::OneThreadStore::open(large, random_);
    ASSERT_TRUE(opened);
    store_ = std::move(*opened);
    SampleLog log("ada", random_, {.keys = 3, .data_bytes = 10, .only_contexts = true});
    const auto write = [&](int batches, std::size_t events) {
        for (int i = 0; i < batches; ++i) {
            const AppendRequest request = log.draft(events);
            ASSERT_EQ(commit(request).outcome, AppendOutcome::committed);
            log.take(*request.batch, request.changes);
            if (store_->wants_apply()) {
                ASSERT_TRUE(store_->apply());
            }
        }
    };
    write(50, 500);
    const std::size_t before = log.operation_keys().size();
    Tables::OperationsWalk walk;
    for (; !walk.finished;) {
        ASSERT_TRUE(store_->tables().walk_operations("ada", walk));
        write(1, walk.pieces < 8 ? 300 : 3);  // at first so many that the index is written anew
        if (walk.pieces < 8 || walk.pieces % 3 == 0) {
            ASSERT_TRUE(store_->apply());
        }
        if (walk.pieces == 12) {  // what the walk has not reached yet expires
            Tables::Expiry expiry{.before_ms = log.now_ms - 100};
            while (!expiry.finished)
                ASSERT_TRUE(store_->expire_some(expiry));
            EXPECT_GT(expiry.dropped, 0U);
        }
    }
    EXPECT_GE(walk.pieces, 13);
    const Offset first_kept = store_->load("ada")->first_kept;
    EXPECT_GT(first_kept, 1U);
    for (Offset offset = first_kept; offset <= before; ++offset)
        EXPECT_TRUE(walk.operations.may_have(log.operation_keys()[offset - 1])) << offset;
    EXPECT_FALSE(walk.operations.may_have(1));
}

TEST_F(TablesOfStore, AFullDiskRefusesOnceTheJournalIsFullAndRecovers) {
    ASSERT_TRUE(open());
    SampleLog log("ada", random_, {.keys = 500, .data_bytes = 300, .only_contexts = true});
    grow(log, 1);
    ASSERT_TRUE(store_->apply());
    disk_.capacity_bytes = disk_.size("/m.db") + disk_.size("/m.db-log0") +
                           disk_.size("/m.db-log1") + disk_.size("/m.db-journal");
    AppendResult result;
    int taken = 0;
    for (; taken < 1000; ++taken) {
        const AppendRequest request = log.draft(2);
        result = commit(request);
        if (result.outcome != AppendOutcome::committed) break;
        log.take(*request.batch, request.changes);
        if (store_->wants_apply()) {
            EXPECT_FALSE(store_->apply());
        }
    }
    EXPECT_GT(taken, 20);
    ASSERT_EQ(result.outcome, AppendOutcome::refused);
    EXPECT_EQ(result.error->code, Errc::storage_full);
    expect_holds(log);  // reads go on
    EXPECT_TRUE(store_->apply_problem());

    crash();
    ASSERT_TRUE(open()) << "opening needs little room";
    expect_holds(log);
    disk_.capacity_bytes = SIZE_MAX;
    ASSERT_TRUE(store_->apply());
    EXPECT_FALSE(store_->apply_problem());
    grow(log, 3);
    expect_holds(log);
}

// Else the next transaction would write over what a power cut would then roll back with.
TEST_F(TablesOfStore, TheEndOfATransactionIsDurableBeforeTheNextWhereItsSyncFailed) {
    ASSERT_TRUE(open());
    SampleLog log("ada", random_);
    int failed = 0;
    for (int sync = 1; sync <= 6; ++sync) {
        grow(log, 2);
        disk_.syncs_until_failure = sync;
        try {
            ASSERT_TRUE(store_->apply());
        } catch (const Stopped&) {
            ++failed;
        }
        crash();
        disk_.syncs_until_failure = INT64_MAX;
        ASSERT_TRUE(open());
        EXPECT_EQ(disk_.find("/m.db-journal")->durable.front(), '\0') << sync;
        expect_holds(log);
    }
    EXPECT_GE(failed, 4) << "journal, its header, database, the header again";
}

TEST_F(TablesOfStore, AFailedSyncStopsBeforeAnythingIsAcknowledged) {
    ASSERT_TRUE(open());
    SampleLog log("ada", random_);
    grow(log, 3);
    disk_.syncs_until_failure = 1;
    std::vector<AppendRequest> requests{log.draft(1)};
    std::vector<AppendResult> results;
    EXPECT_THROW(store_->commit(requests, results), Stopped);
    crash();
    ASSERT_TRUE(open());
    const auto loaded = store_->load("ada");
    ASSERT_TRUE(loaded);
    EXPECT_GE(loaded->head.offset, log.head().offset);
}

TEST_F(TablesOfStore, AFailedSyncWhileApplyingStopsToo) {
    ASSERT_TRUE(open());
    SampleLog log("ada", random_);
    grow(log, 3);
    disk_.syncs_until_failure = 1;
    EXPECT_THROW((void)store_->apply(), Stopped);
    crash();
    ASSERT_TRUE(open());
    expect_holds(log);
}

TEST_F(TablesOfStore, DamagedAcknowledgedRecordsAreReportedNotDropped) {
    ASSERT_TRUE(open());
    SampleLog log("ada", random_);
    grow(log, 5);
    crash();
    disk_.corrupt("/m.db-log0", kRecordsBegin + 100, "????");
    const Status opened = open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::storage_damaged);
    EXPECT_NE(opened.error().detail.find("/m.db-log0"), std::string::npos);
}

TEST_F(TablesOfStore, ADamagedJournalHeaderIsReported) {
    ASSERT_TRUE(open());
    crash();
    disk_.corrupt("/m.db-log1", 3, "x");
    const Status opened = open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::storage_damaged);
}

TEST_F(TablesOfStore, ATornLastRecordWasNeverAcknowledgedAndIsLeftOut) {
    ASSERT_TRUE(open());
    SampleLog log("ada", random_);
    grow(log, 1);
    const SampleLog before = log;
    grow(log, 1);
    crash();
    // The second record's last bytes stand before the zeros of the rest of the file.
    const auto inode = disk_.find("/m.db-log0");
    std::size_t last = inode->shown.size();
    while (last > 0 && inode->shown[last - 1] == '\0')
        --last;
    disk_.corrupt("/m.db-log0", last - 3, "???");
    ASSERT_TRUE(open());
    expect_holds(before);
}

TEST_F(TablesOfStore, DamagedDatabasesAndForeignOnesAreNamed) {
    ASSERT_TRUE(open());
    SampleLog log("ada", random_);
    grow(log, 5);
    ASSERT_TRUE(store_->apply());
    crash();
    disk_.corrupt("/m.db", 0, std::string(100, 'x'));
    const Status opened = open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::storage_damaged);
    EXPECT_NE(opened.error().detail.find("/m.db"), std::string::npos);
}

TEST_F(TablesOfStore, VerifyFindsAChangedEvent) {
    ASSERT_TRUE(open());
    SampleLog log("ada", random_, {.keys = 3, .only_contexts = true});
    grow(log, 5);
    EXPECT_TRUE(store_->verify("ada"));
    EXPECT_EQ(store_->verify("bob").error().code, Errc::not_found);
    run_sql(
        "UPDATE segment SET body = CAST(replace("
        "CAST(body AS TEXT), 'word', 'wort') AS BLOB)");
    // SQLite's text functions stop at a zero byte, so the body is damaged one way or another.
    ASSERT_TRUE(open());
    const Status verified = store_->verify("ada");
    ASSERT_FALSE(verified);
    EXPECT_EQ(verified.error().code, Errc::storage_damaged);
}

TEST_F(TablesOfStore, SmallAppliesAreJoinedIntoSegments) {
    ASSERT_TRUE(open());
    SampleLog log("ada", random_);
    for (int i = 0; i < 60; ++i) {
        grow(log, 1);
        ASSERT_TRUE(store_->apply());
    }
    store_.reset();
    auto connection = Connection::open({.path = "/m.db", .vfs = vfs_.name()});
    ASSERT_TRUE(connection);
    EXPECT_LT(*(*connection)->number("SELECT count(*) FROM segment"), 10);
    EXPECT_EQ(*(*connection)->number("SELECT sum(last_offset - first_offset + 1) FROM segment"),
              120);
}

TEST_F(TablesOfStore, RenewedEpochsExposeARestoreAndTheLogGoesOn) {
    ASSERT_TRUE(open());
    SampleLog log("ada", random_);
    grow(log, 3);
    const Epoch before = log.head().epoch;
    ASSERT_TRUE(store_->tables().renew_epochs(random_));
    ASSERT_TRUE(open());
    const auto loaded = store_->load("ada");
    ASSERT_TRUE(loaded);
    EXPECT_NE(loaded->head.epoch, before);
    EXPECT_EQ(loaded->head.hash, log.head().hash);
    EventBatch batch;
    LogHead head = loaded->head;
    const Change change = McpChange{EventKind::mcp_server_added, "{}"};
    append_event(batch, head,
                 {.kind = EventKind::mcp_server_added,
                  .scope = "mcp",
                  .source_instance_id = "vscode-1",
                  .operation_id = "after",
                  .data = "{}",
                  .timestamp_ms = log.now_ms});
    EXPECT_EQ(commit({.user_id = "ada",
                      .batch = std::make_shared<const EventBatch>(batch),
                      .changes = {change}})
                  .outcome,
              AppendOutcome::committed);
    EXPECT_TRUE(store_->verify("ada"));
}

TEST_F(TablesOfStore, ABatchThatNeverFitsIsRefused) {
    ASSERT_TRUE(open());
    SampleLog log("ada", random_, {.keys = 500, .data_bytes = 4000, .only_contexts = true});
    EXPECT_EQ(commit(log.draft(40)).error->code, Errc::too_large);
    EXPECT_EQ(store_->load("ada")->head.offset, 0U);
    grow(log, 1);
}

}  // namespace dyad::sqlite
