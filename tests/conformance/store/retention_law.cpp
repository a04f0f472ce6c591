// Retention: exactly what is older than a moment goes, wherever it stands, and nothing else.
#include "base/limits.hpp"
#include "conformance/store/store_law.hpp"

#include <algorithm>
#include <set>

namespace dyad::conformance {

using test::SampleLog;

std::size_t StoreRetention::expire(std::int64_t before_ms) {
    const auto dropped =
        ask<std::size_t>([&](auto done) { store().expire_events(before_ms, done); });
    EXPECT_TRUE(dropped) << dropped.error().to_string();
    return dropped ? *dropped : 0;
}

void StoreRetention::expect_kept_from(const SampleLog& log, Offset first_kept) {
    const std::string& user = log.user();
    const LoadedLog loaded = load(user);
    EXPECT_EQ(loaded.first_kept, first_kept);
    EXPECT_EQ(loaded.head.epoch, log.head().epoch);
    EXPECT_EQ(loaded.head.offset, log.head().offset);
    EXPECT_EQ(loaded.head.hash, log.head().hash);
    EXPECT_EQ(loaded.head.timestamp_ms, log.head().timestamp_ms);
    EXPECT_EQ(test::describe(loaded.state, false), test::describe(log.state(), false));
    EXPECT_EQ(heads({user}), std::vector<Position>{log.head().position()});
    expect_operations(log, first_kept);
    const auto& all = log.texts();
    for (const std::size_t bytes_max : {std::size_t{1}, std::size_t{64 * 1024}})
        EXPECT_EQ(
            texts(user, first_kept - 1, bytes_max),
            std::vector<std::string>(all.begin() + static_cast<long>(first_kept) - 1, all.end()));
    for (const Offset after : {Offset{0}, first_kept / 2, first_kept - 2}) {
        if (first_kept < 2 || after + 1 >= first_kept) continue;
        const auto gone = ask<LogSlice>([&](auto done) { store().read(user, after, 1, done); });
        ASSERT_FALSE(gone) << after;
        EXPECT_EQ(gone.error().code, Errc::history_gone);
    }
    const auto transitions = ask<std::vector<Transition>>(
        [&](auto done) { store().transitions(user, std::nullopt, {.limit = 10'000}, done); });
    ASSERT_TRUE(transitions);
    EXPECT_EQ(transitions->size(), log.transitions().size());
    EXPECT_EQ(responses(user, {}, {.limit = 10'000}).size(), log.responses().size());
}

TEST_P(StoreRetention, CutsALogBetweenAnyTwoEvents) {
    for (Offset kept_from = 1; kept_from <= 41; kept_from += 8) {
        SampleLog log("ada" + std::to_string(kept_from), random_);
        std::vector<std::int64_t> times;
        while (log.head().offset < 40) {
            AppendRequest request =
                log.draft(std::min<std::size_t>(1 + random_.below(6), 40 - log.head().offset));
            ASSERT_EQ(append(request), AppendOutcome::committed);
            log.take(*request.batch, request.changes);
            for (const EventEntry& entry : request.batch->entries)
                times.push_back(entry.timestamp_ms);
        }
        if (kept_from % 3 == 2) backend_->restart(false);
        const std::int64_t before = kept_from <= 40 ? times[kept_from - 1] : times.back() + 1;
        // Events of one moment go together.
        const auto first = static_cast<Offset>(
            std::lower_bound(times.begin(), times.end(), before) - times.begin() + 1);
        EXPECT_EQ(expire(before), first - 1) << kept_from;
        expect_kept_from(log, first);
        EXPECT_EQ(expire(before), 0U) << "again";
        backend_->restart(false);
        expect_kept_from(log, first);
        grow(log, 3, 3);
        expect_kept_from(log, first);
        expire(INT64_MIN);
        expect_kept_from(log, first);
        EXPECT_EQ(expire(INT64_MAX), log.head().offset - first + 1)
            << "so that it is out of the way";
    }
}

TEST_P(StoreRetention, TakesEachUsersOwnOldEventsAndNoOthers) {
    std::vector<SampleLog> logs;
    std::vector<Offset> old;
    for (int i = 0; i < 90; ++i) {
        SampleLog& log = logs.emplace_back("user " + std::to_string(i), random_);
        log.now_ms = 1'000'000;
        grow(log, i % 3, 4);
        old.push_back(log.head().offset);
        log.now_ms = 2'000'000 + i;
        if (i % 4 != 0) grow(log, 1 + i % 2, 3);
    }
    std::size_t expected = 0;
    for (const Offset count : old)
        expected += count;
    EXPECT_EQ(expire(2'000'000), expected);
    for (std::size_t i = 0; i < logs.size(); ++i)
        if (logs[i].head().offset != 0) expect_kept_from(logs[i], old[i] + 1);
    EXPECT_EQ(expire(2'000'000), 0U);
}

TEST_P(StoreRetention, WhoStoppedWritingKeepsNoEventAndGoesOnLater) {
    SampleLog log("ada", random_);
    for (int round = 0; round < 3; ++round) {
        grow(log, 5, 6);
        backend_->restart(round == 1);
        EXPECT_GT(expire(log.now_ms + 1), 0U);
        expect_kept_from(log, log.head().offset + 1);
        const auto end =
            ask<LogSlice>([&](auto done) { store().read("ada", log.head().offset, 1000, done); });
        ASSERT_TRUE(end) << "whoever stood at the end stands there still";
        EXPECT_TRUE(end->batches.empty());
        EXPECT_EQ(end->head.hash, log.head().hash);
        EXPECT_EQ(end->first_kept, log.head().offset + 1);
        const auto beyond =
            ask<LogSlice>([&](auto done) { store().read("ada", INT64_MAX, 1000, done); });
        ASSERT_TRUE(beyond);
        EXPECT_EQ(beyond->first_kept, log.head().offset + 1);
        if (round != 0) backend_->restart(round == 1);
    }
    // What does not follow the end that is remembered is refused as before.
    SampleLog other("ada", random_);
    EXPECT_EQ(append(other.draft(1)), AppendOutcome::conflict);
    const Offset first_kept = log.head().offset + 1;
    grow(log, 2, 4);
    backend_->restart(false);
    grow(log, 2, 4);
    expect_kept_from(log, first_kept);
}

TEST_P(StoreRetention, ALiveContextOutlivesItsHistory) {
    SampleLog log("ada", random_);
    for (int i = 1; i <= 30; ++i)
        put(log, context_change(log, "a", "text " + std::to_string(i)));
    put(log, context_change(log, "b", "still here"));
    put(log, context_change(log, "c", "first"));
    put(log, context_change(log, "c", "", true));
    expire(log.now_ms + 1);
    backend_->restart(false);
    const std::string kept = R"({"note":"text 30"})";
    for (int round = 0; round < 2; ++round) {
        const auto items = history("ada", "a", {});
        ASSERT_TRUE(items);
        EXPECT_EQ(items->size(), static_cast<std::size_t>(round)) << "what was put since";
        const auto current = version("ada", "a", 30);
        if (round == 0) {
            ASSERT_TRUE(current) << current.error().to_string();
            EXPECT_EQ((*current)->data, kept);
        } else {
            EXPECT_EQ(current.error().code, Errc::history_gone);
        }
        for (const Version old : {Version{1}, Version{29}}) {
            const auto gone = version("ada", "a", old);
            ASSERT_FALSE(gone);
            EXPECT_EQ(gone.error().code, Errc::history_gone);
        }
        EXPECT_EQ(version("ada", "a", 99).error().code, Errc::not_found);
        EXPECT_FALSE(version("ada", "c", 1));
        EXPECT_EQ(load("ada").state.find("b")->data, R"({"note":"still here"})");
        if (round == 0) put(log, context_change(log, "a", "after"));
    }
    EXPECT_TRUE(history("ada", "c", {})->empty());
    EXPECT_EQ(found("ada", "first"), std::vector<std::string>{});
    EXPECT_EQ(found("ada", "still"), std::vector<std::string>{"b"});
}

TEST_P(StoreRetention, BetweenLoadingAndReadingALogMayGo) {
    SampleLog log("ada", random_);
    grow(log, 12, 4);
    const LoadedLog loaded = load("ada");
    expire(log.now_ms + 1);
    const auto slice =
        ask<LogSlice>([&](auto done) { store().read("ada", loaded.first_kept - 1, 1000, done); });
    ASSERT_FALSE(slice);
    EXPECT_EQ(slice.error().code, Errc::history_gone);
    EXPECT_EQ(loaded.head.position(), heads({"ada"}).at(0));
}

TEST_P(StoreRetention, AppendsAndReadsGoOnMeanwhile) {
    std::vector<SampleLog> logs;
    for (const char* user : {"ada", "bob", "cyd"})
        logs.emplace_back(user, random_);
    for (SampleLog& log : logs)
        grow(log, 10, 6);
    int waiting = 0;
    std::vector<Offset> end(logs.size());
    for (int round = 0; round < 30; ++round) {
        for (SampleLog& log : logs) {
            const AppendRequest request = log.draft(1 + random_.below(5));
            log.take(*request.batch, request.changes);
            ++waiting;
            store().append(request, [&](const AppendResult& result) {
                --waiting;
                EXPECT_EQ(result.outcome, AppendOutcome::committed);
            });
        }
        waiting += 2;
        const std::int64_t before = round % 3 == 0 ? logs[0].now_ms - 1000 : logs[0].now_ms + 1;
        backend_->second().expire_events(before, [&](const Result<std::size_t>& dropped) {
            --waiting;
            EXPECT_TRUE(dropped) << dropped.error().to_string();
        });
        store().load("bob", [&](const Result<LoadedLog>& loaded) {
            --waiting;
            ASSERT_TRUE(loaded);
            EXPECT_LE(loaded->first_kept, loaded->head.offset + 1);
        });
        if (round % 5 == 0) wait([&] { return waiting == 0; });
    }
    wait([&] { return waiting == 0; });
    backend_->restart(false);
    for (const SampleLog& log : logs)
        expect_kept_from(log, load(log.user()).first_kept);
    expire(INT64_MAX);
    for (const SampleLog& log : logs)
        expect_kept_from(log, log.head().offset + 1);
}

TEST_P(StoreRetention, TheNewestExpiredOperationsOfEachInstanceStayKnown) {
    constexpr int kKept = limits::expired_operations_per_instance_max;
    SampleLog log("ada", random_);
    SampleLog other("bob", random_);
    const auto write = [&](SampleLog& to, const std::string& instance, int first, int count) {
        for (int i = first; i < first + count; i += 256) {
            std::vector<std::pair<std::string, std::string>> operations;
            for (int n = i; n < std::min(i + 256, first + count); ++n)
                operations.emplace_back(instance, std::to_string(n));
            const AppendRequest request = request_for(to, operations);
            ASSERT_EQ(append(request), AppendOutcome::committed);
            to.take(*request.batch, request.changes);
        }
    };
    write(other, "busy", 0, 1);
    write(log, "quiet", 0, 3);
    write(log, "busy", 0, kKept / 2);
    write(log, "last", 0, 64);
    EXPECT_GT(expire(INT64_MAX), 0U);
    write(log, "busy", kKept / 2, kKept);
    write(log, "last", 64, 64);
    EXPECT_GT(expire(INT64_MAX), 0U);
    backend_->restart(false);

    const auto knows = [&](const std::string& instance, int n) {
        return find("ada", instance, std::to_string(n)) == std::optional<Offset>(0);
    };
    for (int n = 0; n < 3; ++n)
        EXPECT_TRUE(knows("quiet", n)) << "however much others wrote since";
    for (int n = 0; n < kKept + kKept / 2; n += n == kKept / 2 - 1 ? 1 : 7)
        EXPECT_EQ(knows("busy", n), n >= kKept / 2) << n;
    for (int n = 0; n < 128; n += 9)
        EXPECT_TRUE(knows("last", n)) << n;
    EXPECT_EQ(find("bob", "quiet", "0"), std::nullopt) << "another user's are its own";
}

TEST_P(StoreRetention, ExpiredOperationsOfTheLastInstancesStayKnown) {
    constexpr int kInstances = limits::expired_operations_instances_max;
    SampleLog log("ada", random_);
    const auto instance = [](int n) { return "instance-" + std::to_string(n); };
    for (int first = 0; first < kInstances + 94; first += 50) {
        std::vector<std::pair<std::string, std::string>> operations;
        for (int n = first; n < first + 50; ++n)
            operations.emplace_back(instance(n), "one");
        const AppendRequest request = request_for(log, operations);
        ASSERT_EQ(append(request), AppendOutcome::committed);
        log.take(*request.batch, request.changes);
        EXPECT_EQ(expire(INT64_MAX), 50U);
    }
    const LoadedLog loaded = load("ada");
    const int expired = static_cast<int>(loaded.first_kept) - 1;
    ASSERT_GT(expired, kInstances);
    const auto expect = [&](int n) {
        EXPECT_EQ(find("ada", instance(n), "one").has_value(), n >= expired - kInstances) << n;
    };
    for (int n = 0; n < expired; n += 11)
        expect(n);
    for (int n = expired - kInstances - 2; n < expired - kInstances + 2; ++n)
        expect(n);
}

}  // namespace dyad::conformance
