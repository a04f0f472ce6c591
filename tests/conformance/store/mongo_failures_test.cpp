// What the port promises where the server fails in the middle: it drops connections, answers with
// the errors of a failover, stands still, loses what it had, or is replaced.
#include "conformance/store/store_law.hpp"
#include "store/mongo/mongo_store.hpp"
#include "store/mongo/schema.hpp"
#include "support/mongo_server.hpp"
#include "support/posted.hpp"

#include <csignal>
#include <memory>

namespace dyad::conformance {
namespace {

using mongo::Bson;
using std::chrono::steady_clock;

constexpr std::int64_t kSocketMs = 700;
constexpr auto kPatience = std::chrono::seconds(40);

class MongoFailures : public testing::Test {
  protected:
    static test::MongoServer* server() {
        static const auto one = test::MongoServer::start({"--enable-test-commands"});
        if (one && !one->running()) one->restart();
        return one.get();
    }

    void SetUp() override {
        if (server() == nullptr) GTEST_SKIP() << test::MongoServer::missing();
        static int tests = 0;
        options_.url = server()->url() + "?serverSelectionTimeoutMS=1000&connectTimeoutMS=1000" +
                       "&heartbeatFrequencyMS=500&socketTimeoutMS=" + std::to_string(kSocketMs);
        options_.database = "failures" + std::to_string(++tests);
        options_.seed = test::kSampleSeed;
        options_.pool_max = 4;
        options_.ping_ms = 200;
        options_.project_after_ms = 60'000;  // what is counted here is not disturbed by it
        driver_.reset(mongoc_client_new((server()->url() + "?appname=test").c_str()));
        raw_.emplace(driver_.get(), options_.database, true);
        open();
    }
    void TearDown() override {
        if (raw_) heal();
        close();
        if (raw_) (void)raw_->run(Bson().number("dropDatabase", 1));
    }

    void open() {
        auto opened = mongo::Database::open(options_, random_);
        ASSERT_TRUE(opened) << opened.error().to_string();
        database_ = *std::move(opened);
        store_ = std::make_unique<mongo::MongoStore>(database_, cell_.post());
        wait_until_up();
    }
    void close() {
        store_.reset();
        if (database_) database_->stop();
        database_.reset();
    }

    // From now on these commands of the store's connections fail so.
    void break_commands(std::vector<std::string> commands, Bson how) {
        how.texts("failCommands", commands).text("appName", "dyad-memory");
        const auto done = raw_->run(Bson()
                                        .text("configureFailPoint", "failCommand")
                                        .text("mode", "alwaysOn")
                                        .sub("data", how),
                                    "admin");
        ASSERT_TRUE(done) << done.error().to_string();
    }
    void heal() {
        (void)raw_->run(Bson().text("configureFailPoint", "failCommand").text("mode", "off"),
                        "admin");
    }

