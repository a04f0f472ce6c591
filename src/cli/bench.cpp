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
#include <memory>
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
class Writer {
  public:
    Writer(const Url& url, std::string user, std::size_t number, const BenchOptions& options)
        : url_(url), user_(std::move(user)), number_(number), options_(options) {}

    Status connect(std::int64_t timeout_ms);
    void run(Progress& progress);

    std::vector<double> latencies_ms;
    std::int64_t refused = 0;
    std::string problem;

  private:
    Status send_one();
    bool receive_one(Progress& progress);

    Url url_;
    std::string user_;
    std::size_t number_;
    BenchOptions options_;
    std::unique_ptr<WebSocketClient> socket_;
    std::map<std::string, double> open_;  // when each was sent
    std::int64_t sent_ = 0;
};

Status Writer::connect(std::int64_t timeout_ms) {
    Result<WebSocketClient> socket = WebSocketClient::connect(url_, "/sync", "dyad.v2", timeout_ms);
    if (!socket) return socket.error();
    socket_ = std::make_unique<WebSocketClient>(*std::move(socket));
    const json::Value hello = {
        {"type", "hello"},
        {"payload",
         {{"protocol", 2}, {"instanceId", "bench-" + std::to_string(number_)}, {"userId", user_}}}};
    TRY(socket_->send_json(hello));
    return socket_->wait_for("welcome", timeout_ms);
}

Status Writer::send_one() {
    const std::string id = std::to_string(sent_++);
    const std::string pad(static_cast<std::size_t>(options_.bytes), 'x');
    const std::string command = json::canonical({{"id", id},
                                                 {"type", "command"},
                                                 {"payload",
                                                  {{"op", "context.put"},
                                                   {"contextKey", key_of(number_)},
                                                   {"force", true},
                                                   {"data", {{"n", sent_}, {"pad", pad}}}}}});
    open_[id] = seconds_now();
    return socket_->send(command);
}

// False where the connection is over.
bool Writer::receive_one(Progress& progress) {
    const Result<std::string> text = socket_->receive(5000);
    if (!text) {
        problem = text.error().detail;
        return false;
    }
    // Everything else than answers, such as the events of the other writers, is passed over unread.
    if (text->find("\"type\":\"ack\"") == std::string::npos &&
        text->find("\"type\":\"error\"") == std::string::npos)
        return true;
    const double now = seconds_now();
    const Result<json::Value> message = parse_large(*text);
    if (!message) return true;
    const auto sent = open_.find(text_at(*message, "id"));
    if (sent == open_.end()) return true;
    if (text_at(*message, "type") == "ack") {
        latencies_ms.push_back(std::round(1e6 * (now - sent->second)) / 1000);
        progress.acknowledged.fetch_add(1, std::memory_order_relaxed);
    } else {
        ++refused;
        problem = text_at(*message, "payload/detail");
    }
    open_.erase(sent);
    return true;
}

void Writer::run(Progress& progress) {
    while (!progress.stop.load(std::memory_order_relaxed)) {
        while (open_.size() < static_cast<std::size_t>(options_.in_flight))
            if (const Status sent = send_one(); !sent) {
                problem = sent.error().detail;
                return;
            }
        if (!receive_one(progress)) return;
    }
    while (!open_.empty() && receive_one(progress)) {
    }
    socket_->close();
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

Exit show_result(RestClient& client, const std::vector<std::unique_ptr<Writer>>& writers,
                 double seconds, const BenchOptions& options) {
    std::vector<double> all;
    std::int64_t refused = 0;
    std::string problem;
    for (const auto& writer : writers) {
        all.insert(all.end(), writer->latencies_ms.begin(), writer->latencies_ms.end());
        refused += writer->refused;
        if (!writer->problem.empty()) problem = writer->problem;
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
    std::vector<std::unique_ptr<Writer>> writers;
    for (std::size_t i = 0; i < static_cast<std::size_t>(options.writers); ++i) {
        writers.push_back(std::make_unique<Writer>(client.url(), user, i, options));
        if (const Status connected = writers.back()->connect(client.timeout_ms()); !connected)
            return client.report(client.unreachable(connected.error()));
    }
    if (!client.json())
        complain(std::to_string(options.writers) + " writers, " +
                 std::to_string(options.in_flight) + " open writes each, for " +
                 std::to_string(options.seconds) + " s at " + client.url().text());
    const Interrupt interrupt;
    Progress progress;
    const double start = seconds_now();
    std::vector<std::thread> threads;
    for (const auto& writer : writers)
        threads.emplace_back([&progress, at = writer.get()] { at->run(progress); });
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
