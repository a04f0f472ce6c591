// retention_bench: what retention's pass costs the embedded store, and the commits beside it.
//
//     retention_bench [--users N] [--events N] [--folder F] [--smoke]
//
// `quiet`: a pass over N users with 5 old events each, and one more with nothing due. `long`: a
// pass over one log of N events. `beside`: commits of 16 users, one in flight each, without a pass
// and beside one over N users. `overwriting`: commits with and without overwriting what is deleted,
// in turns. One line of JSON for each.
#include "store_rig.hpp"
#include "support/sample_log.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>

#include <sys/resource.h>
#include <unistd.h>

namespace dyad::bench {
namespace {

using Logs = std::vector<std::unique_ptr<test::SampleLog>>;

double at_part(std::vector<double>& values, double part) {
    std::sort(values.begin(), values.end());
    return values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1))];
}

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto of = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return of(usage.ru_utime) + of(usage.ru_stime);
}

class Bench {
  public:
    explicit Bench(const std::string& folder) : folder_(folder) {}

    void quiet(std::size_t users) {
        StoreRig rig(folder_ + "/quiet");
        rig.open();
        const std::int64_t old = write_quiet(rig, users);
        report("quiet", rig, users, old);
        report("nothing due", rig, users, old);
    }

    void long_log(std::size_t events) {
        StoreRig rig(folder_ + "/long");
        rig.open();
        test::SampleLog log("long", random_, kShape);
        std::deque<AppendRequest> requests;
        while (log.head().offset < events) {
            AppendRequest request = log.draft(std::min<std::size_t>(256, events));
            log.take(*request.batch, request.changes);
            requests.push_back(std::move(request));
            rig.append(requests, 1);
        }
        report("long", rig, 1, log.now_ms + 1);
    }

    void beside(std::size_t users, std::size_t commits) {
        StoreRig rig(folder_ + "/beside");
        rig.open();
        const std::int64_t old = write_quiet(rig, users);
        Logs writers = logs("writer-", 16);
        for (auto& log : writers)
            log->now_ms = old + 1000;
        std::deque<AppendRequest> first = requests(writers, commits);
        std::vector<double> alone = rig.append(first, 16);
        bool done = false;
        const auto begin = SteadyClock::now();
        double took = 0;
        rig.store().expire_events(old, [&](const Result<std::size_t>& dropped) {
            if (!dropped) std::abort();
            took = seconds_since(begin);
            done = true;
        });
        std::vector<double> beside;
        while (!done) {
            std::deque<AppendRequest> next = requests(writers, 400);
            const std::vector<double> some = rig.append(next, 16);
            beside.insert(beside.end(), some.begin(), some.end());
        }
        std::printf(
            "{\"part\":\"beside\",\"users\":%zu,\"pass_s\":%.3f,\"commits\":%zu,"
            "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"alone_p50_ms\":%.3f,\"alone_p99_ms\":%.3f}\n",
            users, took, beside.size(), at_part(beside, 0.5) * 1e3, at_part(beside, 0.99) * 1e3,
            at_part(alone, 0.5) * 1e3, at_part(alone, 0.99) * 1e3);
    }

    void overwriting(std::size_t commits, int turns) {
        const char* const pragmas[] = {"PRAGMA secure_delete=OFF", ""};
        std::vector<double> rates[2], cpus[2];
        for (int turn = 0; turn < turns * 2; ++turn) {
            const int kind = turn % 2;
            const std::string folder = folder_ + "/overwriting" + std::to_string(turn);
            {
                StoreRig rig(folder);
                rig.open(100, pragmas[kind]);
                Logs writers = logs("writer-", 16);
                std::deque<AppendRequest> prepared = requests(writers, commits);
                const double cpu = cpu_seconds();
                const auto begin = SteadyClock::now();
                rig.append(prepared, 64);
                rates[kind].push_back(static_cast<double>(commits) / seconds_since(begin));
                rig.close();
                cpus[kind].push_back((cpu_seconds() - cpu) * 1e6 / static_cast<double>(commits));
            }
            std::filesystem::remove_all(folder);
        }
        std::printf(
            "{\"part\":\"overwriting\",\"events_s\":%.0f,\"cpu_us_per_event\":%.2f,"
            "\"without_events_s\":%.0f,\"without_cpu_us_per_event\":%.2f}\n",
            at_part(rates[1], 0.5), at_part(cpus[1], 0.5), at_part(rates[0], 0.5),
            at_part(cpus[0], 0.5));
    }

