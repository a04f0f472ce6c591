#include "ops/doctor.hpp"

#include "base/clock.hpp"
#include "model/json.hpp"

#include <chrono>

namespace dyad::ops {
namespace {

const json::Value& member(const json::Value& value, std::string_view name) {
    static const json::Value kNull;
    const auto* const object = value.if_object();
    const auto* const found = object != nullptr ? object->if_contains(name) : nullptr;
    return found != nullptr ? *found : kNull;
}

std::string text_of(const json::Value& value) {
    const auto* const text = value.if_string();
    return text != nullptr ? std::string(text->data(), text->size()) : std::string();
}

bool is_true(const json::Value& value) {
    return value.is_bool() && value.get_bool();
}

class ServerChecks {
  public:
    explicit ServerChecks(const DoctorSubject& subject)
        : subject_(subject), user_("doctor-" + random_.uuid4()) {}

    std::vector<Check> run() {
        if (!check_reachable()) return std::move(checks_);
        check_ready();
        check_status();
        check_round_trip();
        if (websocket_) check_live();
        return std::move(checks_);
    }

  private:
    void add(std::string id, Verdict verdict, std::string found, std::string advice = "") {
        checks_.push_back({std::move(id), verdict, std::move(found), std::move(advice)});
    }

    Result<net::ClientResponse> ask(std::string method, std::string target, std::string body = "") {
        net::ClientRequest request;
        request.method = std::move(method);
        request.target = std::move(target);
        request.headers = {{"Dyad-User", user_}, {"Dyad-Instance", "doctor"}};
        if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
        request.body = std::move(body);
        request.timeout_ms = subject_.timeout_ms;
        return net::http_request(subject_.url, request);
    }

    bool check_reachable() {
        const auto health = ask("GET", "/healthz");
        const std::string where = subject_.url.authority();
        if (!health) {
            add("reachable", Verdict::fail,
                "No server answers at " + where + " (" + health.error().detail + ").",
                "Start it with \"dyad-memory serve\"; on another machine or port, name it with "
                "--url. A firewall may be in the way.");
            return false;
        }
        if (health->body != "ok\n" && health->body != "degraded\n") {
            add("reachable", Verdict::fail,
                "What answers at " + where + " is not this server (status " +
                    std::to_string(health->status) + ").",
                "Choose another port with WS_SYNC_PORT, or name the server with --url.");
            return false;
        }
        if (health->status != 200)
            add("reachable", Verdict::fail, "The server at " + where + " says it is not healthy.",
                "See its log.");
        else
            add("reachable", Verdict::ok, "The server at " + where + " answers.");
        return true;
    }

    void check_ready() {
        const auto ready = ask("GET", "/readyz");
        if (ready && ready->status == 200)
            add("ready", Verdict::ok, "It takes new work.");
        else
            add("ready", Verdict::fail, "It takes no new work: it starts, stops or cannot write.",
                "Wait a moment; then see its log.");
    }

    void check_status() {
        const auto answer = ask("GET", "/api/v1/status");
        const auto status = answer ? json::parse(answer->body) : Result<json::Value>(nullptr);
        if (!answer || answer->status != 200 || !status)
            return add("status", Verdict::fail, "It does not tell its status.", "See its log.");
        const std::string version = text_of(member(*status, "version"));
        if (version == subject_.version)
            add("version", Verdict::ok, "Server and command line are both " + version + ".");
        else
            add("version", Verdict::warn,
                "The server is " + version + ", this command line " + subject_.version + ".",
                "Install the same version on both sides and restart the server.");
        websocket_ = is_true(member(member(*status, "websocket"), "running"));
        check_indicator(*status);
    }

    void check_indicator(const json::Value& status) {
        std::size_t enabled = 0, working = 0;
        std::string wrong, advice;
        const auto count = [&](const char* name, const char* works, const char* what_to_do) {
            const json::Value& system = member(status, name);
            if (!is_true(member(system, "enabled"))) {
                wrong.append(" ").append(name).append(" is switched off.");
                return;
            }
            ++enabled;
            if (is_true(member(system, works))) {
                ++working;
                return;
            }
            wrong.append(" ").append(name).append(" does not work.");
            advice.append(advice.empty() ? "" : " ").append(what_to_do);
        };
        count("storage", "healthy", "See the server's log for the store; check its disk.");
        count("bus", "healthy", "Restart the server.");
        count("websocket", "running", "Check WS_SYNC_PORT and restart the server.");
        const std::string text = "The indicator is [📡 Sync] [" +
                                 std::string(working > 0 ? "✓ " : "✗ ") + std::to_string(working) +
                                 "/" + std::to_string(enabled) + " Sync].";
        if (working < enabled) return add("indicator", Verdict::fail, text + wrong, advice);
        if (enabled < 3)
            return add("indicator", Verdict::warn, text + wrong,
                       "If live sync is wanted: ENABLE_WEBSOCKET=true, and restart the server.");
        add("indicator", Verdict::ok, text + " Storage, bus and WebSocket all work.");
    }

