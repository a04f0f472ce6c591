// A small load test against a running server: writers that each wait for the durable answer of a
// write before the next one, on live connections, in the memory of a user of its own.
#include "base/clock.hpp"
#include "cli/commands.hpp"
#include "cli/event_follower.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include <unistd.h>

namespace dyad::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::int64_t kAnswerMs = 10'000;
constexpr std::int64_t kKeysPerWriter = 16;

struct Plan {
    net::Url url;
    std::string user;
    std::size_t bytes = 200;
    std::size_t writers = 8;
    std::int64_t seconds = 5;
};

struct Tally {
    std::atomic<bool> stop{false};
    std::atomic<std::int64_t> acknowledged{0};
    std::mutex mutex;
    std::vector<double> latencies_ms;  // under the mutex
    std::string failure;               // under the mutex; the first one
    bool unreachable = false;          // under the mutex

    void fail_with(const Error& error) {
        const std::lock_guard lock(mutex);
        if (failure.empty()) {
            failure = error.detail;
            unreachable = error.code == Errc::unavailable;
        }
        stop = true;
    }
};

// One live connection of the negotiated protocol (docs/protocol.md).
class Writer {
  public:
    Writer(const Plan& plan, std::size_t number)
        : plan_(plan), number_(number), pad_(plan.bytes, 'x') {}

    Status connect() {
        auto opened = net::WebSocketClient::connect(plan_.url, "/sync", "dyad.v2", kAnswerMs);
        if (!opened) return opened.error();
        socket_.emplace(*std::move(opened));
        const boost::json::object hello{
            {"payload", boost::json::object{{"instanceId", "bench-" + std::to_string(number_)},
                                            {"protocol", 2},
                                            {"userId", plan_.user}}},
            {"type", "hello"}};
        if (Status sent = socket_->send(json::canonical(hello)); !sent) return sent;
        return answer_to({}, "welcome");
    }

    // One write, until it is durable.
    Status write(std::int64_t step) {
        return command({{"contextKey", key(step)},
                        {"data", boost::json::object{{"n", step}, {"pad", pad_}}},
                        {"force", true},
                        {"op", "context.put"}},
                       step);
    }
    // What was written goes again.
    Status clean_up(std::int64_t steps) {
        for (std::int64_t i = 0; i < std::min(steps, kKeysPerWriter); ++i)
            if (Status gone = command({{"contextKey", key(i)}, {"op", "context.delete"}}, steps + i);
                !gone)
                return gone;
        return Done{};
    }

  private:
    std::string key(std::int64_t step) const {
        return "bench/" + std::to_string(number_) + "/" + std::to_string(step % kKeysPerWriter);
    }

    Status command(boost::json::object payload, std::int64_t step) {
        const std::string id = "b" + std::to_string(step);
        const boost::json::object message{
            {"id", id}, {"payload", std::move(payload)}, {"type", "command"}};
        if (Status sent = socket_->send(json::canonical(message)); !sent) return sent;
        return answer_to(id, "ack");
    }

    // Passes over what others write.
    Status answer_to(const std::string& id, const std::string& type) {
        for (;;) {
            const Result<std::string> text = socket_->receive(kAnswerMs);
            if (!text) return text.error();
            if (text->starts_with("{\"type\":\"events\"") ||
                text->starts_with("{\"type\":\"position\""))
                continue;
            const Result<json::Value> message = parse_large(*text);
            if (!message) return message.error();
            const std::string kind = text_member(*message, "type");
            if (kind == "error")
                return fail(Errc::internal, text_member(member(*message, "payload"), "code") +
                                                ": " +
                                                text_member(member(*message, "payload"), "detail"));
            if (kind == type && (id.empty() || text_member(*message, "id") == id)) return Done{};
        }
    }

    const Plan& plan_;
    std::size_t number_;
    std::string pad_;
    std::optional<net::WebSocketClient> socket_;
};

void run_writer(const Plan& plan, std::size_t number, Tally& tally,
                std::atomic<std::size_t>& ready, const std::atomic<bool>& go) {
    Writer writer(plan, number);
    const Status connected = writer.connect();
    ready.fetch_add(1);
    if (!connected) return tally.fail_with(connected.error());
    while (!go && !tally.stop)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::vector<double> latencies_ms;
    std::int64_t step = 0;
    while (!tally.stop) {
        const auto begin = SteadyClock::now();
        const Status written = writer.write(step);
        if (!written) {
            tally.fail_with(written.error());
            break;
        }
        latencies_ms.push_back(
            std::chrono::duration<double, std::milli>(SteadyClock::now() - begin).count());
        tally.acknowledged.fetch_add(1, std::memory_order_relaxed);
        ++step;
    }
    static_cast<void>(writer.clean_up(step));
    const std::lock_guard lock(tally.mutex);
    tally.latencies_ms.insert(tally.latencies_ms.end(), latencies_ms.begin(), latencies_ms.end());
}

