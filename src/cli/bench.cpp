// `dyad-memory bench`: how fast the running server makes writes durable, over WebSocket.
#include "base/clock.hpp"
#include "cli/commands.hpp"
#include "cli/interrupt.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"
#include "cli/websocket_client.hpp"
#include "net/http.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <thread>

#include <unistd.h>

namespace dyad::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

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

    std::string key() const { return "bench/" + std::to_string(number_); }
    Status connect(std::int64_t timeout_ms);
    void run(Progress& progress);

    std::vector<std::int64_t> latencies_us;
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
    std::map<std::string, SteadyClock::time_point> open_;
    std::int64_t sent_ = 0;
};

Status Writer::connect(std::int64_t timeout_ms) {
    Result<WebSocketClient> socket = WebSocketClient::connect(url_, "/sync", "dyad.v2", timeout_ms);
    if (!socket) return socket.error();
    socket_ = std::make_unique<WebSocketClient>(*std::move(socket));
    boost::json::object payload{
        {"protocol", 2}, {"instanceId", "bench-" + std::to_string(number_)}, {"userId", user_}};
    boost::json::object hello{{"type", "hello"}, {"payload", std::move(payload)}};
    if (Status said = socket_->send(json::canonical(std::move(hello))); !said) return said;
    for (;;) {
        const Result<std::string> text = socket_->receive(timeout_ms);
        if (!text) return text.error();
        const Result<json::Value> message = parse_large(*text);
        if (message && text_member(*message, "type") == "welcome") return Done{};
        if (message && text_member(*message, "type") == "error")
            return fail(Errc::unavailable, text_member(member(*message, "payload"), "detail"));
    }
}

Status Writer::send_one() {
    const std::string id = std::to_string(sent_++);
    boost::json::object data{{"n", sent_},
                             {"pad", std::string(static_cast<std::size_t>(options_.bytes), 'x')}};
    boost::json::object payload{{"op", "context.put"}, {"contextKey", key()}, {"force", true}};
    payload["data"] = std::move(data);
    boost::json::object command{{"id", id}, {"type", "command"}};
    command["payload"] = std::move(payload);
    const std::string text = json::canonical(std::move(command));
    open_[id] = SteadyClock::now();
    return socket_->send(text);
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
    const auto now = SteadyClock::now();
    const Result<json::Value> message = parse_large(*text);
    if (!message) return true;
    const auto sent = open_.find(text_member(*message, "id"));
    if (sent == open_.end()) return true;
    if (text_member(*message, "type") == "ack") {
        latencies_us.push_back(
            std::chrono::duration_cast<std::chrono::microseconds>(now - sent->second).count());
        progress.acknowledged.fetch_add(1, std::memory_order_relaxed);
    } else {
        ++refused;
        problem = text_member(member(*message, "payload"), "detail");
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

double percentile_ms(const std::vector<std::int64_t>& sorted_us, double share) {
    if (sorted_us.empty()) return 0;
    const auto at = static_cast<std::size_t>(share * static_cast<double>(sorted_us.size() - 1));
    return static_cast<double>(sorted_us[at]) / 1000;
}

void watch(Progress& progress, const CommonOptions& common, const BenchOptions& options,
           const Interrupt& interrupt) {
    const bool show = !common.json && isatty(STDERR_FILENO) == 1;
    const auto start = SteadyClock::now();
    for (;;) {
        const double passed = std::chrono::duration<double>(SteadyClock::now() - start).count();
        if (passed >= static_cast<double>(options.seconds) || interrupt.asked()) break;
        if (show)
            std::fprintf(stderr, "\r%3.0f %%  %lld writes durable",
                         100 * passed / static_cast<double>(options.seconds),
                         static_cast<long long>(progress.acknowledged.load()));
        interrupt.sleep(100);
    }
    if (show) std::fprintf(stderr, "\r\x1b[K");
    progress.stop = true;
}

// What was written goes again; the events of it expire like all others.
void clean_up(const Url& url, const std::string& user, std::size_t writers,
              std::int64_t timeout_ms) {
    RestClient client(url, user, "bench", timeout_ms);
    for (std::size_t i = 0; i < writers; ++i)
        static_cast<void>(client.write(
            "DELETE", "contexts/" + net::percent_encode("bench/" + std::to_string(i)), ""));
}

int print_result(const CommonOptions& common, const std::vector<std::unique_ptr<Writer>>& writers,
                 double seconds, const BenchOptions& options) {
    std::vector<std::int64_t> all;
    std::int64_t refused = 0;
    std::string problem;
    for (const auto& writer : writers) {
        all.insert(all.end(), writer->latencies_us.begin(), writer->latencies_us.end());
        refused += writer->refused;
        if (!writer->problem.empty()) problem = writer->problem;
    }
    std::sort(all.begin(), all.end());
    const double rate = static_cast<double>(all.size()) / seconds;
    const double p50 = percentile_ms(all, 0.5), p99 = percentile_ms(all, 0.99);
    if (common.json) {
        boost::json::object out{{"writers", options.writers},
                                {"inFlight", options.in_flight},
                                {"bytes", options.bytes},
                                {"seconds", seconds},
                                {"acknowledged", all.size()},
                                {"refused", refused},
                                {"perSecond", rate},
                                {"p50Ms", p50},
                                {"p99Ms", p99},
                                {"maxMs", percentile_ms(all, 1)}};
        print_json(out);
    } else {
        char text[200];
        std::snprintf(text, sizeof text,
                      "%zu durable writes in %.1f s: %.0f a second\nAcknowledged after  p50 %.2f "
                      "ms   p99 %.2f ms   longest %.2f ms",
                      all.size(), seconds, rate, p50, p99, percentile_ms(all, 1));
        print_line(text);
    }
    if (problem.empty()) return static_cast<int>(Exit::ok);
    complain("dyad-memory: " + std::to_string(refused) +
             " writes were refused or connections "
             "lost; the last reason: " +
             printable(problem));
    return static_cast<int>(Exit::failed);
}

}  // namespace

int run_bench(const CommonOptions& common, const BenchOptions& options) {
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    if (const Answer met = client->meet(true); !met) return report(common, *met.failure);
    SystemRandom random;
    const std::string user = "bench-" + random.uuid4();
    std::vector<std::unique_ptr<Writer>> writers;
    for (std::size_t i = 0; i < static_cast<std::size_t>(options.writers); ++i) {
        writers.push_back(std::make_unique<Writer>(client->url(), user, i, options));
        if (const Status connected = writers.back()->connect(client->timeout_ms()); !connected)
            return report(common, client->unreachable(connected.error()));
    }
    if (!common.json)
        complain(std::to_string(options.writers) + " writers, " +
                 std::to_string(options.in_flight) + " open writes each, for " +
                 std::to_string(options.seconds) + " s at " + client->url().text());
    const Interrupt interrupt;
    Progress progress;
    const auto start = SteadyClock::now();
    std::vector<std::thread> threads;
    for (const auto& writer : writers)
        threads.emplace_back([&progress, at = writer.get()] { at->run(progress); });
    watch(progress, common, options, interrupt);
    const double seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
    for (std::thread& thread : threads)
        thread.join();
    clean_up(client->url(), user, writers.size(), client->timeout_ms());
    return print_result(common, writers, seconds, options);
}

}  // namespace dyad::cli
