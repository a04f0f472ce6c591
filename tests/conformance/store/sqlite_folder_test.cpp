// What only the embedded store promises: its folder, its lock, its groups.
#include "base/metrics.hpp"
#include "store/sqlite/schema.hpp"
#include "store/sqlite/seal.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "support/one_thread_store.hpp"
#include "support/posted.hpp"
#include "support/sample_log.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace dyad::sqlite {
namespace {

class SqliteFolder : public testing::Test {
  protected:
    SqliteFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "folder-XXXXXX").string();
        base_ = ::mkdtemp(name.data());
    }
    ~SqliteFolder() override {
        std::filesystem::permissions(base_, std::filesystem::perms::owner_all);
        std::filesystem::remove_all(base_);
    }
    Result<std::shared_ptr<Database>> open(const std::string& folder) {
        DatabaseOptions options;
        options.folder = folder;
        options.store.epoch_seed = test::kSampleSeed;
        options.store.journal_file_bytes = 1 << 20;
        options.store.apply_bytes = 512 << 10;
        return Database::open(options, random_);
    }

    std::filesystem::path base_;
    SystemRandom random_;
};

// A folder of the version before seals, with a log of user ada in its tables.
void make_unsealed(const std::string& folder, test::SampleLog& log) {
    std::filesystem::create_directory(folder);
    const std::string path = folder + "/" + kDatabaseName;
    auto opened = Connection::open({.path = path, .vfs = {}, .extra_pragmas = {}, .seals = false});
    ASSERT_TRUE(opened);
    Connection& db = **opened;
    ASSERT_TRUE(migrate(db, kSealedSince - 1));
    AppendRequest request = log.draft(200);
    log.take(*request.batch, request.changes);
    std::vector<Unapplied> batches;
    batches.push_back({request.batch, request.changes});
    LogTables tables(db, {});
    const auto user = tables.add_user("ada");
    ASSERT_TRUE(user);
    ASSERT_TRUE(tables.append(*user, batches, log.head()));
    ASSERT_TRUE(
        db.script("ALTER TABLE head ADD COLUMN state_sum INTEGER; "
                  "CREATE TABLE claim(user, resource, offset, expires_at, json)"));
    ASSERT_TRUE(Projections(db).apply(*user, batches));
    ASSERT_TRUE(db.script("ALTER TABLE head DROP COLUMN state_sum; DROP TABLE claim"));
    ASSERT_TRUE(
        db.script("INSERT INTO meta(key, value) VALUES('store_id', 7), "
                  "('journal_made', 1)"));
    ASSERT_TRUE(Journal::create({.vfs = &db.vfs(), .database = path, .store_id = 7}, 1 << 20));
}

std::string bytes_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_F(SqliteFolder, ADatabaseWithoutSealsGetsThemOnceWithAllItHas) {
    test::SeededRandom random(2);
    test::SampleLog log("ada", random, {.only_contexts = true});  // older than claims
    const std::string folder = base_ / "old";
    make_unsealed(folder, log);
    const std::filesystem::path path = folder + "/" + kDatabaseName;
    EXPECT_EQ(bytes_of(path)[20], 0);
    std::ofstream(path.string() + "-sealed") << "of an attempt that was broken off";
    for (int start = 0; start < 2; ++start) {
        StoreOptions options;
        options.database = path;
        auto opened = test::OneThreadStore::open(options, random_);
        ASSERT_TRUE(opened) << opened.error().to_string();
        const auto loaded = (*opened)->load("ada");
        ASSERT_TRUE(loaded) << loaded.error().to_string();
        EXPECT_EQ(loaded->head.hash, log.head().hash);
        EXPECT_EQ(test::describe(loaded->state, true), test::describe(log.state(), true));
        EXPECT_TRUE((*opened)->verify("ada"));
    }
    const std::string bytes = bytes_of(path);
    EXPECT_EQ(static_cast<std::size_t>(bytes[20]), kSealBytes);
    for (std::size_t at = 0; at < bytes.size(); at += 4096)
        EXPECT_TRUE(read_seal(std::string_view(bytes).substr(at, 4096), at / 4096 + 1)) << at;
    EXPECT_FALSE(std::filesystem::exists(path.string() + "-sealed"));
    struct stat info{};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(SqliteFolder, ADamagedDatabaseWithoutSealsIsRefusedAsItIs) {
    test::SeededRandom random(2);
    test::SampleLog log("ada", random);
    const std::string folder = base_ / "old";
    make_unsealed(folder, log);
    const std::filesystem::path path = folder + "/" + kDatabaseName;
    std::string bytes = bytes_of(path);
    std::size_t at = std::string::npos;  // an event that stands on one page
    for (std::size_t i = 0; at == std::string::npos; ++i)
        at = bytes.find(log.texts().at(i));
    bytes[at + 40] = '?';
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    const auto opened = open(folder);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::storage_damaged) << opened.error().to_string();
    EXPECT_EQ(bytes_of(path), bytes);
    EXPECT_FALSE(std::filesystem::exists(path.string() + "-sealed"));
}

