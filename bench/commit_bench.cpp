// commit_bench: what a durable commit costs in the embedded store, against the disk itself.
//
//     commit_bench [--only groups16|groups64|single|log|disk] [--turns N] [--seconds N]
//                  [--events N] [--folder F] [--smoke]
//
// `groups`: 64 events in flight over 16 or 64 users, as one process has them. `single`: one event
// in flight. Each against writing and syncing the same bytes, in turns. `log`: a store with many
// events: loading a user, and from opening to the first durable event. `disk`: the disk alone,
// with 400 bytes and with 64 times as many. One line of JSON for each.
#include "base/metrics.hpp"
#include "store_rig.hpp"
#include "support/sample_log.hpp"

#include <algorithm>
#include <filesystem>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace dyad::bench {
namespace {

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

double median(std::vector<double>& values) {
    return at_part(values, 0.5);
}

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
    RawFile(const RawFile&) = delete;
    RawFile& operator=(const RawFile&) = delete;

    // How long it took, in seconds.
    double commit(std::size_t bytes) {
        const auto begin = SteadyClock::now();
        if (at_ + bytes > kBytes) at_ = 0;
        block_.resize(bytes, 'x');
        if (::pwrite(file_, block_.data(), bytes, static_cast<off_t>(at_)) < 0 ||
            ::fdatasync(file_) != 0)
            std::abort();
        at_ += bytes;
        return seconds_since(begin);
    }

  private:
    static constexpr std::size_t kBytes = 8 << 20;
    int file_;
    std::string block_;
    std::size_t at_ = 0;
};

// Requests made beforehand, so that only the store is measured. One event each.
struct Prepared {
    std::deque<AppendRequest> requests;
    std::size_t record_bytes = 0;  // of one request
};

using Logs = std::vector<std::unique_ptr<test::SampleLog>>;

