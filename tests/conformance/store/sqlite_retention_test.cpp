// What retention leaves in the files of a folder: nothing of what went.
#include "conformance/store/store_law.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "support/posted.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace dyad::sqlite {
namespace {

using test::SampleLog;

constexpr std::string_view kCanary = "c4n4ry";

class SqliteRetention : public testing::Test {
  protected:
    SqliteRetention() {
        std::string name = (std::filesystem::temp_directory_path() / "retention-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
    }
    ~SqliteRetention() override {
        close();
        std::filesystem::remove_all(folder_);
    }
    void open(std::int64_t idle_apply_ms) {
        DatabaseOptions options;
        options.folder = folder_;
        options.store.journal_file_bytes = 1 << 20;
        options.store.apply_bytes = 256 << 10;
        options.store.epoch_seed = test::kSampleSeed;
        options.idle_apply_ms = idle_apply_ms;
        auto opened = Database::open(options, random_);
        ASSERT_TRUE(opened) << opened.error().to_string();
        database_ = *opened;
        store_ = std::make_unique<SqliteStore>(database_, cell_.post());
    }
    void close() {
        store_.reset();
        if (database_) database_->stop();
        database_.reset();
    }
    // Runs what the store posts until `waiting_` is 0.
    void settle() {
        cell_.run_until([this] { return waiting_ == 0; });
    }
    void put(SampleLog& log, const Change& change) {
        log.now_ms += 1;
        const AppendRequest request = conformance::request_for(
            log, change, "p" + std::to_string(log.head().offset + 1), log.now_ms);
        log.take(*request.batch, request.changes);
        ++waiting_;
        store_->append(request, [this](const AppendResult& result) {
            --waiting_;
            EXPECT_EQ(result.outcome, AppendOutcome::committed);
        });
        store_->flush();
        if (waiting_ > 100) settle();
    }
    void write(SampleLog& log, const std::string& key, const std::string& note,
               bool deleted = false) {
        ContextChange change = conformance::context_change(log, key, note, deleted);
        if (!deleted) {
            auto tagged = std::make_shared<Context>(*change.context);
            tagged->tags = {note.substr(0, 40)};
            change.context = std::move(tagged);
        }
        put(log, change);
    }
    std::size_t expire(std::int64_t before_ms) {
        settle();
        std::size_t count = 0;
        ++waiting_;
        store_->expire_events(before_ms, [&](const Result<std::size_t>& dropped) {
            --waiting_;
            EXPECT_TRUE(dropped) << dropped.error().to_string();
            count = dropped ? *dropped : 0;
        });
        settle();
        return count;
    }
    std::size_t hits(const SampleLog& log, const std::string& query) {
        settle();
        std::size_t count = 0;
        ++waiting_;
        store_->search(log.user(), query, 1000, [&](const Result<std::vector<SearchHit>>& found) {
            --waiting_;
            count = found ? found->size() : 99999;
        });
        settle();
        return count;
    }
    // Where the folder's files have `bytes`.
    std::vector<std::string> places_of(std::string_view bytes) {
        std::vector<std::string> places;
        for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
            std::ifstream in(entry.path(), std::ios::binary);
            const std::string all((std::istreambuf_iterator<char>(in)), {});
            for (std::size_t at = all.find(bytes); at != std::string::npos;
                 at = all.find(bytes, at + 1))
                places.push_back(entry.path().filename().string() + " at " + std::to_string(at));
        }
        if (places.size() > 5) places.resize(5);
        return places;
    }

    std::string folder_;
    SystemRandom random_;
    test::SeededRandom seeded_{11};
    test::Posted cell_;
    int waiting_ = 0;
    std::shared_ptr<Database> database_;
    std::unique_ptr<SqliteStore> store_;
};

std::string words(std::string_view word, std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i)
        text.append(word).append(std::to_string(i)).append(" ");
    return text;
}

const std::vector<std::string> kNowhere;

}  // namespace

