// `dyad-memory bench`: how fast the running server makes writes durable, over WebSocket.
#include "base/clock.hpp"
#include "cli/command.hpp"
#include "cli/interrupt.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"
#include "cli/websocket_client.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>
#include <thread>

#include <unistd.h>

namespace dyad::cli {
namespace {

struct BenchOptions {
    std::int64_t writers = 8;
    std::int64_t seconds = 5;
    std::int64_t in_flight = 1;  // unacknowledged writes of each writer
    std::int64_t bytes = 200;    // of each document
};

// Finer than SystemClock.
double seconds_now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

std::string key_of(std::size_t number) {
    return "bench/" + std::to_string(number);
}

// Shared by the writers and the one who watches them.
struct Progress {
    std::atomic<bool> stop{false};
    std::atomic<std::int64_t> acknowledged{0};
};

// One connection. Threads: run() on its own thread; the rest before and after.
struct Writer {
    std::size_t number;
    const BenchOptions& options;
    WebSocketClient socket;
    std::map<std::string, double> open = {};  // when each was sent
    std::int64_t sent = 0;
    std::vector<double> latencies_ms = {};
    std::int64_t refused = 0;
    std::string problem = {};

    void run(Progress& progress);
    Status send_one();
    Status receive_one(Progress& progress);
};

Result<WebSocketClient> connect(const RestClient& client, const std::string& user,
                                std::size_t number) {
    Result<WebSocketClient> socket =
        WebSocketClient::connect(client.url(), "/sync", "dyad.v2", client.timeout_ms());
    if (!socket) return socket;
    TRY(socket->send_json({{"type", "hello"},
                           {"payload",
                            {{"protocol", 2},
                             {"instanceId", "bench-" + std::to_string(number)},
                             {"userId", user}}}}));
    TRY(socket->wait_for("welcome", client.timeout_ms()));
    return socket;
}

Status Writer::send_one() {
    const std::string id = std::to_string(sent++);
    const std::string pad(static_cast<std::size_t>(options.bytes), 'x');
    const std::string command = json::canonical({{"id", id},
                                                 {"type", "command"},
                                                 {"payload",
                                                  {{"op", "context.put"},
                                                   {"contextKey", key_of(number)},
                                                   {"force", true},
                                                   {"data", {{"n", sent}, {"pad", pad}}}}}});
    open[id] = seconds_now();
    return socket.send(command);
}

Status Writer::receive_one(Progress& progress) {
    const Result<std::string> text = socket.receive(5000);
    if (!text) return text.error();
    // Everything else than answers, such as the events of the other writers, is passed over unread.
    if (text->find("\"type\":\"ack\"") == std::string::npos &&
        text->find("\"type\":\"error\"") == std::string::npos)
        return Done{};
    const double now = seconds_now();
    const Result<json::Value> message = parse_large(*text);
    const auto answered = message ? open.find(text_at(*message, "id")) : open.end();
    if (answered == open.end()) return Done{};
    if (text_at(*message, "type") == "ack") {
        latencies_ms.push_back(std::round(1e6 * (now - answered->second)) / 1000);
        progress.acknowledged.fetch_add(1, std::memory_order_relaxed);
    } else {
        ++refused;
        problem = text_at(*message, "payload/detail");
    }
    open.erase(answered);
    return Done{};
}

void Writer::run(Progress& progress) {
    for (Status going = Done{}; going;) {
        const bool stops = progress.stop.load(std::memory_order_relaxed);
        if (stops && open.empty()) return socket.close();
        const bool writes = !stops && open.size() < static_cast<std::size_t>(options.in_flight);
        going = writes ? send_one() : receive_one(progress);
        if (!going) problem = going.error().detail;
    }
}

double percentile(const std::vector<double>& sorted, double share) {
    if (sorted.empty()) return 0;
    return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

void watch(Progress& progress, bool show, double seconds, const Interrupt& interrupt) {
    const double start = seconds_now();
    for (double passed = 0; passed < seconds && !interrupt.asked();
         passed = seconds_now() - start) {
        if (show)
            std::fprintf(stderr, "\r%3.0f %%  %lld writes durable", 100 * passed / seconds,
                         static_cast<long long>(progress.acknowledged.load()));
        interrupt.sleep(100);
    }
    if (show) std::fprintf(stderr, "\r\x1b[K");
    progress.stop = true;
}

Exit show_result(const RestClient& client, const std::vector<Writer>& writers, double seconds,
                 const BenchOptions& options) {
    std::vector<double> all;
    std::int64_t refused = 0;
    std::string problem;
    for (const Writer& writer : writers) {
        all.insert(all.end(), writer.latencies_ms.begin(), writer.latencies_ms.end());
        refused += writer.refused;
        if (!writer.problem.empty()) problem = writer.problem;
    }
    std::sort(all.begin(), all.end());
    const double rate = static_cast<double>(all.size()) / seconds;
    const double p50 = percentile(all, 0.5), p99 = percentile(all, 0.99);
    if (client.json()) {
        print_json(boost::json::object{{"writers", options.writers},
                                       {"inFlight", options.in_flight},
                                       {"bytes", options.bytes},
                                       {"seconds", seconds},
                                       {"acknowledged", all.size()},
                                       {"refused", refused},
                                       {"perSecond", rate},
                                       {"p50Ms", p50},
                                       {"p99Ms", p99},
                                       {"maxMs", percentile(all, 1)}});
    } else {
        char text[200];
        std::snprintf(text, sizeof text,
                      "%zu durable writes in %.1f s: %.0f a second\nAcknowledged after  p50 %.2f "
                      "ms   p99 %.2f ms   longest %.2f ms",
                      all.size(), seconds, rate, p50, p99, percentile(all, 1));
        print_line(text);
    }
    if (problem.empty()) return Exit::ok;
    complain("dyad-memory: " + std::to_string(refused) +
             " writes were refused or connections lost; the last reason: " + printable(problem));
    return Exit::failed;
}

Exit run_bench(RestClient& client, const BenchOptions& options) {
    if (const Answer met = client.meet(true); !met) return client.report(*met.failure);
    const std::string user = "bench-" + SystemRandom().uuid4();
    std::vector<Writer> writers;
    for (std::size_t i = 0; i < static_cast<std::size_t>(options.writers); ++i) {
        Result<WebSocketClient> socket = connect(client, user, i);
        if (!socket) return client.report(client.unreachable(socket.error()));
        writers.push_back({i, options, *std::move(socket)});
    }
    if (!client.json())
        complain(std::to_string(options.writers) + " writers, " +
                 std::to_string(options.in_flight) + " open writes each, for " +
                 std::to_string(options.seconds) + " s at " + client.url().text());
    const Interrupt interrupt;
    Progress progress;
    const double start = seconds_now();
    std::vector<std::thread> threads;
    for (Writer& writer : writers)
        threads.emplace_back([&progress, &writer] { writer.run(progress); });
    watch(progress, !client.json() && isatty(STDERR_FILENO) == 1,
          static_cast<double>(options.seconds), interrupt);
    const double seconds = seconds_now() - start;
    for (std::thread& thread : threads)
        thread.join();
    // What was written goes again; the events of it expire like all others.
    RestClient scratch = client.as(user, "bench");
    for (std::size_t i = 0; i < writers.size(); ++i)
        static_cast<void>(scratch.write("DELETE", context_path(key_of(i)), ""));
    return show_result(client, writers, seconds, options);
}

}  // namespace

void add_bench(Command& root) {
    const auto o = std::make_shared<BenchOptions>();
    root.add("bench", "Measure the running server with durable writes", run_bench, o)
        .number("--writers", o->writers, "Connections that write [8]", 1, 256)
        .number("--seconds", o->seconds, "How long [5]", 1, 600)
        .number("--in-flight", o->in_flight, "Open writes of each connection [1]", 1, 256)
        .number("--bytes", o->bytes, "Size of each document [200]", 16, 100'000)
        .footer("It writes as a user of its own; --user is not used.\n");
}

}  // namespace dyad::cli