// Requires: `sorted` is not empty.
double percentile(const std::vector<double>& sorted, double part) {
    return sorted[static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1))];
}

// Until the time is over, a writer fails or Ctrl-C. The seconds it took.
double supervise(const Plan& plan, Tally& tally) {
    const bool shown = isatty(STDERR_FILENO) == 1;
    const auto begin = SteadyClock::now();
    const auto elapsed = [&] {
        return std::chrono::duration<double>(SteadyClock::now() - begin).count();
    };
    std::int64_t before = 0;
    for (std::int64_t tick = 1; !tally.stop && !stop_requested(); ++tick) {
        const double left = static_cast<double>(plan.seconds) - elapsed();
        if (left <= 0) break;
        pause_ms(std::min<std::int64_t>(250, static_cast<std::int64_t>(left * 1000) + 1));
        if (!shown || tick % 4 != 0) continue;
        const std::int64_t now = tally.acknowledged;
        char line[96];
        std::snprintf(line, sizeof line, "\r%3.0f of %lld s  %lld events/s   ", elapsed(),
                      static_cast<long long>(plan.seconds), static_cast<long long>(now - before));
        std::fputs(line, stderr);
        before = now;
    }
    const double took = elapsed();
    if (shown) std::fputs("\r\x1b[K", stderr);
    tally.stop = true;
    return took;
}

int show(const Call& call, const Plan& plan, Tally& tally, double took_s) {
    std::vector<double>& all = tally.latencies_ms;
    if (!tally.failure.empty() || all.empty())
        return report(call.common(),
                      {tally.unreachable && all.empty() ? Exit::unreachable : Exit::failed, "",
                       (tally.failure.empty() ? "nothing was acknowledged" : tally.failure) +
                           (all.empty() ? "" : "; after " + std::to_string(all.size()) + " writes"),
                       nullptr});
    std::sort(all.begin(), all.end());
    const double rate = static_cast<double>(all.size()) / took_s;
    if (call.json()) {
        print_json(boost::json::object{{"bytes", plan.bytes},
                                       {"events", all.size()},
                                       {"eventsPerSecond", rate},
                                       {"maxMs", all.back()},
                                       {"p50Ms", percentile(all, 0.5)},
                                       {"p99Ms", percentile(all, 0.99)},
                                       {"seconds", took_s},
                                       {"writers", plan.writers}});
        return 0;
    }
    char line[160];
    std::snprintf(line, sizeof line, "%zu writers, %zu durable writes of %zu bytes in %.1f s",
                  plan.writers, all.size(), plan.bytes, took_s);
    print_line(line);
    std::snprintf(line, sizeof line, "  %.0f events/s", rate);
    print_line(paint(Colour::bold, line));
    std::snprintf(line, sizeof line, "  durable answer: p50 %.2f ms, p99 %.2f ms, max %.2f ms",
                  percentile(all, 0.5), percentile(all, 0.99), all.back());
    print_line(line);
    return 0;
}

int bench(const Call& call) {
    auto client = RestClient::open(call.common());
    if (!client) return static_cast<int>(Exit::usage);
    SystemRandom random;
    Plan plan;
    plan.url = client->url();
    plan.user = "bench-" + random.uuid4();
    plan.bytes = static_cast<std::size_t>(call.number("--bytes").value_or(200));
    plan.writers = static_cast<std::size_t>(call.number("--writers").value_or(8));
    plan.seconds = call.number("--seconds").value_or(5);
    catch_stop_signals();
    Tally tally;
    std::atomic<std::size_t> ready{0};
    std::atomic<bool> go{false};
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < plan.writers; ++i)
        threads.emplace_back(
            [&, i] { run_writer(plan, i, tally, ready, go); });
    while (ready < plan.writers)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    go = true;
    const double took_s = supervise(plan, tally);
    for (std::thread& thread : threads)
        thread.join();
    return show(call, plan, tally, took_s);
}

}  // namespace

Command bench_command() {
    Command command;
    command.name = "bench";
    command.summary = "Measures durable writes against a running server.";
    command.details =
        "Each writer has a live connection and waits for the durable answer before its next write. "
        "It writes as a new user of its own, bench-<uuid>, and deletes its contexts at the end.";
    command.options = {number_option("--writers", 1, 512, "at the same time (8)"),
                       number_option("--seconds", 1, 3600, "how long (5)"),
                       number_option("--bytes", 0, 200'000, "of data in each write (200)")};
    command.examples = {"dyad-memory bench --writers 64 --seconds 10"};
    command.run = bench;
    return command;
}

}  // namespace dyad::cli