    template <class Done>
    bool wait(Done done) {
        const auto until = steady_clock::now() + kPatience;
        while (!done()) {
            if (steady_clock::now() > until) return false;
            cell_.run_once(5);
        }
        return true;
    }
    void wait_until_up() {
        ASSERT_TRUE(wait([&] { return store_->health().connected; })) << store_->health().problem;
    }
    template <class T, class Question>
    Result<T> ask(Question question) {
        auto answer = std::make_shared<std::optional<Result<T>>>();
        question([answer](Result<T> one) { answer->emplace(std::move(one)); });
        if (!wait([&] { return answer->has_value(); })) return fail(Errc::timed_out, "no answer");
        return std::move(**answer);
    }
    AppendResult append(const AppendRequest& request) {
        auto answer = std::make_shared<std::optional<AppendResult>>();
        store_->append(request, [answer](AppendResult one) { answer->emplace(std::move(one)); });
        EXPECT_TRUE(wait([&] { return answer->has_value(); })) << "no answer";
        return answer->value_or(AppendResult{});
    }
    void grow(test::SampleLog& log, std::size_t events = 1) {
        const AppendRequest request = log.draft(events);
        const AppendResult result = append(request);
        ASSERT_EQ(result.outcome, AppendOutcome::committed)
            << (result.error ? result.error->to_string() : "");
        log.take(*request.batch, request.changes);
    }
    Result<LoadedLog> load(const std::string& user) {
        return ask<LoadedLog>([&](auto done) { store_->load(user, std::move(done)); });
    }
    Result<std::optional<Offset>> find(const std::string& user, const OperationId& operation) {
        return ask<std::optional<Offset>>(
            [&](auto done) { store_->find(user, operation, std::move(done)); });
    }
    // What is in sync_events of a user, in the order of offsets.
    std::vector<std::int64_t> offsets_of(const std::string& user) {
        std::vector<std::int64_t> offsets;
        const Status read =
            raw_->each(mongo::kEvents, Bson().text("userId", user),
                       {.sort = Bson().number("offset", 1)}, [&](mongo::BsonView event) {
                           offsets.push_back(event.number("offset").value_or(0));
                           return true;
                       });
        EXPECT_TRUE(read);
        return offsets;
    }
    // As the heart goes on after `unknown`: what got in is looked for, the rest comes again.
    void settle(test::SampleLog& log, const AppendRequest& request) {
        for (int tries = 0; tries < 40; ++tries) {
            const auto loaded = load(log.user());
            if (!loaded) {
                cell_.run_once(100);
                continue;
            }
            if (loaded->head.offset == request.batch->last()) {
                EXPECT_EQ(loaded->head.hash, request.batch->head().hash) << "a fork";
                break;
            }
            ASSERT_EQ(loaded->head.offset, log.head().offset) << "a part of a batch of one";
            if (append(request).outcome == AppendOutcome::committed) break;
        }
        log.take(*request.batch, request.changes);
    }
    void expect_holds(const test::SampleLog& log) {
        const auto loaded = load(log.user());
        ASSERT_TRUE(loaded) << loaded.error().to_string();
        EXPECT_EQ(loaded->head.hash, log.head().hash);
        EXPECT_EQ(test::describe(loaded->state, true), test::describe(log.state(), true));
        std::vector<std::int64_t> dense;
        for (Offset offset = 1; offset <= log.head().offset; ++offset)
            dense.push_back(static_cast<std::int64_t>(offset));
        EXPECT_EQ(offsets_of(log.user()), dense);
    }