Prepared prepare(const Logs& logs, std::size_t count) {
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

class Bench {
  public:
    Bench(const std::string& folder, double seconds, int turns)
        : folder_(folder), seconds_(seconds), turns_(turns), rig_(folder + "/store") {
        rig_.open();
    }

    void groups(std::size_t user_count) {
        constexpr std::size_t kGroup = 64;
        const std::size_t per_turn =
            static_cast<std::size_t>(4000 * seconds_) / kGroup * kGroup + kGroup;
        const Logs logs = users("g" + std::to_string(user_count) + "-", user_count, 16);
        RawFile raw(folder_ + "/raw");
        std::vector<double> ratios, rates, cpus, sizes;
        for (int turn = 0; turn < turns_; ++turn) {
            Prepared prepared = prepare(logs, per_turn);
            const double cpu = cpu_seconds();
            const std::int64_t commits = metrics::commits.value();
            const auto begin = SteadyClock::now();
            rig_.append(prepared.requests, kGroup);
            const double took = seconds_since(begin);
            const auto events = static_cast<double>(per_turn);
            sizes.push_back(events / static_cast<double>(metrics::commits.value() - commits));
            cpus.push_back((cpu_seconds() - cpu) * 1e6 / events);
            rates.push_back(events / took);
            double raw_took = 0;
            for (std::size_t i = 0; i < per_turn / kGroup; ++i)
                raw_took += raw.commit(prepared.record_bytes * kGroup);
            ratios.push_back(raw_took / took);
        }
        std::printf(
            "{\"part\":\"groups%zu\",\"events_s\":%.0f,\"x_fdatasync_groups\":%.4f,"
            "\"cpu_us_per_event\":%.2f,\"events_per_commit\":%.1f}\n",
            user_count, median(rates), median(ratios), median(cpus), median(sizes));
    }

    void single() {
        const std::size_t per_turn = static_cast<std::size_t>(400 * seconds_) + 20;
        const Logs logs = users("one-", 1, 16);
        RawFile raw(folder_ + "/raw");
        std::vector<double> p50, p99, raw_p50;
        for (int turn = 0; turn < turns_; ++turn) {
            Prepared prepared = prepare(logs, per_turn);
            std::vector<double> latencies = rig_.append(prepared.requests, 1);
            std::vector<double> raw_latencies;
            for (std::size_t i = 0; i < per_turn; ++i)
                raw_latencies.push_back(raw.commit(prepared.record_bytes));
            p50.push_back(at_part(latencies, 0.5));
            p99.push_back(at_part(latencies, 0.99));
            raw_p50.push_back(at_part(raw_latencies, 0.5));
        }
        const double sync = median(raw_p50);
        std::printf(
            "{\"part\":\"single\",\"p50_us\":%.1f,\"p99_us\":%.1f,\"fdatasync_us\":%.1f,"
            "\"p50_x_fdatasync\":%.4f,\"p99_x_fdatasync\":%.4f}\n",
            median(p50) * 1e6, median(p99) * 1e6, sync * 1e6, median(p50) / sync,
            median(p99) / sync);
    }

    void disk() {
        constexpr std::size_t kEventBytes = 400;
        RawFile raw(folder_ + "/raw");
        for (const std::size_t events : {1, 64}) {
            std::vector<double> latencies;
            double total = 0;
            for (const auto begin = SteadyClock::now(); seconds_since(begin) < seconds_ / 2;) {
                latencies.push_back(raw.commit(events * kEventBytes));
                total += latencies.back();
            }
            const auto count = static_cast<double>(latencies.size());
            std::printf(
                "{\"part\":\"disk\",\"events\":%zu,\"events_s\":%.0f,\"p50_us\":%.1f,"
                "\"p99_us\":%.1f}\n",
                events, count * static_cast<double>(events) / total, median(latencies) * 1e6,
                at_part(latencies, 0.99) * 1e6);
        }
    }

    void log(std::size_t events) {
        const Logs logs = users("large-", 1, 1000);
        test::SampleLog& log = *logs[0];
        for (std::size_t done = 0; done < events; done += 512) {
            AppendRequest request = log.draft(std::min<std::size_t>(512, events - done));
            log.take(*request.batch, request.changes);
            std::deque<AppendRequest> one;
            one.push_back(std::move(request));
            rig_.append(one, 1);
        }
        for (const bool cleanly : {true, false}) {
            if (!cleanly) crash(logs);
            rig_.close();
            if (!cleanly) {
                std::filesystem::remove_all(rig_.folder());
                std::filesystem::rename(folder_ + "/crashed", rig_.folder());
            }
            open_large(logs, events, cleanly ? "stop" : "crash");
        }
    }

  private:
    Logs users(const std::string& name, std::size_t count, std::size_t keys) {
        Logs logs;
        for (std::size_t i = 0; i < count; ++i)
            logs.push_back(std::make_unique<test::SampleLog>(
                name + std::to_string(i), random_,
                test::SampleLog::Shape{.keys = keys, .data_bytes = 120, .only_contexts = true}));
        return logs;
    }

    // Leaves something to recover: copies the files of a store that has applied nothing.
    void crash(const Logs& logs) {
        constexpr std::int64_t kNever = 1'000'000'000;
        rig_.close();
        rig_.open(kNever);
        Prepared prepared = prepare(logs, 3000);
        rig_.append(prepared.requests, 64);
        std::filesystem::remove_all(folder_ + "/crashed");
        std::filesystem::copy(rig_.folder(), folder_ + "/crashed");
    }

    void open_large(const Logs& logs, std::size_t events, const char* after) {
        const auto opening = SteadyClock::now();
        rig_.open();
        const double opened = seconds_since(opening);
        Prepared prepared = prepare(logs, 1);
        rig_.append(prepared.requests, 1);
        const double committed = seconds_since(opening);
        const auto loading = SteadyClock::now();
        const Result<LoadedLog> loaded = rig_.load(logs[0]->user());
        const double load = seconds_since(loading);
        if (!loaded || loaded->head.offset != logs[0]->head().offset) std::abort();
        std::printf(
            "{\"part\":\"log\",\"events\":%zu,\"after\":\"%s\",\"open_s\":%.4f,"
            "\"first_commit_s\":%.4f,\"load_s\":%.4f}\n",
            events, after, opened, committed, load);
    }

    std::string folder_;
    double seconds_;
    int turns_;
    test::SeededRandom random_{1};
    StoreRig rig_;
};

struct Options {
    std::string parent = std::filesystem::temp_directory_path();
    std::string only;
    double seconds = 5;
    int turns = 5;
    std::size_t events = 1'000'000;
};

bool parse(int count, char** words, Options& options) {
    for (int i = 1; i < count; ++i) {
        const std::string word = words[i];
        if (word == "--smoke") {
            options.seconds = 0.05;
            options.events = 5000;
        } else if (i + 1 == count) {
            return false;
        } else if (word == "--folder") {
            options.parent = words[++i];
        } else if (word == "--only") {
            options.only = words[++i];
        } else if (word == "--seconds") {
            options.seconds = std::atof(words[++i]);
        } else if (word == "--turns") {
            options.turns = std::max(std::atoi(words[++i]), 1);
        } else if (word == "--events") {
            options.events = std::strtoul(words[++i], nullptr, 10);
        } else {
            return false;
        }
    }
    return true;
}

void run(const std::string& folder, const Options& options) {
    Bench bench(folder, options.seconds, options.turns);
    const auto wanted = [&](const char* part) {
        return options.only.empty() || options.only == part;
    };
    if (wanted("disk")) bench.disk();
    if (wanted("groups16")) bench.groups(16);
    if (wanted("groups64")) bench.groups(64);
    if (wanted("single")) bench.single();
    if (wanted("log")) bench.log(options.events);
}

}  // namespace
}  // namespace dyad::bench

int main(int count, char** words) {
    using namespace dyad::bench;
    Options options;
    if (!parse(count, words, options))
        return std::fprintf(stderr,
                            "usage: commit_bench [--only groups16|groups64|single|log|disk] "
                            "[--turns N] [--seconds N] [--events N] [--folder F] [--smoke]\n"),
               2;
    std::string folder = options.parent + "/commit-bench-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) return 1;
    run(folder, options);
    std::filesystem::remove_all(folder);
    return 0;
}
