// commit_bench: what a durable commit costs in the embedded store, against the disk itself.
//
//     commit_bench [--folder F] [--seconds N] [--events N] [--smoke]
//
// Groups of 64 events over 16 and over 64 users, as one process has them in flight; one event in
// flight; each against writing and syncing the same bytes, measured in turns in the same run. Then
// a store with many events: loading a user, and from opening to the first durable event.
#include "store/sqlite/sqlite_store.hpp"
#include "support/sample_log.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace dyad {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto of = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return of(usage.ru_utime) + of(usage.ru_stime);
}

double at_part(std::vector<double>& values, double part) {
    std::sort(values.begin(), values.end());
    return values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1))];
}

// Callbacks of the store, run by the measuring thread.
class Loop {
  public:
    void post(std::function<void()> work) {
        const std::lock_guard held(mutex_);
        work_.push_back(std::move(work));
        if (work_.size() == 1) wake_.notify_one();
    }
    void run_once() {
        {
            std::unique_lock held(mutex_);
            wake_.wait(held, [this] { return !work_.empty(); });
            due_.swap(work_);
        }
        for (auto& work : due_)
            work();
        due_.clear();
    }

  private:
    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<std::function<void()>> work_;
    std::vector<std::function<void()>> due_;
};

// The disk itself: overwriting and syncing in a file that is as the journal's.
class RawFile {
  public:
    explicit RawFile(const std::string& path)
        : file_(::open(path.c_str(), O_RDWR | O_CREAT, 0600)) {
        const std::string zeros(kBytes, '\0');
        if (::pwrite(file_, zeros.data(), zeros.size(), 0) < 0 || ::fdatasync(file_) != 0)
            std::abort();
    }
    ~RawFile() { ::close(file_); }
    void commit(std::size_t bytes) {
        if (at_ + bytes > kBytes) at_ = 0;
        const std::string block(bytes, 'x');
        if (::pwrite(file_, block.data(), bytes, static_cast<off_t>(at_)) < 0 ||
            ::fdatasync(file_) != 0)
            std::abort();
        at_ += bytes;
    }

  private:
    static constexpr std::size_t kBytes = 8 << 20;
    int file_;
    std::size_t at_ = 0;
};

// Requests made beforehand, so that only the store is measured. One event each.
struct Prepared {
    std::deque<AppendRequest> requests;
    std::size_t record_bytes = 0;  // of one request
};

Prepared prepare(const std::vector<std::unique_ptr<test::SampleLog>>& logs, std::size_t count) {
    Prepared prepared;
    for (std::size_t i = 0; i < count; ++i) {
        test::SampleLog& log = *logs[i % logs.size()];
        AppendRequest request = log.draft(1);
        log.take(*request.batch, request.changes);
        prepared.record_bytes = encode_batch(*request.batch).size() + 16;
        prepared.requests.push_back(std::move(request));
    }
    return prepared;
}

struct Bench {
    std::string folder;
    double seconds;
    test::SeededRandom random{1};
    SystemRandom system_random;
    Loop loop;
    std::shared_ptr<sqlite::Database> database;
    std::unique_ptr<sqlite::SqliteStore> store;

    void open(std::int64_t idle_apply_ms = sqlite::DatabaseOptions().idle_apply_ms) {
        sqlite::DatabaseOptions options;
        options.folder = folder + "/store";
        options.idle_apply_ms = idle_apply_ms;
        auto opened = sqlite::Database::open(options, system_random);
        if (!opened) {
            std::fprintf(stderr, "%s\n", opened.error().to_string().c_str());
            std::exit(1);
        }
        database = *opened;
        store = std::make_unique<sqlite::SqliteStore>(
            database, [this](std::function<void()> work) { loop.post(std::move(work)); });
    }
    void close() {
        store.reset();
        database->stop();
        database.reset();
    }
    std::vector<std::unique_ptr<test::SampleLog>> users(const std::string& name, std::size_t count,
                                                        std::size_t keys) {
        std::vector<std::unique_ptr<test::SampleLog>> logs;
        for (std::size_t i = 0; i < count; ++i)
            logs.push_back(std::make_unique<test::SampleLog>(
                name + std::to_string(i), random,
                test::SampleLog::Shape{.keys = keys, .data_bytes = 120, .only_contexts = true}));
        return logs;
    }

    // Runs `requests` with `in_flight` of them under way; the latencies, in seconds.
    std::vector<double> run(std::deque<AppendRequest>& requests, std::size_t in_flight) {
        std::vector<double> latencies;
        latencies.reserve(requests.size());
        std::size_t under_way = 0;
        const auto submit = [&] {
            AppendRequest request = std::move(requests.front());
            requests.pop_front();
            ++under_way;
            const auto begin = Clock::now();
            store->append(std::move(request), [&, begin](const AppendResult& result) {
                if (result.outcome != AppendOutcome::committed) std::abort();
                latencies.push_back(seconds_since(begin));
                --under_way;
            });
        };
        while (!requests.empty() || under_way != 0) {
            while (under_way < in_flight && !requests.empty())
                submit();
            loop.run_once();
        }
        return latencies;
    }

