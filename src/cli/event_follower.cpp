#include "cli/event_follower.hpp"

#include "cli/terminal.hpp"
#include "net/http.hpp"

#include <algorithm>
#include <csignal>

#include <poll.h>

namespace dyad::cli {
namespace {

constexpr std::int64_t kSilenceMs = 45'000;  // the server sends something every 15 s
constexpr std::int64_t kFirstPauseMs = 200;
constexpr std::int64_t kPauseMaxMs = 5000;

volatile std::sig_atomic_t stop_signal = 0;

bool is_offset(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

void catch_stop_signals() {
    struct sigaction action {};
    action.sa_handler = [](int number) { stop_signal = number; };
    for (const int number : {SIGINT, SIGTERM, SIGHUP})
        sigaction(number, &action, nullptr);
}

bool stop_requested() noexcept {
    return stop_signal != 0;
}

void pause_ms(std::int64_t ms) {
    if (!stop_requested()) poll(nullptr, 0, static_cast<int>(ms));
}

EventFollower::EventFollower(RestClient& client, std::string since, std::string types)
    : client_(client), token_(std::move(since)), types_(std::move(types)) {}

bool EventFollower::wanted(const json::Value& event) const {
    if (types_.empty()) return true;
    const std::string list = "," + types_ + ",";
    return list.find("," + text_member(event, "eventType") + ",") != std::string::npos;
}

// A bare offset becomes a token by reading the pages behind it.
bool EventFollower::catch_up(const Call& call,
                             const std::function<void(const StreamEvent&)>& on_event,
                             int& status) {
    std::string after = token_;
    for (;;) {
        const Answer answer = client_.get("events?limit=1000&after=" + net::percent_encode(after));
        if (!answer) {
            status = report(call.common(), *answer.failure);
            return false;
        }
        const auto& events = array_member(answer.value, "events");
        for (const json::Value& event : events)
            if (wanted(event)) on_event({"", json::canonical(event), event});
        after = text_member(answer.value, "position");
        token_ = after;
        if (events.empty() || after.empty() || stop_requested()) return true;
    }
}

bool EventFollower::take(const Call& call, const ServerSentEvent& event,
                         const std::function<void(const StreamEvent&)>& on_event) {
    was_connected_ = true;
    if (event.type == "reset") {
        complain("The place asked for is not in this log any more (a restored backup, or too long "
                 "ago): what follows is new.");
        if (call.json()) print_line("{\"reset\":" + event.data + "}");
        flush_output();
    } else if (event.type != "position" && !event.type.starts_with("snapshot")) {
        Result<json::Value> value = parse_large(event.data);
        if (value) on_event({event.id, event.data, *std::move(value)});
    }
    if (event.has_id) token_ = event.id;
    return !stop_requested();
}

EventFollower::Ended EventFollower::stream(const Call& call,
                                           const std::function<void(const StreamEvent&)>& on_event,
                                           int& status) {
    net::ClientRequest request;
    request.target = "/api/v1/events/stream";
    if (!types_.empty()) request.target.append("?types=").append(net::percent_encode(types_));
    request.headers = client_.identity();
    request.headers.emplace_back("Accept", "text/event-stream");
    if (!token_.empty()) request.headers.emplace_back("Last-Event-ID", token_);
    request.timeout_ms = kSilenceMs;
    SseReader reader;
    const Result<net::ClientResponse> response =
        net::http_stream(client_.url(), request, [&](std::string_view bytes) {
            return reader.feed(bytes, [&](const ServerSentEvent& event) {
                return take(call, event, on_event);
            }) && !stop_requested();
        });
    if (stop_requested()) return Ended::stopped;
    if (!response) {
        if (was_connected_) return Ended::lost;
        status = report(call.common(), client_.unreachable(response.error()));
        return Ended::failed;
    }
    if (response->status == 200) return Ended::lost;
    Answer answer;
    answer.status = response->status;
    answer.body = response->body;
    RestClient::read_answer(answer);
    if (answer.failure && is_true(answer.failure->problem, "retry")) return Ended::lost;
    status = answer.failure ? report(call.common(), *answer.failure) : 1;
    return Ended::failed;
}

int EventFollower::run(const Call& call,
                       const std::function<void(const StreamEvent&)>& on_event) {
    catch_stop_signals();
    int status = 0;
    if (is_offset(token_) && !catch_up(call, on_event, status)) return status;
    flush_output();
    std::int64_t pause = kFirstPauseMs;
    bool told = false;
    while (!stop_requested()) {
        const std::string before = token_;
        const Ended ended = stream(call, on_event, status);
        if (ended == Ended::failed) return status;
        if (ended == Ended::stopped) break;
        if (token_ != before) {
            pause = kFirstPauseMs;
            told = false;
        }
        if (!std::exchange(told, true))
            complain("The connection broke; going on as soon as the server is back.");
        pause_ms(pause);
        pause = std::min(2 * pause, kPauseMaxMs);
    }
    if (!token_.empty()) complain("Go on from here with --since " + token_);
    return 0;
}

}  // namespace dyad::cli
