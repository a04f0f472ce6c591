#include "cli/mcp_shim.hpp"

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <poll.h>
#include <unistd.h>

namespace dyad::cli {
namespace {

constexpr auto kLineMax = static_cast<std::size_t>(limits::http_body_bytes_max);
constexpr auto kOutputMax = static_cast<std::size_t>(limits::http_body_bytes_max);
constexpr std::size_t kAtOnce = 4096;  // a pipe that poll() found ready takes so much (PIPE_BUF)
constexpr std::size_t kIdleMax = 4;
constexpr int kTriesMax = 3;
constexpr std::int64_t kPauseMs = 250;
constexpr std::int64_t kPauseMaxMs = 5000;
constexpr std::int64_t kGoodbyeMs = 500;
constexpr std::int64_t kNotReadyMs = 1000;
constexpr int kParseError = -32700;
constexpr int kMethodNotFound = -32601;
constexpr int kInternalError = -32603;

std::int64_t now_ms() {
    return SystemClock().steady_ms();
}

void note(const std::string& text) {
    complain("dyad-memory mcp: " + printable(text));
}

}  // namespace

McpShim::McpShim(ServerFinder finder, net::Headers names)
    : finder_(std::move(finder)), names_(std::move(names)) {}

Exit McpShim::run() {
    for (;;) {
        wait();
        exchanges_.remove_if([](const McpExchange& exchange) { return exchange.finished; });
        if (reader_gone_) return Exit::ok;
        if (!ended_ || !output_.empty()) continue;
        const bool open = !exchanges_.empty() && now_ms() < end_by_ms_;
        if (!open && session_.empty()) return Exit::ok;
        if (open) continue;
        exchanges_.clear();
        add(Purpose::goodbye, {});
        end_by_ms_ = now_ms() + kGoodbyeMs;
        session_.clear();
    }
}

// ---- input

void McpShim::read_input() {
    char buffer[16384];
    const ssize_t got = read(STDIN_FILENO, buffer, sizeof buffer);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (got <= 0) return end_input();
    std::string_view bytes(buffer, static_cast<std::size_t>(got));
    while (bytes.find('\n') != std::string_view::npos) {
        input_.append(take_part(bytes, '\n'));
        const std::string line = std::exchange(input_, {});
        if (!std::exchange(skipping_, false)) take_line(trimmed(line));
    }
    if (!skipping_) input_.append(bytes);
    if (input_.size() <= kLineMax) return;
    say(mcp_error("", kParseError,
                  "the message is longer than http_body_bytes_max, " + std::to_string(kLineMax) +
                      " bytes; send it in parts"));
    input_ = {};
    skipping_ = true;
}

void McpShim::take_line(std::string_view line) {
    if (line.empty()) return;
    Result<McpMessage> message = read_mcp_message(line);
    if (!message)
        return say(mcp_error("", kParseError, "this is no message: " + message.error().detail));
    if (!message->cancels.empty() && cancel(*message)) return;
    if (exchanges_.size() >= static_cast<std::size_t>(limits::mcp_shim_requests_max)) {
        McpExchange refused(Purpose::forward, *std::move(message));
        return refuse(refused, "more than mcp_shim_requests_max, " +
                                   std::to_string(limits::mcp_shim_requests_max) +
                                   ", requests are open; wait for an answer, or cancel one");
    }
    if (message->method == "initialize" && !message->modern()) {
        initialize_ = *message;
        session_.clear();
        revision_.clear();
        subscriptions_.clear();
        for (McpExchange& exchange : exchanges_)
            exchange.finished = exchange.finished || exchange.purpose == Purpose::events;
    }
    add(Purpose::forward, *std::move(message));
}

// Closing its stream is how a modern request is cancelled; a session is told.
bool McpShim::cancel(const McpMessage& message) {
    for (McpExchange& exchange : exchanges_) {
        const auto& ids = exchange.message.ids;
        if (std::find(ids.begin(), ids.end(), message.cancels) == ids.end()) continue;
        exchange.cancelled = true;
        exchange.finished = exchange.finished || exchange.message.modern();
        return exchange.message.modern();
    }
    return message.modern();
}

void McpShim::end_input() {
    ended_ = true;
    end_by_ms_ = now_ms() + limits::mcp_shim_end_ms;
    for (McpExchange& exchange : exchanges_)
        exchange.finished = exchange.finished || exchange.purpose == Purpose::events ||
                            exchange.message.method == "subscriptions/listen";
}

// ---- output

void McpShim::say(std::string_view line) {
    output_.append(line).append("\n");
}

bool McpShim::write_output() {
    const ssize_t put = write(STDOUT_FILENO, output_.data(), std::min(output_.size(), kAtOnce));
    if (put < 0) return errno == EINTR || errno == EAGAIN;
    output_.erase(0, static_cast<std::size_t>(put));
    if (output_.empty()) output_ = {};
    return true;
}

void McpShim::refuse(McpExchange& exchange, const std::string& why, int http_status) {
    exchange.finished = true;
    note(why);
    if (exchange.purpose != Purpose::forward || exchange.cancelled) return;
    for (const std::string& id : exchange.unanswered)
        say(mcp_error(id, kInternalError, why, http_status));
}

// ---- exchanges

void McpShim::add(Purpose purpose, McpMessage message, std::int64_t due_ms) {
    exchanges_.emplace_back(purpose, std::move(message)).due_ms = due_ms;
    if (due_ms == 0) begin(exchanges_.back());
}

void McpShim::again(McpExchange& exchange, std::int64_t due_ms) {
    exchange.end();
    exchange.due_ms = due_ms;
}

std::string McpShim::request_of(const McpExchange& exchange) const {
    const bool get = exchange.purpose == Purpose::events || exchange.resumes;
    const bool ends = exchange.purpose == Purpose::goodbye;
    net::Headers headers = names_;
    if (exchange.message.modern()) {
        const net::Headers modern = modern_headers(exchange.message);
        headers.insert(headers.end(), modern.begin(), modern.end());
    } else {
        if (!exchange.session.empty()) headers.emplace_back("Mcp-Session-Id", exchange.session);
        if (!revision_.empty() && exchange.message.method != "initialize")
            headers.emplace_back("MCP-Protocol-Version", revision_);
    }
    headers.emplace_back("Accept",
                         get ? "text/event-stream" : "application/json, text/event-stream");
    if (get && !exchange.last_event_id().empty())
        headers.emplace_back("Last-Event-ID", exchange.last_event_id());
    if (!get && !ends) {
        headers.emplace_back("Content-Type", "application/json");
        headers.emplace_back("Content-Length", std::to_string(exchange.message.text.size()));
    }
    std::string out;
    for (const auto& [name, value] : headers)
        out.append(name).append(": ").append(value).append("\r\n");
    return out.append("\r\n").append(get || ends ? "" : exchange.message.text);
}

void McpShim::begin(McpExchange& exchange) {
    if (must_wait(exchange)) return;
    const bool patient = exchange.purpose == Purpose::forward || exchange.purpose == Purpose::renew;
    std::optional<Upstream> upstream;
    if (!idle_.empty()) {
        upstream = std::move(idle_.back());
        idle_.pop_back();
    } else if (Result<Upstream> found = finder_.connect(patient && !ended_)) {
        upstream = *std::move(found);
    } else if (exchange.purpose == Purpose::events) {
        ++exchange.tries;
        return on_broken(exchange);
    } else {
        return refuse(exchange, found.error().detail);
    }
    const bool get = exchange.purpose == Purpose::events || exchange.resumes;
    const Url url = upstream->url();
    if (!exchange.message.modern() && exchange.message.method != "initialize")
        exchange.session = session_;
    std::string head = exchange.purpose == Purpose::goodbye ? "DELETE " : get ? "GET " : "POST ";
    head.append(url.prefix).append("/mcp HTTP/1.1\r\nHost: ").append(url.authority());
    head.append("\r\nUser-Agent: dyad-memory/" DYAD_VERSION "\r\n");
    exchange.begin(*std::move(upstream), head + request_of(exchange));
    advance(exchange);
}

void McpShim::advance(McpExchange& exchange) {
    const McpExchange::State state = exchange.advance(
        [&](const ServerSentEvent& event) { return on_event(exchange, event.data); });
    if (exchange.purpose == Purpose::events && exchange.is_stream() && exchange.tries > 0) {
        if (exchange.resumes) restore_subscriptions();  // the server may be another one
        exchange.tries = 0;
    }
    if (state == McpExchange::State::complete) on_answer(exchange);
    if (state == McpExchange::State::broken) on_broken(exchange);
}

// False: it was the last one that this exchange was for.
bool McpShim::on_event(McpExchange& exchange, const std::string& data) {
    if (data.empty()) return true;
    const McpReply reply = read_mcp_reply(data);
    if (exchange.message.method == "initialize" && !reply.revision.empty())
        revision_ = reply.revision;
    const bool passes = exchange.purpose == Purpose::forward || exchange.purpose == Purpose::events;
    if (passes && !(exchange.cancelled && !reply.id.empty())) say(on_one_line(data));
    std::vector<std::string>& left = exchange.unanswered;
    left.erase(std::remove(left.begin(), left.end(), reply.id), left.end());
    return exchange.purpose == Purpose::events || exchange.message.ids.empty() || !left.empty();
}

void McpShim::on_broken(McpExchange& exchange) {
    const bool listens = exchange.message.method == "subscriptions/listen";
    const std::int64_t pause_ms = exchange.retry_ms() > 0 ? exchange.retry_ms() : kPauseMs;
    if (exchange.purpose == Purpose::events) {
        exchange.resumes = true;
        const std::int64_t longer_ms = pause_ms << std::min(exchange.tries, 5);
        return again(exchange, now_ms() + std::min(longer_ms, kPauseMaxMs));
    }
    if (exchange.purpose != Purpose::forward || exchange.cancelled) {
        exchange.finished = true;
    } else if (listens && exchange.is_stream()) {
        say(mcp_listen_end(exchange.unanswered.front()));  // the client subscribes again, and reads
        exchange.finished = true;
    } else if (!exchange.message.modern() && exchange.is_stream() &&
               !exchange.last_event_id().empty()) {
        // The server keeps the rest for whoever comes back (2025-11-25, "Resumability").
        exchange.resumes = true;
        exchange.tries = 0;
        again(exchange, now_ms() + pause_ms);
    } else if (exchange.tries < kTriesMax && (exchange.message.repeatable() || exchange.resumes ||
                                              exchange.message.ids.empty())) {
        again(exchange, now_ms());
    } else {
        refuse(exchange,
               "the connection to the server broke before it answered, and nobody knows whether "
               "it did what was asked; look before you repeat it, or repeat it with the same "
               "operation id");
    }
}

void McpShim::on_answer(McpExchange& exchange) {
    const bool good = exchange.status() / 100 == 2;
    if (has_lost_session(exchange)) {
        const bool first = exchange.session == session_;
        again(exchange, now_ms());
        if (first) renew_session();
        return;
    }
    // The server is about to stop, or not there yet behind its proxy.
    if (exchange.status() >= 502 && exchange.status() <= 504 && !ended_) {
        idle_.clear();
        if (exchange.purpose == Purpose::events) return on_broken(exchange);
        if (exchange.message.repeatable() && exchange.tries < kTriesMax)
            return again(exchange, now_ms() + kNotReadyMs);
    }
    if (good && exchange.message.method == "initialize") take_session(exchange);
    if (exchange.purpose == Purpose::forward)
        good ? on_good_answer(exchange) : on_bad_answer(exchange);
    finish(exchange);
}

void McpShim::on_good_answer(McpExchange& exchange) {
    const McpMessage& message = exchange.message;
    if (!exchange.is_stream() && !exchange.cancelled) {
        if (const std::string line = on_one_line(exchange.body()); !line.empty())
            say(line);
        else if (!message.ids.empty())
            refuse(exchange, "the server answered nothing", exchange.status());
    }
    if (message.modern() || ended_) return;
    if (message.method == "notifications/initialized") {
        initialized_ = message;
        add(Purpose::events, {}, now_ms());
    }
    if (message.method == "resources/subscribe" &&
        subscriptions_.size() < static_cast<std::size_t>(limits::mcp_shim_subscriptions_max))
        subscriptions_.emplace(message.name, message);
    if (message.method == "resources/unsubscribe") subscriptions_.erase(message.name);
}

void McpShim::on_bad_answer(McpExchange& exchange) {
    const McpReply reply = read_mcp_reply(exchange.body());
    const std::vector<std::string>& ids = exchange.message.ids;
    if (reply.valid && ids.size() == 1 && reply.id == ids.front()) {
        if (!exchange.cancelled) say(on_one_line(exchange.body()));
        return;
    }
    refuse(exchange,
           "the server answered with status " + std::to_string(exchange.status()) +
               (reply.problem.empty() ? "" : ": " + reply.problem),
           exchange.status());
}

void McpShim::finish(McpExchange& exchange) {
    exchange.finished = true;
    std::optional<Upstream> upstream = exchange.end();
    if (upstream && idle_.size() < kIdleMax) idle_.push_back(*std::move(upstream));
}

// ---- the session

// A session begins with initialize and notifications/initialized: what belongs to it waits for
// them.
bool McpShim::must_wait(const McpExchange& exchange) const {
    const auto rank = [](const McpExchange& one) {
        const std::string& method = one.message.method;
        return method == "initialize" ? 0 : method == "notifications/initialized" ? 1 : 2;
    };
    if (exchange.message.modern()) return false;
    return std::any_of(exchanges_.begin(), exchanges_.end(), [&](const McpExchange& other) {
        return !other.finished && !other.message.modern() && rank(other) < rank(exchange);
    });
}

bool McpShim::has_lost_session(const McpExchange& exchange) const {
    const bool again = exchange.purpose == Purpose::events ||
                       (exchange.purpose == Purpose::forward && exchange.tries < kTriesMax);
    return exchange.status() == 404 && !exchange.session.empty() && again && !ended_ &&
           read_mcp_reply(exchange.body()).code != kMethodNotFound;
}

void McpShim::renew_session() {
    session_.clear();
    revision_.clear();
    add(Purpose::renew, initialize_);
}

void McpShim::take_session(McpExchange& exchange) {
    session_ = exchange.header("mcp-session-id").value_or("");
    if (!exchange.is_stream()) revision_ = read_mcp_reply(exchange.body()).revision;
    if (exchange.purpose != Purpose::renew) return;
    if (!initialized_.text.empty()) add(Purpose::renew, initialized_, now_ms());
    restore_subscriptions();
}

void McpShim::restore_subscriptions() {
    for (const auto& [uri, message] : subscriptions_)
        add(Purpose::restore, message, now_ms());
}

// ---- the turn

int McpShim::wait_ms() const {
    std::int64_t due_ms = ended_ ? end_by_ms_ : INT64_MAX;
    for (const McpExchange& exchange : exchanges_)
        if (!exchange.begun() && !exchange.finished && !must_wait(exchange))
            due_ms = std::min(due_ms, exchange.due_ms);
    if (due_ms == INT64_MAX) return -1;
    return static_cast<int>(std::max<std::int64_t>(due_ms - now_ms(), 0));
}

void McpShim::run_due() {
    for (McpExchange& exchange : exchanges_)
        if (!exchange.begun() && !exchange.finished && exchange.due_ms <= now_ms()) begin(exchange);
}

void McpShim::wait() {
    std::vector<pollfd> fds;
    const bool room = output_.size() < kOutputMax;
    fds.push_back({room && !ended_ ? STDIN_FILENO : -1, POLLIN, 0});
    fds.push_back({STDOUT_FILENO, static_cast<short>(output_.empty() ? 0 : POLLOUT), 0});
    for (const Upstream& upstream : idle_)
        fds.push_back({upstream.fd(), POLLIN, 0});
    std::vector<McpExchange*> polled;
    for (McpExchange& exchange : exchanges_) {
        if (!exchange.begun() || exchange.finished) continue;
        const int events = (room ? POLLIN : 0) | (exchange.wants_to_send() ? POLLOUT : 0);
        fds.push_back({exchange.fd(), static_cast<short>(events), 0});
        polled.push_back(&exchange);
    }
    if (poll(fds.data(), fds.size(), wait_ms()) < 0) return;
    if ((fds[1].revents & (POLLERR | POLLNVAL)) != 0 ||
        ((fds[1].revents & POLLOUT) != 0 && !write_output())) {
        reader_gone_ = true;
        return;
    }
    auto at = fds.begin() + 2;
    // A server says nothing unasked: it has closed.
    std::erase_if(idle_, [&at](const Upstream&) { return (at++)->revents != 0; });
    for (McpExchange* const exchange : polled)
        if ((at++)->revents != 0 && !exchange->finished) advance(*exchange);
    if (fds[0].revents != 0) read_input();
    run_due();
}

}  // namespace dyad::cli
