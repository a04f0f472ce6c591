#include "store/checked/checked_store.hpp"

#include "support/sample_log.hpp"

#include <gtest/gtest.h>

namespace dyad {
namespace {

// Answers at once, and whatever it was told to.
class Liar final : public Store, public Documents {
  public:
    LoadedLog loaded;
    AppendResult appended;
    LogSlice slice;
    std::vector<Position> ends;
    std::vector<HistoryItem> items;
    ContextPtr version;
    std::vector<Transition> changes;
    std::vector<ResponseRecord> records;
    std::vector<SearchHit> hits;
    std::vector<std::string> users;
    std::vector<ForeignDocument> in_the_way;
    std::vector<DocumentsLook> looks;

    void load(const std::string&, Log::Callback<LoadedLog> done) override { done(loaded); }
    void append(AppendRequest, std::function<void(AppendResult)> done) override { done(appended); }
    void read(const std::string&, Offset, std::size_t, Log::Callback<LogSlice> done) override {
        done(slice);
    }
    void find(const std::string&, OperationId, Log::Callback<std::optional<Offset>> done) override {
        done(std::optional<Offset>());
    }
    void heads(std::vector<std::string>, Log::Callback<std::vector<Position>> done) override {
        done(ends);
    }
    bool shared() const override { return true; }
    void history(const std::string&, const std::string&, PageRequest,
                 Archive::Callback<std::vector<HistoryItem>> done) override {
        done(items);
    }
    void read_version(const std::string&, const std::string&, Version,
                      Archive::Callback<ContextPtr> done) override {
        done(version);
    }
    void transitions(const std::string&, std::optional<std::string>, PageRequest,
                     Archive::Callback<std::vector<Transition>> done) override {
        done(changes);
    }
    void responses(const std::string&, ResponseFilter, PageRequest,
                   Archive::Callback<std::vector<ResponseRecord>> done) override {
        done(records);
    }
    void search(const std::string&, const std::string&, std::size_t,
                Archive::Callback<std::vector<SearchHit>> done) override {
        done(hits);
    }
    void expire_events(std::int64_t, Archive::Callback<std::size_t> done) override { done(0); }
    void users_with_expired(std::int64_t, std::size_t,
                            Archive::Callback<std::vector<std::string>> done) override {
        done(users);
    }
    void load_clock(Archive::Callback<ClockMark> done) override { done(ClockMark()); }
    void save_clock(const ClockMark&) override {}
    StoreHealth health() const override { return {}; }

    void project(ProjectRequest, Documents::Callback<std::vector<ForeignDocument>> done) override {
        done(in_the_way);
    }
    void adopted(const std::string&, std::string, Offset, Documents::Callback<Done> done) override {
        done(Done{});
    }
    void look(std::vector<std::string>,
              Documents::Callback<std::vector<DocumentsLook>> done) override {
        done(looks);
    }
};

class CheckedStoreTest : public testing::Test {
  protected:
    CheckedStoreTest() {
        testing::GTEST_FLAG(death_test_style) = "fast";
        log_.take(*request_.batch, request_.changes);
        store_.loaded.head = store_.slice.head = log_.head();
        store_.slice.batches = {request_.batch};
    }
    static ContextPtr context(const std::string& key, Version version, Offset offset) {
        auto context = std::make_shared<Context>();
        context->key = key;
        context->version = version;
        context->offset = offset;
        return context;
    }
    void load() {
        door_.load("ada", [](auto&&) {});
    }
    void read(Offset after = 0) {
        door_.read("ada", after, 100, [](auto&&) {});
    }
    void append() {
        door_.append(request_, [](auto&&) {});
    }
    void history() {
        door_.history("ada", "k", {.before = 9, .limit = 2}, [](auto&&) {});
    }
    void search() {
        door_.search("ada", "q", 2, [](auto&&) {});
    }

