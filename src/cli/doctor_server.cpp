#include "cli/doctor_server.hpp"

#include "cli/indicator.hpp"
#include "cli/terminal.hpp"
#include "cli/websocket_client.hpp"
#include "net/http.hpp"

#include <memory>

namespace dyad::cli {
namespace {

using ops::Finding;
using ops::Verdict;

constexpr std::int64_t kWaitMs = 5000;

std::string milliseconds_since(std::int64_t start_ms) {
    return std::to_string(SystemClock().steady_ms() - start_ms) + " ms";
}

Finding check_ready(RestClient& client) {
    const Answer ready = client.get_plain("/readyz");
    if (ready) return {Verdict::ok, "Ready", "/readyz says ok", ""};
    return {Verdict::fail, "Ready", "/readyz says " + ready.failure->message,
            "see the server's log; it is starting, stopping, or its store does not work"};
}

Finding check_version(const json::Value& status) {
    const std::string version = text_member(status, "version");
    if (version == DYAD_VERSION) return {Verdict::ok, "Version", version, ""};
    return {Verdict::warn, "Version", "the server is " + version + ", this program " + DYAD_VERSION,
            "restart the server with the new version, or use the program that belongs to it"};
}

// What does not work is a failure; what was switched off is none.
Finding check_indicator(const json::Value& status) {
    const Indicator indicator = indicator_of(status);
    std::string working, broken, off, advice = "see the server's log, then restart it";
    const auto name_in = [](std::string& list, const std::string& text) {
        list.append(list.empty() ? "" : ", ").append(text);
    };
    for (const SystemState& system : indicator.systems) {
        if (!system.enabled)
            name_in(off, system.name);
        else if (system.healthy)
            name_in(working, system.name);
        else
            name_in(broken, system.name + " does not work (" + system.note + ")");
        if (system.name == "Storage" && !system.healthy)
            advice = "see the server's log; check the disk";
    }
    std::string text = indicator.text() + ": ";
    if (!broken.empty()) return {Verdict::fail, "Indicator", text + broken, advice};
    text.append(working).append(" in order");
    if (!off.empty()) text.append("; switched off: ").append(off);
    return {Verdict::ok, "Indicator", text, ""};
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
    if (!got || json::canonical(member(got.value, "data")) != data)
        return {Verdict::fail, kCheck, "what was acknowledged could not be read",
                "keep the data folder and the log, and report this"};
    return {Verdict::ok, kCheck, "durable and read again after " + took, ""};
}

// A client as an existing Dyad instance is one.
class PlainClient {
  public:
    PlainClient(std::string user, std::string instance)
        : user_(std::move(user)), instance_(std::move(instance)) {}

    Status connect(const Url& url) {
        Result<WebSocketClient> socket = WebSocketClient::connect(url, "/", "", kWaitMs);
        if (!socket) return socket.error();
        socket_ = std::make_unique<WebSocketClient>(*std::move(socket));
        return wait_for("connect");
    }
    Status send(const char* type, boost::json::object payload) {
        boost::json::object message{{"id", random_.uuid4()},
                                    {"type", type},
                                    {"userId", user_},
                                    {"instanceId", instance_},
                                    {"timestamp", clock_.wall_ms()}};
        message["payload"] = std::move(payload);
        return socket_->send(json::canonical(std::move(message)));
    }
    Status wait_for(const std::string& type) {
        const std::int64_t deadline = clock_.steady_ms() + kWaitMs;
        while (clock_.steady_ms() < deadline) {
            const Result<std::string> text = socket_->receive(deadline - clock_.steady_ms());
            if (!text) return text.error();
            const Result<json::Value> message = parse_large(*text);
            if (message && text_member(*message, "type") == type) return Done{};
        }
        return fail(Errc::timed_out, "no message \"" + type + "\" came");
    }

  private:
    std::string user_;
    std::string instance_;
    SystemRandom random_;
    SystemClock clock_;
    std::unique_ptr<WebSocketClient> socket_;
};

Status switch_seen(PlainClient& one, PlainClient& other) {
    for (PlainClient* client : {&one, &other}) {
        if (Status sent = client->send("ping", {}); !sent) return sent;
        if (Status answered = client->wait_for("pong"); !answered) return answered;
    }
    if (Status sent =
            one.send("mode-update", {{"currentMode", "didactic"}, {"previousMode", "inspired"}});
        !sent)
        return sent;
    return other.wait_for("mode-update");
}

void check_live(const Url& url, const std::string& user, std::vector<Finding>& out) {
    PlainClient one(user, "doctor-1"), other(user, "doctor-2");
    if (const Status welcome = one.connect(url); !welcome) {
        out.push_back({Verdict::fail, "WebSocket", welcome.error().detail,
                       "see the server's log; a proxy in between must pass on upgrades"});
        return;
    }
    out.push_back({Verdict::ok, "WebSocket", "the server's \"connect\" message came", ""});
    const std::int64_t start = SystemClock().steady_ms();
    Status seen = other.connect(url);
    if (seen) seen = switch_seen(one, other);
    if (!seen)
        out.push_back({Verdict::fail, "Mode switch",
                       "a second client did not see it: " + seen.error().detail,
                       "check that ENABLE_REAL_TIME_EVENTS is true; see the server's log"});
    else
        out.push_back({Verdict::ok, "Mode switch",
                       "seen by a second client after " + milliseconds_since(start), ""});
}

}  // namespace

std::vector<Finding> check_server(RestClient& client, std::int64_t& server_ms) {
    std::vector<Finding> out;
    const Answer status = client.get("status");
    if (!status) {
        out.push_back({Verdict::fail, "Server", status.failure->message,
                       "is it dyad-memory that answers at " + client.url().text() + "?"});
        return out;
    }
    server_ms = integer_member(status.value, "timestamp");
    out.push_back({Verdict::ok, "Server",
                   "answers at " + client.url().text() + ", up " +
                       duration(integer_member(status.value, "uptimeMs")),
                   ""});
    out.push_back(check_ready(client));
    out.push_back(check_version(status.value));
    out.push_back(check_indicator(status.value));
    SystemRandom random;
    const std::string user = "doctor-" + random.uuid4();
    RestClient scratch(client.url(), user, "doctor", client.timeout_ms());
    out.push_back(check_round_trip(scratch));
    if (is_true(member(status.value, "websocket"), "enabled"))
        check_live(client.url(), user, out);
    else
        out.push_back({Verdict::note, "WebSocket",
                       "switched off: the server was started with ENABLE_WEBSOCKET=false; live "
                       "clients are refused",
                       ""});
    return out;
}

}  // namespace dyad::cli