TEST_F(SqliteFolder, IsMadeForItsOwnerOnly) {
    const std::string folder = base_ / "a" / "b";
    const auto database = open(folder);
    ASSERT_TRUE(database) << database.error().to_string();
    struct stat info{};
    ASSERT_EQ(::stat(folder.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700U);
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        ASSERT_EQ(::stat(entry.path().c_str(), &info), 0);
        EXPECT_EQ(info.st_mode & 0777, 0600U) << entry.path();
    }
}

TEST_F(SqliteFolder, IsHeldByOneAtATimeAndSaysByWhom) {
    {
        const auto first = open(base_);
        ASSERT_TRUE(first);
        const auto second = open(base_);
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().code, Errc::storage_locked);
        EXPECT_NE(second.error().detail.find(std::to_string(::getpid())), std::string::npos)
            << second.error().detail;
        EXPECT_NE(second.error().detail.find(base_.string()), std::string::npos);
    }
    EXPECT_TRUE(open(base_)) << "it is free again";
}

TEST_F(SqliteFolder, ErrorsNameThePathAndWhatToDo) {
    const std::string file = base_ / "file";
    std::ofstream(file) << "x";
    const auto not_a_folder = open(file);
    ASSERT_FALSE(not_a_folder);
    EXPECT_EQ(not_a_folder.error().code, Errc::storage_unavailable);
    EXPECT_NE(not_a_folder.error().detail.find(file), std::string::npos);

    std::filesystem::create_directory(base_ / "bad");
    std::ofstream(base_ / "bad" / kDatabaseName) << std::string(5000, 'x');
    const auto damaged = open(base_ / "bad");
    ASSERT_FALSE(damaged);
    EXPECT_EQ(damaged.error().code, Errc::storage_damaged) << damaged.error().to_string();
    EXPECT_NE(damaged.error().detail.find("backup"), std::string::npos);
}

TEST_F(SqliteFolder, AJournalFileThatIsMissingIsNotMadeAnew) {
    ASSERT_TRUE(open(base_));
    std::filesystem::remove(base_ / "memory.db-log1");
    const auto opened = open(base_);
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().detail.find("memory.db-log1"), std::string::npos);
}

TEST_F(SqliteFolder, ManyCellsCommitTogetherAndEachIsCalledOncePerCommit) {
    const auto database = open(base_);
    ASSERT_TRUE(database);
    constexpr int kCells = 3;
    constexpr int kUsers = 20;
    constexpr int kBatches = 30;
    std::atomic<int> posts = 0;
    std::vector<std::thread> cells;
    std::atomic<int> committed = 0;
    for (int cell = 0; cell < kCells; ++cell) {
        cells.emplace_back([&, cell] {
            test::Posted posted;
            SqliteStore store(*database, posted.post());
            test::SeededRandom random(static_cast<std::uint64_t>(cell));
            int answered = 0;
            for (int user = 0; user < kUsers; ++user) {
                test::SampleLog log(std::to_string(cell) + "/" + std::to_string(user), random);
                for (int i = 0; i < kBatches; ++i) {
                    AppendRequest request = log.draft(1);
                    log.take(*request.batch, request.changes);
                    store.append(std::move(request), [&](const AppendResult& result) {
                        ++answered;
                        committed += result.outcome == AppendOutcome::committed;
                    });
                    store.flush();
                }
            }
            posted.run_until([&] { return answered == kUsers * kBatches; });
            posts += posted.posts();
        });
    }
    for (std::thread& cell : cells)
        cell.join();
    EXPECT_EQ(committed, kCells * kUsers * kBatches);
    EXPECT_LT(posts, kCells * kUsers * kBatches / 4);
}