    void groups(std::size_t user_count) {
        const std::size_t per_turn = static_cast<std::size_t>(20000 * seconds / 5) / 64 * 64 + 64;
        auto logs = users("g" + std::to_string(user_count) + "-", user_count, 16);
        RawFile raw(folder + "/raw");
        std::vector<double> ratios, rates, cpus;
        for (int turn = 0; turn < 5; ++turn) {
            Prepared prepared = prepare(logs, per_turn);
            const std::size_t bytes = prepared.record_bytes * 64;
            const double cpu = cpu_seconds();
            const auto begin = Clock::now();
            run(prepared.requests, 64);
            const double took = seconds_since(begin);
            cpus.push_back((cpu_seconds() - cpu) * 1e6 / static_cast<double>(per_turn));
            const auto raw_begin = Clock::now();
            for (std::size_t i = 0; i < per_turn / 64; ++i)
                raw.commit(bytes);
            const double raw_took = seconds_since(raw_begin);
            rates.push_back(static_cast<double>(per_turn) / took);
            ratios.push_back(raw_took / took);
        }
        std::printf(
            "64 in flight over %zu users: %.0f events/s, %.2f x raw fdatasync in groups of "
            "64, %.1f us of CPU per event\n",
            user_count, at_part(rates, 0.5), at_part(ratios, 0.5), at_part(cpus, 0.5));
    }

    void one_in_flight() {
        const std::size_t per_turn = static_cast<std::size_t>(400 * seconds) + 20;
        auto logs = users("one-", 1, 16);
        RawFile raw(folder + "/raw");
        std::vector<double> p50, p99, raw_p50;
        for (int turn = 0; turn < 5; ++turn) {
            Prepared prepared = prepare(logs, per_turn);
            const std::size_t bytes = prepared.record_bytes;
            std::vector<double> latencies = run(prepared.requests, 1);
            std::vector<double> raw_latencies;
            for (std::size_t i = 0; i < per_turn; ++i) {
                const auto begin = Clock::now();
                raw.commit(bytes);
                raw_latencies.push_back(seconds_since(begin));
            }
            p50.push_back(at_part(latencies, 0.5));
            p99.push_back(at_part(latencies, 0.99));
            raw_p50.push_back(at_part(raw_latencies, 0.5));
        }
        const double raw_median = at_part(raw_p50, 0.5);
        std::printf(
            "one in flight: p50 %.0f us (%.2f x fdatasync), p99 %.0f us (%.2f x), "
            "fdatasync %.0f us\n",
            at_part(p50, 0.5) * 1e6, at_part(p50, 0.5) / raw_median, at_part(p99, 0.5) * 1e6,
            at_part(p99, 0.5) / raw_median, raw_median * 1e6);
    }

    void large_log(std::size_t events) {
        auto logs = users("large-", 1, 1000);
        test::SampleLog& log = *logs[0];
        const auto begin = Clock::now();
        for (std::size_t done = 0; done < events; done += 512) {
            AppendRequest request = log.draft(std::min<std::size_t>(512, events - done));
            log.take(*request.batch, request.changes);
            std::deque<AppendRequest> one;
            one.push_back(std::move(request));
            run(one, 1);
        }
        std::printf("a log of %zu events written in %.1f s\n", events, seconds_since(begin));
        for (const bool cleanly : {true, false}) {
            if (!cleanly) {  // leave something to recover: copy the files of a store at rest
                constexpr std::int64_t kNever = 1'000'000'000;
                close();
                open(kNever);
                Prepared prepared = prepare(logs, 3000);
                run(prepared.requests, 64);
                std::filesystem::remove_all(folder + "/crashed");
                std::filesystem::copy(folder + "/store", folder + "/crashed");
            }
            close();
            if (!cleanly) {
                std::filesystem::remove_all(folder + "/store");
                std::filesystem::rename(folder + "/crashed", folder + "/store");
            }
            const auto opening = Clock::now();
            open();
            const double opened = seconds_since(opening);
            Prepared prepared = prepare(logs, 1);
            run(prepared.requests, 1);
            const double committed = seconds_since(opening);
            const auto loading = Clock::now();
            bool loaded = false;
            store->load(log.user(), [&](const Result<LoadedLog>& result) {
                loaded = result && result->head.offset == log.head().offset;
            });
            loop.run_once();
            std::printf(
                "opening it after %s: %.3f s, first durable event after %.3f s; loading "
                "the user %.3f s (%s)\n",
                cleanly ? "a stop" : "a crash", opened, committed, seconds_since(loading),
                loaded ? "complete" : "WRONG");
        }
    }
};

}  // namespace
}  // namespace dyad

int main(int count, char** words) {
    std::string parent = std::filesystem::temp_directory_path();
    double seconds = 5;
    bool smoke = false;
    std::size_t events = 1'000'000;
    for (int i = 1; i < count; ++i) {
        const std::string word = words[i];
        if (word == "--smoke")
            smoke = true;
        else if (word == "--folder" && i + 1 < count)
            parent = words[++i];
        else if (word == "--seconds" && i + 1 < count)
            seconds = std::atof(words[++i]);
        else if (word == "--events" && i + 1 < count)
            events = static_cast<std::size_t>(std::atoll(words[++i]));
        else
            return std::fprintf(
                       stderr,
                       "usage: commit_bench [--folder F] [--seconds N] [--events N] [--smoke]\n"),
                   2;
    }
    std::string folder = parent + "/commit-bench-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) return 1;
    {
        dyad::Bench bench{.folder = folder, .seconds = smoke ? 0.05 : seconds};
        bench.open();
        bench.groups(16);
        bench.groups(64);
        bench.one_in_flight();
        bench.large_log(smoke ? 5000 : events);
        bench.close();
    }
    std::filesystem::remove_all(folder);
    return 0;
}
