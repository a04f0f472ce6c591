#include "auth/authority.hpp"
#include "cli/curl.hpp"
#include "cli/doctor.hpp"
#include "cli/indicator.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"
#include "cli/websocket_client.hpp"
#include "net/socket.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <utility>

namespace dyad::cli {
namespace {

constexpr std::int64_t kConnectMs = 2000;
constexpr std::int64_t kWaitMs = 5000;
constexpr const char* kServer = "Server";
constexpr const char* kStore = "Store";

std::string milliseconds_since(std::int64_t start_ms) {
    return std::to_string(SystemClock().steady_ms() - start_ms) + " ms";
}

Finding check_ready(RestClient& client) {
    const Answer ready = client.get_plain("/readyz");
    if (ready) return {Verdict::ok, "Ready", "/readyz says ok"};
    return {Verdict::fail, "Ready", "/readyz says " + ready.failure->message,
            "see the server's log; it is starting, stopping, or its store does not work"};
}

// What does not work is a failure; what was switched off is none.
Finding check_indicator(const json::Value& status) {
    const Indicator indicator = indicator_of(status);
    std::string working, broken, off, advice = "see the server's log, then restart it";
    for (const SystemState& system : indicator.systems) {
        std::string& list = !system.enabled ? off : system.healthy ? working : broken;
        list.append(list.empty() ? "" : ", ").append(system.name);
        if (system.enabled && !system.healthy)
            list.append(" does not work (").append(system.note).append(")");
        if (system.name == "Storage" && !system.healthy)
            advice = "see the server's log; check the disk";
    }
    if (!broken.empty())
        return {Verdict::fail, "Indicator", indicator.text() + ": " + broken, advice};
    if (!off.empty()) off.insert(0, "; switched off: ");
    return {Verdict::ok, "Indicator", indicator.text() + ": " + working + " in order" + off};
}

Finding check_round_trip(RestClient& scratch) {
    constexpr const char* kCheck = "Write and read back";
    const std::int64_t start = SystemClock().steady_ms();
    const std::string data = R"({"checked":true})";
    const Answer put =
        scratch.write("PUT", "contexts/doctor", "{\"data\":" + data + ",\"force\":true}");
    if (!put) return {Verdict::fail, kCheck, put.failure->message, "see the server's log"};
    const Answer got = scratch.get("contexts/doctor");
    const std::string took = milliseconds_since(start);
    static_cast<void>(scratch.write("DELETE", "contexts/doctor", ""));
    if (!got || json::canonical(at(got.value, "data")) != data)
        return {Verdict::fail, kCheck, "what was acknowledged could not be read",
                "keep the data folder and the log, and report this"};
    return {Verdict::ok, kCheck, "durable and read again after " + took};
}

// While a clock is not believed, nothing expires by it.
std::optional<Finding> check_clock(const json::Value& status) {
    const json::Value& clock = at(status, "clock");
    if (!clock.is_object() || is_true(clock, "believed")) return std::nullopt;
    const std::int64_t ahead = integer_at(clock, "aheadMs");
    return Finding{Verdict::warn, "Clock",
                   "the server's clock is " + duration(std::abs(ahead)) +
                       (ahead > 0 ? " ahead of" : " behind") +
                       " the time that is proved; nothing expires by it before it has stood for " +
                       duration(integer_at(clock, "holdLeftMs")) + " more",
                   "look whether the date of its machine is right"};
}

// Who answers at this address, and by which clock. Behind a balancer it is another node each time.
std::vector<Finding> check_nodes(RestClient& client, const json::Value& first) {
    constexpr int kAsked = 12;
    constexpr std::int64_t kToleratedMs = 5000;
    std::map<std::string, std::int64_t> ahead;  // clocks, by node
    const auto take = [&ahead](const json::Value& status) {
        ahead[text_at(status, "instanceId")] =
            integer_at(status, "timestamp") - SystemClock().wall_ms();
    };
    take(first);
    for (int i = 1; i < kAsked && is_true(first, "mongodb/enabled"); ++i)
        if (const Answer status = client.get("status")) take(status.value);
    std::vector<Finding> out;
    if (ahead.size() > 1)
        out.push_back({Verdict::ok, "Nodes", std::to_string(ahead.size()) + " answer here"});
    for (const auto& [node, ms] : ahead)
        if (std::abs(ms) > kToleratedMs)
            out.push_back({Verdict::warn, "Clocks",
                           "that of node " + node.substr(0, 8) + " is " + duration(std::abs(ms)) +
                               (ms > 0 ? " ahead of" : " behind") + " this machine's",
                           "set the clocks of both by NTP"});
    return out;
}

// As an existing Dyad instance does it.
Result<WebSocketClient> connect_plain(const Url& url) {
    Result<WebSocketClient> client = WebSocketClient::connect(url, "/", "", kWaitMs);
    if (client) TRY(client->wait_for("connect", kWaitMs));
    return client;
}

// Two clients: what one switches, the other sees.
Status switch_seen(const Url& url, const std::string& user) {
    const auto message = [&](const char* instance, const char* type, const json::Value& payload) {
        return json::Value{{"id", SystemRandom().uuid4()},
                           {"type", type},
                           {"userId", user},
                           {"instanceId", instance},
                           {"timestamp", SystemClock().wall_ms()},
                           {"payload", payload}};
    };
    std::vector<WebSocketClient> clients;
    for (const char* const instance : {"doctor-1", "doctor-2"}) {
        Result<WebSocketClient> client = connect_plain(url);
        if (!client) return client.error();
        TRY(client->send_json(message(instance, "ping", boost::json::object())));
        TRY(client->wait_for("pong", kWaitMs));
        clients.push_back(*std::move(client));
    }
    TRY(clients[0].send_json(message("doctor-1", "mode-update",
                                     {{"currentMode", "didactic"}, {"previousMode", "inspired"}})));
    return clients[1].wait_for("mode-update", kWaitMs);
}

Finding check_websocket(const Url& url, const json::Value& status) {
    if (!is_true(status, "websocket/enabled"))
        return {Verdict::note, "WebSocket",
                "switched off: the server was started with ENABLE_WEBSOCKET=false; live clients "
                "are refused"};
    if (const auto client = connect_plain(url); !client)
        return {Verdict::fail, "WebSocket", client.error().detail,
                "see the server's log; a proxy in between must pass on upgrades"};
    return {Verdict::ok, "WebSocket", "the server's \"connect\" message came"};
}

Finding check_modes(const Url& url, const std::string& user) {
    const std::int64_t start = SystemClock().steady_ms();
    if (const Status seen = switch_seen(url, user); !seen)
        return {Verdict::fail, "Mode switch",
                "a second client did not see it: " + seen.error().detail,
                "check that ENABLE_REAL_TIME_EVENTS is true; see the server's log"};
    return {Verdict::ok, "Mode switch",
            "seen by a second client after " + milliseconds_since(start)};
}

// The folder whose lock the process holds; empty where it is another user's process, or elsewhere.
std::string folder_of(int process) {
    namespace fs = std::filesystem;
    std::error_code error;
    const fs::path descriptors = "/proc/" + std::to_string(process) + "/fd";
    const fs::directory_iterator end;
    for (fs::directory_iterator one(descriptors, error); !error && one != end;
         one.increment(error)) {
        std::error_code closed;
        const fs::path target = fs::read_symlink(*one, closed);
        if (!closed && target.filename() == "memory.lock") return target.parent_path();
    }
    return {};
}

// Who holds the server's port, where that can be told from here.
net::PortHolder holder_of(const Url& url) {
    return auth::is_loopback(url.host) ? net::port_holder(url.port) : net::PortHolder{};
}

Finding describe_server(const RestClient& client, const json::Value& status) {
    const std::string version = text_at(status, "version");
    std::string text = "dyad-memory " + version + " at " + client.url().text() + ", up " +
                       duration(integer_at(status, "uptimeMs")) + ", instance " +
                       text_at(status, "instanceId");
    const net::PortHolder holder = holder_of(client.url());
    if (!holder.text.empty()) text += ", " + holder.text;
    const std::string folder = folder_of(holder.process);
    if (!folder.empty()) text += ", data folder " + folder;
    if (version == DYAD_VERSION) return {Verdict::ok, kServer, text};
    return {Verdict::warn, kServer, text + "; this program is " + DYAD_VERSION,
            "restart the server with the new version, or use the program that belongs to it"};
}

Finding describe_failure(const RestClient& client, const Failure& failure) {
    std::string text = failure.message;
    const net::PortHolder holder = holder_of(client.url());
    if (!holder.text.empty())
        text += " Port " + std::to_string(client.url().port) + " is held by " + holder.text + ".";
    return {Verdict::fail, kServer, text,
            "stop what holds the port, or choose another one with WS_SYNC_PORT or --port"};
}

CheckReport report_of(const json::Value& line) {
    CheckReport report;
    for (const auto& [count, name] : {std::pair{&report.pages, "checked/pages"},
                                      {&report.records, "checked/records"},
                                      {&report.users, "checked/users"},
                                      {&report.events, "checked/events"},
                                      {&report.rows, "checked/rows"}})
        *count = static_cast<std::size_t>(integer_at(line, name));
    for (const json::Value& damage : list_at(line, "damages"))
        report.list.push_back({.what = text_at(damage, "what"),
                               .name = text_at(damage, "name"),
                               .text = text_at(damage, "text")});
    const auto of_others = static_cast<std::size_t>(integer_at(line, "others/damages"));
    if (of_others != 0)
        report.list.push_back(
            {.what = std::to_string(of_others) + (report.list.empty() ? "" : " more") +
                     (of_others == 1 ? " damage" : " damages") + " in the memory of other users"});
    report.damages = is_true(line, "ok") ? 0 : std::max<std::size_t>(report.list.size(), 1);
    return report;
}

std::vector<Finding> check_store_live(RestClient& client, const OnProgress& on_progress) {
    std::string partial;
    json::Value last;
    ClientRequest request;
    request.target = "check";
    request.stream_type = "application/x-ndjson";
    request.on_body = [&](std::string_view bytes) {
        while (bytes.find('\n') != std::string_view::npos) {
            const std::string text = std::exchange(partial, {}).append(take_part(bytes, '\n'));
            Result<json::Value> line = parse_large(text);
            if (!line) continue;
            last = *std::move(line);
            on_progress(static_cast<std::size_t>(integer_at(last, "done")),
                        static_cast<std::size_t>(integer_at(last, "of")));
        }
        partial.append(bytes);
        return true;
    };
    const Answer answer = client.stream(std::move(request));
    if (!answer)
        return {{Verdict::skipped, kStore, answer.failure->message,
                 answer.failure->exit == Exit::not_found ? "use the server's own version of doctor"
                                                         : ""}};
    if (!is_true(last, "finished"))
        return {{Verdict::skipped, kStore, "the server ended its check before it was finished",
                 "see the server's log, and run doctor again"}};
    return describe_check(
        report_of(last), "checked by the server",
        "stop the server, and then: dyad-memory doctor (it names everything and what to do)");
}

}  // namespace

bool can_connect(const Url& url) {
    return CurlHandle(url, "/", kConnectMs).connect().has_value();
}

std::vector<Finding> check_server(RestClient& client, const OnProgress& on_progress) {
    const Answer status = client.get("status");
    if (!status) return {describe_failure(client, *status.failure)};
    std::vector<Finding> out{describe_server(client, status.value), check_ready(client),
                             check_indicator(status.value),
                             check_websocket(client.url(), status.value)};
    if (std::optional<Finding> clock = check_clock(status.value)) out.push_back(*std::move(clock));
    for (Finding& finding : check_nodes(client, status.value))
        out.push_back(std::move(finding));
    for (Finding& finding : check_store_live(client, on_progress))
        out.push_back(std::move(finding));
    return out;
}

std::vector<Finding> test_writing(RestClient& client) {
    const std::string user = "doctor-" + SystemRandom().uuid4();
    RestClient scratch = client.as(user, "doctor");
    std::vector<Finding> out{check_round_trip(scratch)};
    if (is_true(client.get("status").value, "websocket/enabled"))
        out.push_back(check_modes(client.url(), user));
    return out;
}

}  // namespace dyad::cli