    using Driver = std::unique_ptr<mongoc_client_t, void (*)(mongoc_client_t*)>;
    mongo::MongoOptions options_;
    SystemRandom random_;
    test::SeededRandom numbers_{42};
    Driver driver_{nullptr, mongoc_client_destroy};
    std::optional<mongo::Client> raw_;
    test::Posted cell_;
    std::shared_ptr<mongo::Database> database_;
    std::unique_ptr<mongo::MongoStore> store_;
};

Bson error_code(std::int32_t code) {
    return Bson().small("errorCode", code);
}
Bson concern_error(std::int32_t code) {
    return Bson().sub("writeConcernError", Bson().small("code", code).text("errmsg", "injected"));
}

struct Fault {
    const char* name;
    Bson (*how)();
    AppendOutcome outcome;
};

// The outcome; and where the write may yet be applied, nothing is lost or there twice after it.
TEST_F(MongoFailures, AnAppendIsToldWhatIsKnownOfIt) {
    const Fault faults[] = {
        {"closed", [] { return Bson().flag("closeConnection", true); }, AppendOutcome::unknown},
        {"NotWritablePrimary", [] { return error_code(10107); }, AppendOutcome::refused},
        {"InterruptedAtShutdown", [] { return error_code(11600); }, AppendOutcome::unknown},
        {"PrimarySteppedDown", [] { return error_code(189); }, AppendOutcome::unknown},
        {"ShutdownInProgress", [] { return error_code(91); }, AppendOutcome::unknown},
        {"MaxTimeMSExpired", [] { return error_code(50); }, AppendOutcome::unknown},
        {"unheard of", [] { return error_code(9'999'999); }, AppendOutcome::unknown},
        {"Unauthorized", [] { return error_code(13); }, AppendOutcome::refused},
        {"WriteConcernFailed", [] { return concern_error(64); }, AppendOutcome::unknown},
        {"wtimeout in a shutdown", [] { return concern_error(91); }, AppendOutcome::unknown},
        // It is applied after the store has given up.
        {"late", [] { return Bson().flag("blockConnection", true).small("blockTimeMS", 1500); },
         AppendOutcome::unknown},
    };
    for (const Fault& fault : faults) {
        SCOPED_TRACE(fault.name);
        test::SampleLog log(std::string("ada ") + fault.name, numbers_);
        wait_until_up();
        ASSERT_NO_FATAL_FAILURE(grow(log));
        ASSERT_NO_FATAL_FAILURE(break_commands({"insert"}, fault.how()));
        const AppendRequest request = log.draft(1);
        const AppendResult result = append(request);
        EXPECT_EQ(static_cast<int>(result.outcome), static_cast<int>(fault.outcome));
        if (result.outcome == AppendOutcome::refused) {
            EXPECT_EQ(result.error->code, Errc::storage_unavailable);
            EXPECT_EQ(offsets_of(log.user()).size(), 1U) << "it said that it is not there";
        }
        heal();
        ASSERT_NO_FATAL_FAILURE(settle(log, request));
        wait_until_up();
        ASSERT_NO_FATAL_FAILURE(grow(log, 3));
        expect_holds(log);
    }
}

TEST_F(MongoFailures, HealthSaysThatNothingCanBeWrittenAndGetsWellByItself) {
    for (const std::int32_t code : {10107, 13, 64}) {
        SCOPED_TRACE(code);
        test::SampleLog log("ada " + std::to_string(code), numbers_);
        ASSERT_NO_FATAL_FAILURE(grow(log));
        break_commands({"insert", "update"}, code == 64 ? concern_error(code) : error_code(code));
        EXPECT_NE(append(log.draft(1)).outcome, AppendOutcome::committed);
        EXPECT_TRUE(wait([&] { return !store_->health().connected; }));
        EXPECT_TRUE(store_->health().problem.starts_with("MongoDB not connected: "));
        EXPECT_GT(store_->health().problem.size(), 25U) << "and why";
        heal();
        wait_until_up();
        EXPECT_EQ(store_->health().problem, "");
    }
}

// Whether an operation was applied is asked of a server that may not be the primary any more.
TEST_F(MongoFailures, ThatAnOperationIsNotThereIsProvenToo) {
    test::SampleLog log("ada", numbers_);
    grow(log);
    break_commands({"update"}, error_code(10107));
    const auto found = find("ada", {"vscode-1", "never"});
    ASSERT_FALSE(found) << "no barrier was passed";
    EXPECT_EQ(found.error().code, Errc::storage_unavailable);
}

TEST_F(MongoFailures, ReadsThatWaitForOneBarrierFailTogether) {
    test::SampleLog log("ada", numbers_);
    grow(log);
    break_commands({"update"}, Bson().flag("blockConnection", true).small("blockTimeMS", 3000));
    const auto started = steady_clock::now();
    int answers = 0;
    for (int i = 0; i < 4; ++i)
        store_->load("ada", [&](const Result<LoadedLog>& loaded) {
            EXPECT_FALSE(loaded);
            answers += 1;
        });
    EXPECT_TRUE(wait([&] { return answers == 4; }));
    // One that began before the others came, and one for those.
    EXPECT_LT(steady_clock::now() - started, std::chrono::milliseconds(3 * kSocketMs + 400));
}

// The end of a log that was seen and then lost is nothing that an append may follow.
// As many looks as connections, each at more users than anybody waits for.
TEST_F(MongoFailures, WhoAsksForOneLogDoesNotWaitForLooksAtAll) {
    close();
    options_.pool_max = 2;
    open();
    std::vector<std::string> users;
    for (int i = 0; i < 1000; ++i)
        users.push_back("user-" + std::to_string(i));
    int looks = 0;
    for (std::size_t i = 0; i < options_.pool_max; ++i)
        store_->heads(users, [&](const Result<std::vector<Position>>& ends) {
            ASSERT_TRUE(ends) << ends.error().to_string();
            EXPECT_EQ(ends->size(), users.size());
            ++looks;
        });
    bool loaded = false;
    store_->load("ada", [&](const Result<LoadedLog>& log) {
        EXPECT_TRUE(log);
        EXPECT_EQ(looks, 0) << "it had to wait";
        loaded = true;
    });
    ASSERT_TRUE(wait([&] { return loaded && looks == 2; }));
}

TEST_F(MongoFailures, WhatWasReadAndIsNotDurableIsNotFollowed) {
    test::SampleLog log("ada", numbers_);
    grow(log, 2);
    test::SampleLog lost = log;
    const AppendRequest last = lost.draft(1);
    ASSERT_EQ(append(last).outcome, AppendOutcome::committed);
    lost.take(*last.batch, last.changes);
    close();
    // As a crash leaves it: what is derived of an event is lost with it.
    ASSERT_TRUE(raw_->remove(mongo::kHeads, Bson().text("_id", "ada")));
    ASSERT_TRUE(raw_->remove(mongo::kState, Bson().text("userId", "ada")));
    open();  // it has seen nothing
    break_commands({"update"}, error_code(9'999'999));
    EXPECT_FALSE(load("ada")) << "no barrier was passed";
    ASSERT_TRUE(raw_->remove(mongo::kEvents, Bson().text("userId", "ada").number("offset", 3)));
    heal();
    // Refused where the store has gone down by that failure; then it is asked again.
    AppendOutcome outcome = AppendOutcome::refused;
    ASSERT_TRUE(wait([&] {
        outcome = append(lost.draft(1)).outcome;
        return outcome != AppendOutcome::refused;
    }));
    EXPECT_EQ(outcome, AppendOutcome::conflict);
    EXPECT_EQ(offsets_of("ada"), (std::vector<std::int64_t>{1, 2}));
}

// As after a restore of some collections only: an append would leave a hole.
TEST_F(MongoFailures, ALogThatEndsBeforeItsStateIsNotGoneOnWith) {
    test::SampleLog log("ada", numbers_);
    grow(log, 3);
    close();  // what is derived is written
    open();
    ASSERT_TRUE(raw_->remove(mongo::kEvents, Bson().text("userId", "ada").number("offset", 3)));
    const AppendResult result = append(log.draft(1));
    ASSERT_EQ(result.outcome, AppendOutcome::refused);
    EXPECT_EQ(result.error->code, Errc::storage_damaged);
    EXPECT_EQ(offsets_of("ada"), (std::vector<std::int64_t>{1, 2}));
}

TEST_F(MongoFailures, AStopDoesNotWaitForOneThatStandsStill) {
    options_.project_after_ms = 60'000;
    for (int i = 0; i < 60; ++i) {
        test::SampleLog log("user " + std::to_string(i), numbers_);
        ASSERT_NO_FATAL_FAILURE(grow(log));  // and is due to be projected
    }
    server()->signal(SIGSTOP);
    const auto started = steady_clock::now();
    close();
    const auto took = steady_clock::now() - started;
    server()->signal(SIGCONT);
    EXPECT_LT(took, std::chrono::milliseconds(4 * kSocketMs));
}

// A database that was dropped has no index that would refuse anything.
TEST_F(MongoFailures, ADatabaseThatWasDroppedIsPreparedAgain) {
    test::SampleLog log("ada", numbers_);
    grow(log, 3);
    ASSERT_TRUE(raw_->run(Bson().number("dropDatabase", 1)));
    ASSERT_TRUE(wait([&] {
        const auto report = mongo::look_at_indexes(*raw_);
        return report && report->missing.empty() && store_->health().connected;
    })) << "the indexes are not made again";
    EXPECT_EQ(append(log.draft(1)).outcome, AppendOutcome::conflict);
    EXPECT_TRUE(offsets_of("ada").empty());
    const auto loaded = load("ada");
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->head.offset, 0U);
}

TEST_F(MongoFailures, AnOlderCopyThatIsPutBackIsGoneOnFrom) {
    test::SampleLog log("ada", numbers_);
    grow(log, 3);
    test::SampleLog old = log;
    grow(log, 2);
    wait([end = steady_clock::now() + mongo::KnownHeads::kFresh] {
        return steady_clock::now() > end;
    });
    const Bson later = Bson().sub("offset", Bson().number("$gt", 3));
    ASSERT_TRUE(raw_->remove(mongo::kEvents, later));
    EXPECT_EQ(append(log.draft(1)).outcome, AppendOutcome::conflict);
    old.skip_operations_of(log);
    grow(old, 2);
    expect_holds(old);
}

}  // namespace
}  // namespace dyad::conformance