    test::SeededRandom random_{7};
    test::SampleLog log_{"ada", random_};
    AppendRequest request_ = log_.draft(3);
    Liar store_;
    CheckedStore door_{store_};
    CheckedDocuments documents_{store_};
};

TEST_F(CheckedStoreTest, WhatKeepsTheLawPasses) {
    load();
    read();
    read(2);
    store_.appended.outcome = AppendOutcome::committed;
    append();
    store_.items = {{.offset = 8, .context = context("k", 3, 8)},
                    {.offset = 2, .context = context("k", 2, 2)}};
    history();
    store_.hits = {{"a", "", 2}, {"b", "", 1}};
    search();
    EXPECT_EQ(store_.slice.batches.front()->last(), 3u);
}

TEST_F(CheckedStoreTest, WhoAsksKeepsItToo) {
    EXPECT_DEATH(door_.load("", [](auto&&) {}), "user_id");
    EXPECT_DEATH(door_.load("ada", nullptr), "done");
    EXPECT_DEATH(door_.read("ada", 0, 0, [](auto&&) {}), "bytes_max");
    EXPECT_DEATH(door_.history("ada", "k", {.limit = 0}, [](auto&&) {}), "limit");
    request_.changes = {};
    EXPECT_DEATH(append(), "changes");
    request_.batch = std::make_shared<const EventBatch>();
    EXPECT_DEATH(append(), "empty");
    EXPECT_DEATH(documents_.look({}, [](auto&&) {}), "user_ids");
}

TEST_F(CheckedStoreTest, ALogWithoutAnEpochOrWithAStateOfAnotherTimeIsNone) {
    store_.loaded.first_kept = 5;
    EXPECT_DEATH(load(), "first_kept");
    store_.loaded.first_kept = 1;
    store_.loaded.state.contexts["k"] = context("k", 1, 4);
    EXPECT_DEATH(load(), "offset");
    store_.loaded.state.contexts.clear();
    store_.loaded.head.epoch = 0;
    EXPECT_DEATH(load(), "epoch");
}

TEST_F(CheckedStoreTest, AnOutcomeSaysWhy) {
    store_.appended.outcome = AppendOutcome::refused;
    EXPECT_DEATH(append(), "refused");
    store_.appended.outcome = AppendOutcome::duplicate;
    EXPECT_DEATH(append(), "duplicate");
    store_.appended.duplicates = {{.event = 3, .offset = 1}};
    EXPECT_DEATH(append(), "events");
}

TEST_F(CheckedStoreTest, WhatIsReadFollowsWithoutAHole) {
    const AppendRequest next = log_.draft(2);
    store_.slice.batches = {next.batch};
    EXPECT_DEATH(read(), "after");
    EXPECT_DEATH(read(3), "head");  // beyond the end that it says
    store_.slice.head = next.batch->head();
    read(3);
    store_.slice.batches = {request_.batch, request_.batch};
    EXPECT_DEATH(read(), "last");
}

TEST_F(CheckedStoreTest, APageIsInOrderAndWhatWasAskedFor) {
    store_.items = {{.offset = 9, .context = context("k", 3, 9)}};
    EXPECT_DEATH(history(), "before");
    store_.items = {{.offset = 2, .context = context("k", 3, 2)},
                    {.offset = 8, .context = context("k", 2, 8)}};
    EXPECT_DEATH(history(), "before");
    store_.items = {{.offset = 2, .context = context("other", 3, 2)}};
    EXPECT_DEATH(history(), "key");
    store_.hits = {{"a", "", 1}, {"b", "", 2}};
    EXPECT_DEATH(search(), "is_better");
    store_.version = context("k", 2, 2);
    EXPECT_DEATH(door_.read_version("ada", "k", 3, [](auto&&) {}), "version");
    store_.users = {"ada", "ada"};
    EXPECT_DEATH(door_.users_with_expired(1, 2, [](auto&&) {}), "users");
    EXPECT_DEATH(door_.heads({"ada"}, [](auto&&) {}), "heads");
}

TEST_F(CheckedStoreTest, DocumentsAreOfWhoWasAskedFor) {
    store_.looks = {{.user_id = "bob", .foreign = {}}};
    EXPECT_DEATH(documents_.look({"ada"}, [](auto&&) {}), "user_id");
    store_.in_the_way = {{.user_id = "ada", .context = context("other", 1, 0)}};
    const ProjectRequest request{.user_id = "ada", .end = 0, .entries = {{context("k", 1, 1), {}}}};
    EXPECT_DEATH(documents_.project(request, [](auto&&) {}), "keys");
}

}  // namespace
}  // namespace dyad
