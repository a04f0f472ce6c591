// The law of store/store.hpp as a test suite, for any backend:
//
//     INSTANTIATE_TEST_SUITE_P(Sqlite, StoreLaw, testing::Values(&make_backend));
//     INSTANTIATE_TEST_SUITE_P(Sqlite, StoreProjections, testing::Values(&make_backend));
//     INSTANTIATE_TEST_SUITE_P(Sqlite, StoreRetention, testing::Values(&make_backend));
//
// in a program made by store_conformance() (CMakeLists.txt).
#pragma once

#include "store/checked/checked_store.hpp"
#include "support/sample_log.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace dyad::conformance {

class Backend {
  public:
    virtual ~Backend() = default;
    // Two handles on the same logs, as two cells or two nodes have them.
    virtual Store& first() = 0;
    virtual Store& second() = 0;
    // Destroys the second handle, with whatever it still waits for.
    virtual void drop_second() = 0;
    // Runs the callbacks that are due; waits a little where there is none.
    virtual void pump() = 0;
    // Makes both handles anew on what is durable; without `cleanly` as after a crash.
    virtual void restart(bool cleanly) = 0;
};
// Null: what it needs is not installed.
using MakeBackend = std::unique_ptr<Backend> (*)();

class StoreLaw : public testing::TestWithParam<MakeBackend> {
  protected:
    StoreLaw() : backend_(GetParam()()) {}
    void SetUp() override {
        if (!backend_) GTEST_SKIP() << "the server of this store is not installed";
    }

    // Through its doors, as the heart asks it.
    Store& store() { return checked_.emplace(backend_->first()); }
    // Waits for the answer to one question, and sees to it that it comes later, and once.
    template <class T>
    Result<T> ask(const std::function<void(Store::Callback<T>)>& question) {
        auto answers = std::make_shared<std::vector<Result<T>>>();
        question([answers](Result<T> answer) { answers->push_back(std::move(answer)); });
        EXPECT_TRUE(answers->empty()) << "a callback ran inside the call";
        wait([&] { return !answers->empty(); });
        backend_->pump();
        EXPECT_EQ(answers->size(), 1U);
        if (answers->empty()) return fail(Errc::timed_out, "no answer");
        return std::move(answers->front());
    }
    void wait(const std::function<bool()>& done);

    AppendOutcome append(AppendRequest request);
    AppendOutcome append(Store& store, AppendRequest request);
    AppendResult append_result(Store& store, AppendRequest request);
    // Appends so many batches of up to `events_max` events, and takes them into `log`.
    void grow(test::SampleLog& log, int batches, std::size_t events_max);
    LoadedLog load(const std::string& user);
    // What the store knows of an operation.
    std::optional<Offset> find(const std::string& user, const std::string& instance,
                               const std::string& operation);
    // Every operation of `log` is found, those before `first_kept` as expired.
    void expect_operations(const test::SampleLog& log, Offset first_kept = 1);
    std::vector<Position> heads(std::vector<std::string> users);
    std::vector<std::string> texts(const std::string& user, Offset after, std::size_t bytes_max);
    void expect_holds(const test::SampleLog& log);

    std::unique_ptr<Backend> backend_;
    std::optional<CheckedStore> checked_;
    test::SeededRandom random_{42};
};

class StoreProjections : public StoreLaw {
  protected:
    void put(test::SampleLog& log, const Change& change);
    Result<std::vector<HistoryItem>> history(const std::string& user, const std::string& key,
                                             PageRequest page);
    Result<ContextPtr> version(const std::string& user, const std::string& key, Version version);
    std::vector<ResponseRecord> responses(const std::string& user, const ResponseFilter& filter,
                                          PageRequest page);
    // The keys of the hits, sorted.
    std::vector<std::string> found(const std::string& user, const std::string& query);
    Result<std::vector<SearchHit>> search(const std::string& user, const std::string& query);
    // The hits are those of search/match.hpp over the whole state.
    void expect_search(const test::SampleLog& log, const std::string& query);
};

// What retention takes away, and what stays.
class StoreRetention : public StoreProjections {
  protected:
    std::size_t expire(std::int64_t before_ms);
    // `log` is kept from `first_kept` on; everything else is as if nothing had expired.
    void expect_kept_from(const test::SampleLog& log, Offset first_kept);
};

// The context under `key` with the data {"note": note}, or its deletion, as the next of `log`.
ContextChange context_change(const test::SampleLog& log, const std::string& key,
                             const std::string& note, bool deleted = false);
// One request with one change, at the end of `log`.
AppendRequest request_for(const test::SampleLog& log, const Change& change,
                          const std::string& operation, std::int64_t timestamp_ms);
// One request with these changes, at the end of `log`.
AppendRequest request_for(const test::SampleLog& log, const std::vector<Change>& changes);
// One request with an event for each operation, (instance, operation id), at the end of `log`.
AppendRequest request_for(const test::SampleLog& log,
                          const std::vector<std::pair<std::string, std::string>>& operations);

}  // namespace dyad::conformance