// Among what stays, so that rows and index terms lie on the same pages.
TEST_F(SqliteRetention, NoFileHasWhatWasDeletedOrOverwritten) {
    open(5);
    SampleLog log("ada", seeded_);
    SampleLog other("bob", seeded_);
    constexpr int kContexts = 240;
    const std::size_t sizes[] = {1, 6, 40, 200, 2000};
    for (int i = 0; i < kContexts; ++i) {
        const std::string number = std::to_string((i * 7919) % 1000);
        const std::size_t size = sizes[static_cast<std::size_t>(i) % std::size(sizes)];
        write(log, number + "stays" + std::to_string(i), words("stays", size));
        write(log, number + std::string(kCanary) + std::to_string(i), words(kCanary, size));
        write(log, "overwritten" + number, words(kCanary, size / 2));
        if (i % 10 == 0) {
            write(other, "x", words(kCanary, size));
            EXPECT_EQ(hits(log, "stays0") + hits(other, "nothing"),
                      static_cast<std::size_t>(i + 1));
        }
    }
    for (int i = 0; i < kContexts; ++i) {
        const std::string number = std::to_string((i * 7919) % 1000);
        write(log, number + std::string(kCanary) + std::to_string(i), "", true);
        if (log.state().find("overwritten" + number)->version == 1)
            write(log, "overwritten" + number, "harmless");
    }
    write(other, "x", "harmless");
    settle();
    EXPECT_NE(places_of(kCanary), kNowhere);
    const std::int64_t then = std::max(log.now_ms, other.now_ms) + 1;
    log.now_ms = then;
    for (int i = 0; i < 50; ++i)
        write(log, "young" + std::to_string(i), words("young", 30));
    EXPECT_EQ(expire(then), log.head().offset - 50 + other.head().offset);
    EXPECT_EQ(places_of(kCanary), kNowhere);
    EXPECT_EQ(hits(log, "stays0"), std::size_t{kContexts});
    EXPECT_EQ(hits(log, "harmless"), log.state().live_contexts - kContexts - 50);
    for (int i = 0; i < kContexts; ++i)  // the cache's pages are written again
        write(log, std::to_string((i * 7919) % 1000) + "stays" + std::to_string(i), "changed");
    settle();
    close();
    EXPECT_EQ(places_of(kCanary), kNowhere);
    open(5);
    EXPECT_EQ(places_of(kCanary), kNowhere);
}

TEST_F(SqliteRetention, NoFileHasWhatAQuietServerKeptInItsJournal) {
    for (const bool restarted : {false, true}) {
        open(1'000'000);  // nothing is applied but what has to be
        SampleLog log("ada" + std::to_string(restarted), seeded_);
        write(log, std::string(kCanary), words(kCanary, 50));
        write(log, std::string(kCanary), "", true);
        settle();
        EXPECT_NE(places_of(kCanary), kNowhere);
        if (restarted) {
            close();
            open(1'000'000);
        }
        EXPECT_EQ(expire(log.now_ms + 1), 2U);
        EXPECT_EQ(places_of(kCanary), kNowhere);
        close();
        EXPECT_EQ(places_of(kCanary), kNowhere);
    }
}

// The next process does not know whether the one before was done.
TEST_F(SqliteRetention, WhatAPassBeforeARestartDidNotEraseTheNextOneDoes) {
    open(5);
    SampleLog log("ada", seeded_);
    write(log, std::string(kCanary), words(kCanary, 500));
    write(log, std::string(kCanary), "", true);
    settle();
    bool done = false;
    store_->expire_events(log.now_ms + 1, [&](const Result<std::size_t>&) { done = true; });
    close();
    open(5);
    expire(log.now_ms + 1);
    EXPECT_EQ(places_of(kCanary), kNowhere);
    EXPECT_EQ(expire(log.now_ms + 1), 0U);
}

TEST_F(SqliteRetention, AnOperationWhoseEventExpiredIsNotTakenAgain) {
    open(5);
    SampleLog log("ada", seeded_);
    write(log, "a", "first");  // the operation p1
    for (int i = 0; i < 60; ++i)
        write(log, "b", "more");
    const auto expect_known = [&](const char* operation) {
        settle();
        const AppendRequest again = conformance::request_for(
            log, McpChange{EventKind::mcp_server_added, "{}"}, operation, log.now_ms);
        ++waiting_;
        store_->append(again, [&](const AppendResult& result) {
            --waiting_;
            EXPECT_EQ(result.outcome, AppendOutcome::duplicate) << operation;
        });
        store_->flush();
        settle();
    };
    expect_known("p1");
    EXPECT_EQ(expire(log.now_ms), 60U);
    expect_known("p1");
    expect_known("p61");
    EXPECT_EQ(expire(log.now_ms + 1), 1U);
    expect_known("p61");
    close();
    open(5);
    expect_known("p1");
    write(log, "c", "goes on");
    expect_known("p61");
}

TEST_F(SqliteRetention, ALiveContextStaysWhateverItsAge) {
    open(5);
    SampleLog log("ada", seeded_);
    write(log, std::string(kCanary), words(kCanary, 5));
    EXPECT_EQ(expire(log.now_ms + 1), 1U);
    EXPECT_EQ(hits(log, "c4n4ry3"), 1U);
    EXPECT_NE(places_of(kCanary), kNowhere);
    write(log, std::string(kCanary), "", true);
    EXPECT_EQ(expire(log.now_ms + 1), 1U);
    EXPECT_EQ(places_of(kCanary), kNowhere);
}

}  // namespace dyad::sqlite