TEST_F(SqliteFolder, WhatIsAppendedInATurnIsOneCommit) {
    constexpr int kUsers = 64;
    const auto database = open(base_);
    ASSERT_TRUE(database);
    test::Posted posted;
    SqliteStore store(*database, posted.post());
    test::SeededRandom random(3);
    std::deque<test::SampleLog> logs;
    for (int user = 0; user < kUsers; ++user)
        logs.emplace_back(std::to_string(user), random);
    int committed = 0;
    for (int turn = 1; turn <= 3; ++turn) {  // in the first one the users' ends are asked for
        const std::int64_t before = metrics::commits.value();
        for (test::SampleLog& log : logs) {
            AppendRequest request = log.draft(1);
            log.take(*request.batch, request.changes);
            store.append(std::move(request), [&](const AppendResult& result) {
                committed += result.outcome == AppendOutcome::committed;
            });
        }
        posted.run_once(20);
        EXPECT_EQ(committed, (turn - 1) * kUsers) << "the turn has not ended";
        store.flush();
        posted.run_until([&] { return committed == turn * kUsers; });
        if (turn > 1) EXPECT_EQ(metrics::commits.value() - before, 1);
    }
}

TEST_F(SqliteFolder, EveryReadIsWholeWhileTheJournalIsApplied) {
    DatabaseOptions options;
    options.folder = base_;
    options.store.epoch_seed = test::kSampleSeed;
    options.store.journal_file_bytes = 128 << 10;
    options.store.apply_bytes = 8 << 10;
    const auto database = Database::open(options, random_);
    ASSERT_TRUE(database);
    test::Posted posted;
    SqliteStore store(*database, posted.post());
    int waiting = 0;
    test::SeededRandom random(7);
    test::SampleLog log("ada", random);
    std::vector<std::string> states{test::describe(State(), true)};  // by offset
    for (int i = 0; i < 400; ++i) {
        AppendRequest request = log.draft(1);
        log.take(*request.batch, request.changes);
        states.push_back(test::describe(log.state(), true));
        waiting += 1;
        store.append(std::move(request), [&](const AppendResult& result) {
            waiting -= 1;
            EXPECT_EQ(result.outcome, AppendOutcome::committed);
        });
        store.flush();
        if (i % 3 == 0) {
            waiting += 3;
            store.load("ada", [&](const Result<LoadedLog>& loaded) {
                waiting -= 1;
                ASSERT_TRUE(loaded) << loaded.error().to_string();
                EXPECT_EQ(test::describe(loaded->state, true), states[loaded->head.offset]);
            });
            const OperationId first = log.operation_at(1);
            store.find("ada", first, [&](const Result<std::optional<Offset>>& at) {
                waiting -= 1;
                EXPECT_TRUE(at && at->value_or(1) == 1);
            });
            store.read("ada", 0, SIZE_MAX, [&](const Result<LogSlice>& slice) {
                waiting -= 1;
                ASSERT_TRUE(slice) << slice.error().to_string();
                Offset next = 1;
                for (const EventBatchPtr& batch : slice->batches) {
                    EXPECT_EQ(batch->first, next);
                    next = batch->last() + 1;
                }
                EXPECT_EQ(next, slice->head.offset + 1);
            });
        }
        posted.run_until([&] { return waiting <= 6; });
    }
    posted.run_until([&] { return waiting == 0; });
}