  private:
    static constexpr test::SampleLog::Shape kShape{
        .keys = 16, .data_bytes = 120, .only_contexts = true};

    Logs logs(const std::string& name, std::size_t count) {
        Logs made;
        for (std::size_t i = 0; i < count; ++i)
            made.push_back(
                std::make_unique<test::SampleLog>(name + std::to_string(i), random_, kShape));
        return made;
    }

    static std::deque<AppendRequest> requests(const Logs& logs, std::size_t count) {
        std::deque<AppendRequest> made;
        for (std::size_t i = 0; i < count; ++i) {
            test::SampleLog& log = *logs[i % logs.size()];
            made.push_back(log.draft(1));
            log.take(*made.back().batch, made.back().changes);
        }
        return made;
    }

    // Five events of each user; the moment after them.
    std::int64_t write_quiet(StoreRig& rig, std::size_t users) {
        std::int64_t after = 0;
        for (std::size_t first = 0; first < users; first += 1000) {
            const Logs some =
                logs("quiet-" + std::to_string(first) + "-", std::min<std::size_t>(1000, users));
            std::deque<AppendRequest> events = requests(some, some.size() * 5);
            rig.append(events, 256);
            for (const auto& log : some)
                after = std::max(after, log->now_ms + 1);
        }
        return after;
    }

    void report(const char* part, StoreRig& rig, std::size_t users, std::int64_t before_ms) {
        const double cpu = cpu_seconds();
        const auto begin = SteadyClock::now();
        const std::size_t dropped = rig.expire(before_ms);
        const double took = seconds_since(begin);
        const auto each = [&](std::size_t of) {
            return took * 1e6 / static_cast<double>(std::max<std::size_t>(of, 1));
        };
        std::printf(
            "{\"part\":\"%s\",\"users\":%zu,\"dropped\":%zu,\"pass_s\":%.4f,\"cpu_s\":%.4f,"
            "\"us_per_user\":%.2f,\"us_per_event\":%.2f}\n",
            part, users, dropped, took, cpu_seconds() - cpu, each(users), each(dropped));
    }

    std::string folder_;
    test::SeededRandom random_{1};
};

}  // namespace
}  // namespace dyad::bench

int main(int count, char** words) {
    using namespace dyad::bench;
    std::size_t users = 20'000;
    std::size_t events = 200'000;
    std::string folder = std::filesystem::temp_directory_path();
    bool smoke = false;
    for (int i = 1; i < count; ++i) {
        if (std::strcmp(words[i], "--smoke") == 0)
            smoke = true;
        else if (i + 1 < count && std::strcmp(words[i], "--users") == 0)
            users = std::strtoul(words[++i], nullptr, 10);
        else if (i + 1 < count && std::strcmp(words[i], "--events") == 0)
            events = std::strtoul(words[++i], nullptr, 10);
        else if (i + 1 < count && std::strcmp(words[i], "--folder") == 0)
            folder = words[++i];
        else
            return std::fprintf(stderr,
                                "usage: retention_bench [--users N] [--events N] "
                                "[--folder F] [--smoke]\n"),
                   2;
    }
    if (smoke) users = 200, events = 2000;
    folder += "/retention-bench-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) return 1;
    Bench bench(folder);
    bench.quiet(users);
    bench.long_log(events);
    bench.beside(users, smoke ? 200 : 8000);
    bench.overwriting(smoke ? 500 : 40'000, smoke ? 1 : 5);
    std::filesystem::remove_all(folder);
    return 0;
}