    void check_round_trip() {
        const std::string path = "/api/v1/contexts/doctor";
        const std::string mark = random_.uuid4();
        const auto written = ask("PUT", path, R"({"data":{"mark":")" + mark + R"("}})");
        const auto read = ask("GET", path);
        const auto removed = ask("DELETE", path);
        const std::string advice = "See the server's log; its disk may be full.";
        if (!written || written->status / 100 != 2)
            return add("round-trip", Verdict::fail,
                       "A write was refused" +
                           (written ? " with status " + std::to_string(written->status)
                                    : ": " + written.error().detail) +
                           ".",
                       advice);
        if (!read || read->status != 200 || read->body.find(mark) == std::string::npos)
            return add("round-trip", Verdict::fail, "What was written could not be read back.",
                       advice);
        if (!removed || removed->status / 100 != 2)
            return add("round-trip", Verdict::warn, "The test's context could not be deleted.",
                       advice);
        add("round-trip", Verdict::ok, "A context was written, read back and deleted.");
    }

    // The next message of this type, within the time-out.
    Result<json::Value> next(net::WebSocketClient& socket, std::string_view type) {
        const auto deadline =
            std::chrono::steady_clock::now() + std::chrono::milliseconds(subject_.timeout_ms);
        for (;;) {
            const std::int64_t left = std::chrono::duration_cast<std::chrono::milliseconds>(
                                          deadline - std::chrono::steady_clock::now())
                                          .count();
            if (left <= 0) return fail(Errc::timed_out, "nothing came in time");
            const Result<std::string> text = socket.receive(left);
            if (!text) return text.error();
            Result<json::Value> message = json::parse(*text);
            if (message && text_of(member(*message, "type")) == type) return message;
        }
    }

    Status say(net::WebSocketClient& socket, const char* instance, const char* type,
               boost::json::object payload) {
        const boost::json::object message{{"id", random_.uuid4()},
                                          {"instanceId", instance},
                                          {"payload", std::move(payload)},
                                          {"timestamp", clock_.wall_ms()},
                                          {"type", type},
                                          {"userId", user_}};
        return socket.send(json::canonical(message));
    }

    void check_live() {
        const std::string advice =
            "If a proxy is in front, let it pass on \"Upgrade: websocket\" and name its host in "
            "ALLOWED_HOSTS; then see the server's log.";
        auto one = net::WebSocketClient::connect(subject_.url, "/sync", "", subject_.timeout_ms);
        if (!one)
            return add("websocket", Verdict::fail,
                       "The WebSocket does not open: " + one.error().detail + ".", advice);
        const auto welcome = next(*one, "connect");
        if (!welcome)
            return add("websocket", Verdict::fail,
                       "No connection message came: " + welcome.error().detail + ".", advice);
        add("websocket", Verdict::ok, "The WebSocket opens and greets with \"connect\".");

        auto two = net::WebSocketClient::connect(subject_.url, "/sync", "", subject_.timeout_ms);
        Status done = two ? Status(Done{}) : Status(two.error());
        if (done) done = say(*two, "doctor-2", "ping", {});
        if (done) {
            const auto pong = next(*two, "pong");
            if (!pong) done = pong.error();
        }
        if (done)
            done = say(*one, "doctor-1", "mode-update",
                       {{"currentMode", "didactic"}, {"previousMode", "inspired"}});
        if (done) {
            const auto seen = next(*two, "mode-update");
            if (!seen) done = seen.error();
        }
        if (done)
            add("mode-switch", Verdict::ok, "A mode switch of one client is seen by another.");
        else
            add("mode-switch", Verdict::fail,
                "A mode switch of one client did not reach another: " + done.error().detail + ".",
                "Check ENABLE_REAL_TIME_EVENTS; then see the server's log.");
        one->close();
        if (two) two->close();
    }

    const DoctorSubject& subject_;
    SystemRandom random_;
    SystemClock clock_;
    std::string user_;
    bool websocket_ = true;
    std::vector<Check> checks_;
};

}  // namespace

std::vector<Check> check_server(const DoctorSubject& subject) {
    return ServerChecks(subject).run();
}

}  // namespace dyad::ops
