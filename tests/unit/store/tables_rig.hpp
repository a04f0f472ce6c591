// The embedded store without its threads, on a simulated disk.
#pragma once

#include "store/sqlite/schema.hpp"
#include "support/fault_vfs.hpp"
#include "support/one_thread_store.hpp"
#include "support/sample_log.hpp"

#include <memory>

#include <gtest/gtest.h>

namespace dyad::sqlite {

using test::SampleLog;

struct Stopped {};

class TablesOfStore : public testing::Test {
  protected:
    TablesOfStore() : vfs_(testing::UnitTest::GetInstance()->current_test_info()->name(), disk_) {}
    ~TablesOfStore() override {
        disk_.dead = true;
        store_.reset();
    }

    virtual StoreOptions options() const {
        return {.database = "/m.db",
                .vfs = vfs_.name(),
                .journal_file_bytes = 64 * 1024,
                .apply_bytes = 32 * 1024,
                .piece_bytes = 5000,
                .page_bytes = 1024,
                .index = {.tail = 30, .chunk = 16},
                .epoch_seed = test::kSampleSeed,
                .on_fatal = [](const std::string&) { throw Stopped{}; }};
    }
    Status open() {
        store_.reset();
        auto opened = test::OneThreadStore::open(options(), random_);
        if (!opened) return opened.error();
        store_ = std::move(*opened);
        return Done{};
    }
    void crash() {
        disk_.dead = true;
        store_.reset();
        disk_.dead = false;
    }
    // As somebody does who has the right to write and another program.
    void run_sql(const std::string& sql) {
        store_.reset();
        const auto connection = Connection::open({.path = "/m.db", .vfs = vfs_.name()});
        ASSERT_TRUE(connection) << connection.error().to_string();
        const Status done = (*connection)->script(sql);
        ASSERT_TRUE(done) << done.error().to_string();
        changed_ = (*connection)->total_changes();
    }
    AppendResult commit(AppendRequest request) {
        std::vector<AppendRequest> one;
        one.push_back(std::move(request));
        std::vector<AppendResult> results;
        store_->commit(one, results);
        return results.at(0);
    }
    void grow(SampleLog& log, int batches) {
        for (int i = 0; i < batches; ++i) {
            const AppendRequest request = log.draft(2);
            ASSERT_EQ(commit(request).outcome, AppendOutcome::committed);
            log.take(*request.batch, request.changes);
        }
    }
    void expect_holds(const SampleLog& log) {
        const auto loaded = store_->load(log.user());
        ASSERT_TRUE(loaded) << loaded.error().to_string();
        EXPECT_EQ(loaded->head.offset, log.head().offset);
        EXPECT_EQ(loaded->head.hash, log.head().hash);
        EXPECT_EQ(test::describe(loaded->state, true), test::describe(log.state(), true));
    }

    test::SeededRandom random_{5};
    test::FaultDisk disk_;
    test::FaultVfs vfs_;
    std::unique_ptr<test::OneThreadStore> store_;
    std::int64_t changed_ = 0;  // rows, by run_sql()
};

}  // namespace dyad::sqlite