// Everything that the two threads do for several cells at once; ./x tsan looks at it, too.
TEST_F(SqliteFolder, CellsReadCheckAndForgetWhileOthersWrite) {
    DatabaseOptions options;
    options.folder = base_;
    options.store.epoch_seed = test::kSampleSeed;
    options.store.journal_file_bytes = 128 << 10;
    options.store.apply_bytes = 16 << 10;
    options.store.index = {.tail = 20, .chunk = 16};
    options.idle_apply_ms = 1;
    const auto database = Database::open(options, random_);
    ASSERT_TRUE(database);
    std::atomic<bool> writing = true;
    std::vector<std::thread> cells;
    for (int cell = 0; cell < 2; ++cell) {
        cells.emplace_back([&, cell] {
            test::Posted posted;
            SqliteStore store(*database, posted.post());
            test::SeededRandom random(static_cast<std::uint64_t>(cell));
            test::SampleLog log("user" + std::to_string(cell), random);
            int waiting = 0;
            for (int i = 0; i < 400; ++i) {
                AppendRequest request = log.draft(1 + random.below(4));
                log.take(*request.batch, request.changes);
                const Offset end = log.head().offset;
                waiting += 1;
                store.append(std::move(request), [&, end](const AppendResult& result) {
                    waiting -= 1;
                    EXPECT_EQ(result.outcome, AppendOutcome::committed);
                    waiting += 1;
                    store.heads({log.user()}, [&, end](const Result<std::vector<Position>>& ends) {
                        waiting -= 1;
                        ASSERT_TRUE(ends) << ends.error().to_string();
                        EXPECT_GE(ends->at(0).offset, end) << "what was acknowledged is read";
                    });
                });
                store.flush();
                posted.run_until([&] { return waiting <= 8; });
            }
            posted.run_until([&] { return waiting == 0; });
            writing = false;
        });
    }
    cells.emplace_back([&] {
        test::Posted posted;
        SqliteStore store(*database, posted.post());
        int waiting = 0;
        const auto answered = [&](const auto& result) {
            waiting -= 1;
            EXPECT_TRUE(result) << result.error().to_string();
        };
        for (int round = 0; writing; ++round) {
            for (const char* user : {"user0", "user1"}) {
                waiting += 5;
                store.history(user, "project:1", {.limit = 20}, answered);
                store.transitions(user, std::nullopt, {.limit = 20}, answered);
                store.responses(user, {}, {.limit = 20}, answered);
                store.search(user, "word*", 10, answered);
                store.find(user, {"vscode-1", "one"}, answered);
            }
            waiting += 1;
            store.users_with_expired(1'700'000'000'000, 10, answered);
            if (round % 20 == 0) {
                waiting += 1;
                store.expire_events(1'700'000'000'000 + round * 10, answered);
            }
            if (round % 50 == 1) {
                waiting += 1;
                store.check([&](const Result<CheckReport>& report) {
                    EXPECT_TRUE(report);
                    if (report && report->finished) waiting -= 1;
                    if (report && report->finished) EXPECT_EQ(report->damages, 0U);
                    return true;
                });
            }
            posted.run_until([&] { return waiting == 0; });
        }
    });
    for (std::thread& cell : cells)
        cell.join();
    EXPECT_TRUE((*database)->health().healthy) << (*database)->health().problem;
}

TEST_F(SqliteFolder, WhatIsSubmittedBeforeTheStopIsAnsweredAndAfterItRefused) {
    auto database = open(base_);
    ASSERT_TRUE(database);
    test::Posted posted;
    SqliteStore store(*database, posted.post());
    test::SeededRandom random(1);
    test::SampleLog log("ada", random);
    std::vector<AppendOutcome> outcomes;
    const auto submit = [&] {
        AppendRequest request = log.draft(1);
        log.take(*request.batch, request.changes);
        store.append(std::move(request),
                     [&](const AppendResult& result) { outcomes.push_back(result.outcome); });
        store.flush();
    };
    for (int i = 0; i < 50; ++i)
        submit();
    (*database)->stop();
    submit();
    posted.run_until([&] { return outcomes.size() == 51; });
    EXPECT_EQ(std::count(outcomes.begin(), outcomes.end(), AppendOutcome::committed), 50);
    EXPECT_EQ(outcomes.back(), AppendOutcome::refused);
}

}  // namespace dyad::sqlite
