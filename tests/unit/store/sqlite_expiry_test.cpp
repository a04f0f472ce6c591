// Retention in the embedded store, without its thread, on a simulated disk.
#include "store/sqlite/page_vfs.hpp"
#include "unit/store/tables_rig.hpp"

#include <algorithm>

namespace dyad::sqlite {
namespace {

class Expiry : public TablesOfStore {
  protected:
    void SetUp() override { ASSERT_TRUE(open()); }
    StoreOptions options() const override {
        StoreOptions options = TablesOfStore::options();
        options.segments = {.events_max = 8};
        options.index = {.tail = 6, .chunk = 8};
        return options;
    }
    Result<std::size_t> expire(std::int64_t before_ms) {
        Tables::Expiry walk{.before_ms = before_ms};
        while (!walk.finished) {
            const Status done = store_->expire_some(walk);
            if (!done) return done.error();
        }
        return walk.dropped;
    }
    Offset first_kept(const SampleLog& log) { return store_->load(log.user())->first_kept; }
};

}  // namespace

TEST_F(Expiry, WritesNothingWhereNothingIsDue) {
    std::vector<SampleLog> logs;
    for (int i = 0; i < 100; ++i) {
        logs.emplace_back("user " + std::to_string(i), random_);
        grow(logs.back(), 1);
    }
    const std::int64_t begin = 1'700'000'000'000;
    ASSERT_TRUE(store_->apply());
    EXPECT_EQ(*expire(begin), 0U) << "the first pass of a process cleans up";
    const std::uint64_t writes = disk_.writes();
    EXPECT_EQ(*expire(begin), 0U);
    EXPECT_EQ(disk_.writes(), writes);
    EXPECT_EQ(*expire(INT64_MAX), 200U);
    const std::uint64_t after = disk_.writes();
    EXPECT_EQ(*expire(INT64_MAX), 0U);
    EXPECT_EQ(disk_.writes(), after);
}

TEST_F(Expiry, OneDamagedLogDoesNotKeepTheOthers) {
    std::vector<SampleLog> logs;
    for (int i = 0; i < 6; ++i) {
        logs.emplace_back("user " + std::to_string(i), random_);
        grow(logs.back(), 10);
    }
    ASSERT_TRUE(store_->apply());
    run_sql("UPDATE segment SET body = 'x' WHERE user = 3");
    ASSERT_TRUE(open());
    // All but the last event of each: every log is cut within a segment.
    std::int64_t before = 0;
    for (SampleLog& log : logs)
        before = std::max(before, log.now_ms);
    before += 1;
    for (SampleLog& log : logs) {
        log.now_ms = before;
        if (log.user() != "user 2") grow(log, 1);
    }
    // The damaged one's segments are old as a whole: damage that nobody reads goes, too.
    EXPECT_EQ(*expire(before), 120U);
    for (const SampleLog& log : logs)
        EXPECT_EQ(first_kept(log), 21U);
}

TEST_F(Expiry, ADamagedSegmentThatWouldHaveToBeCutIsReportedAndTheRestGoes) {
    std::vector<SampleLog> logs;
    for (int i = 0; i < 6; ++i) {
        logs.emplace_back("user " + std::to_string(i), random_);
        grow(logs.back(), 10);
    }
    ASSERT_TRUE(store_->apply());
    run_sql("UPDATE segment SET body = 'x' WHERE user = 3");
    ASSERT_TRUE(open());
    const std::int64_t before = 1'700'000'000'000 + 100;  // somewhere within
    const auto dropped = expire(before);
    ASSERT_FALSE(dropped);
    EXPECT_EQ(dropped.error().code, Errc::storage_damaged);
    for (const SampleLog& log : logs) {
        const Result<LogSlice> kept = store_->read_log(log.user(), first_kept(log) - 1, 1);
        if (log.user() == "user 2") continue;
        ASSERT_TRUE(kept);
        EXPECT_GT(first_kept(log), 1U);
        EXPECT_GE(kept->batches.front()->entries.front().timestamp_ms, before);
    }
}

TEST_F(Expiry, AStoreOfAnEarlierVersionIsCutToo) {
    SampleLog log("ada", random_);
    grow(log, 20);
    ASSERT_TRUE(store_->apply());
    run_sql(
        "DROP INDEX head_by_oldest; DROP INDEX context_deleted;"
        "ALTER TABLE head DROP COLUMN oldest;"
        "ALTER TABLE head DROP COLUMN state_sum;"
        "DROP TABLE event_index; ALTER TABLE head DROP COLUMN indexed; DROP TABLE claim;"
        "DELETE FROM meta WHERE key IN ('transactions', 'users');"
        "PRAGMA user_version=3");
    ASSERT_TRUE(open());
    EXPECT_EQ(*expire(0), 0U);
    EXPECT_EQ(*expire(log.now_ms + 1), 40U);
    grow(log, 1);
    EXPECT_EQ(first_kept(log), 41U);
    EXPECT_TRUE(store_->verify("ada"));
}

TEST_F(Expiry, AnEmptyRecordKeepsTheJournalsNumbersThroughManyPassesAndStarts) {
    SampleLog log("ada", random_);
    for (int round = 0; round < 12; ++round) {
        if (round % 4 != 3) grow(log, round % 3 == 0 ? 30 : 1);
        if (round % 2 == 0) {
            ASSERT_TRUE(store_->apply());
        }
        ASSERT_TRUE(expire(log.now_ms + 1));
        EXPECT_EQ(first_kept(log), log.head().offset + 1);
        for (const char* file : {"/m.db-log0", "/m.db-log1"}) {
            const std::string& bytes = disk_.find(file)->durable;
            EXPECT_LT(bytes.find_last_not_of('\0'), kRecordsBegin + kRecordHeaderBytes) << file;
        }
        if (round % 3 != 1) ASSERT_TRUE(open());
        EXPECT_EQ(store_->load("ada")->head.hash, log.head().hash);
    }
}

TEST(ClearUnused, TakesTheMiddleOfBTreePagesOnly) {
    struct Case {
        const char* name;
        std::size_t header;
        std::vector<std::uint8_t> begin;  // of the header: type, free block, cells, content
        std::size_t from, to;             // cleared
    };
    const std::vector<Case> cases{
        {"a leaf of a table", 0, {13, 0, 0, 0, 3, 1, 0}, 14, 256},
        {"a leaf of an index", 0, {10, 0, 0, 0, 0, 2, 0}, 8, 512},
        {"an interior page of a table", 0, {5, 0, 0, 0, 2, 0, 64}, 16, 64},
        {"an interior page of an index", 0, {2, 1, 44, 0, 1, 1, 0}, 14, 256},
        {"the first page", 100, {13, 0, 0, 0, 1, 1, 0}, 110, 256},
        {"a full page", 0, {13, 0, 0, 0, 3, 0, 14}, 0, 0},
        {"cells over the pointers", 0, {13, 0, 0, 0, 99, 0, 20}, 0, 0},
        {"content beyond the page", 0, {13, 0, 0, 0, 1, 2, 1}, 0, 0},
        {"a content of 64 KiB", 0, {13, 0, 0, 0, 0, 0, 0}, 0, 0},
        {"an overflow page", 0, {0, 0, 13, 5, 3, 1, 0}, 0, 0},
        {"a page of a large database", 0, {1, 13, 13, 5, 3, 1, 0}, 0, 0},
    };
    for (const Case& one : cases) {
        std::vector<std::uint8_t> page(512, 'x');
        std::copy(one.begin.begin(), one.begin.end(),
                  page.begin() + static_cast<std::ptrdiff_t>(one.header));
        std::vector<std::uint8_t> expected = page;
        std::fill(expected.begin() + static_cast<std::ptrdiff_t>(one.from),
                  expected.begin() + static_cast<std::ptrdiff_t>(one.to), 0);
        clear_unused(page, one.header != 0);
        EXPECT_EQ(page, expected) << one.name;
    }
}

}  // namespace dyad::sqlite
