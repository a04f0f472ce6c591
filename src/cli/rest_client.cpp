#include "cli/rest_client.hpp"

#include "cli/terminal.hpp"
#include "model/identity.hpp"
#include "net/http.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include <pwd.h>
#include <unistd.h>

namespace dyad::cli {
namespace {

constexpr std::int64_t kFirstPauseMs = 100;
constexpr std::int64_t kPauseMaxMs = 3000;
constexpr std::string_view kClientSettings[] = {"DYAD_URL", "DYAD_HOST", "WS_SYNC_PORT",
                                                "DISTRIBUTED_USER_ID"};

Exit exit_of(std::string_view code, int status) {
    if (code == "not_found" || code == "history_gone") return Exit::not_found;
    if (code == "version_conflict" || code == "patch_failed" || code == "operation_reused" ||
        code == "already_applied")
        return Exit::conflict;
    if (status == 404 || status == 410) return Exit::not_found;
    return Exit::failed;
}

// As the server says, or a proxy whose server is not there just now.
bool may_succeed_later(const Answer& answer) {
    const bool by_proxy = text_member(answer.value, "code").empty();
    if (by_proxy) return answer.status >= 502 && answer.status <= 504;
    return is_true(answer.value, "retry");
}

std::string advice_for(std::string_view code) {
    if (code == "version_conflict")
        return "Read the new version (context get), or write without looking at it (--force).";
    if (code == "forbidden_host" || code == "forbidden_origin")
        return "Use the server's own address in --url, or name this one in ALLOWED_HOSTS.";
    if (code == "storage_full") return "Free some space on the server's disk.";
    if (code == "internal" || code == "storage_damaged")
        return "See the server's log; dyad-memory doctor checks the rest.";
    return {};
}

// What is wrong with the settings that a client needs.
std::vector<std::string> problems_of_client(const Resolved& settings) {
    std::vector<std::string> out;
    for (const Problem& problem : settings.problems) {
        const bool concerns =
            problem.fatal && (problem.name.empty() ||
                              std::find(std::begin(kClientSettings), std::end(kClientSettings),
                                        problem.name) != std::end(kClientSettings));
        // A server's listening address says nothing against a client's use of it.
        if (concerns && problem.name != "DYAD_HOST") out.push_back(problem.text);
    }
    if (const Result<Url> url = Url::parse(settings.url()); out.empty() && !url)
        out.push_back("DYAD_HOST: " + url.error().detail);
    return out;
}

}  // namespace

Answer get_list(RestClient& client, const std::string& path, std::string_view name,
                std::int64_t limit) {
    boost::json::array items;
    std::int64_t before = 0;
    for (;;) {
        const std::int64_t left = limit - static_cast<std::int64_t>(items.size());
        std::string target = path + (path.find('?') == std::string::npos ? "?" : "&") + "limit=" +
                             std::to_string(std::min<std::int64_t>(left, limits::page_items_max));
        if (before > 0) target.append("&before=").append(std::to_string(before));
        Answer page = client.get(target);
        if (!page) return page;
        for (const json::Value& item : array_member(page.value, name))
            items.push_back(item);
        before = integer_member(page.value, "next");
        if (before > 0 && static_cast<std::int64_t>(items.size()) < limit) continue;
        if (page.value.is_object()) page.value.get_object()[name] = std::move(items);
        return page;
    }
}

std::string context_path(const std::string& key, const std::string& behind) {
    return "context" + behind + "?contextKey=" + net::percent_encode(key);
}

std::string mode_path(const std::string& instance) {
    return "mode?instanceId=" + net::percent_encode(instance);
}

std::string default_instance() {
    char host[256] = "host";
    if (gethostname(host, sizeof host - 1) != 0) std::snprintf(host, sizeof host, "host");
    const passwd* const user = getpwuid(getuid());
    std::string out = std::string("cli-") + host + "-" +
                      (user != nullptr ? user->pw_name : std::to_string(getuid()));
    return out.substr(0, static_cast<std::size_t>(limits::instance_id_bytes_max));
}

std::optional<RestClient> RestClient::open(const CommonOptions& common) {
    const Resolved settings = resolve(read_inputs(common.flags, common.env_file, true));
    if (!settings.note.empty() && !common.json) complain(settings.note);
    const std::vector<std::string> problems = problems_of_client(settings);
    for (const std::string& problem : problems)
        refuse_usage(common.json, problem);
    const Status instance = common.instance.empty()
                                ? Status(Done{})
                                : check_name("--instance", common.instance,
                                             limits::instance_id_bytes_max, NameRule::identity);
    if (!instance) refuse_usage(common.json, instance.error().detail);
    if (!problems.empty() || !instance) return std::nullopt;
    RestClient client = of(settings, common, common.timeout_s * 1000);
    client.for_reader_ = true;
    return client;
}

std::optional<RestClient> RestClient::open_quietly(const CommonOptions& common,
                                                   std::int64_t timeout_ms) {
    const Resolved settings = resolve(read_inputs(common.flags, common.env_file));
    if (!problems_of_client(settings).empty()) return std::nullopt;
    return of(settings, common, timeout_ms);
}

RestClient RestClient::of(const Resolved& settings, const CommonOptions& common,
                          std::int64_t timeout_ms) {
    std::optional<std::string> user;
    if (settings.at("DISTRIBUTED_USER_ID").given) user = settings.user_id();
    return RestClient(*Url::parse(settings.url()), std::move(user),
                      common.instance.empty() ? default_instance() : common.instance, timeout_ms);
}

RestClient::RestClient(Url url, std::optional<std::string> user, std::string instance,
                       std::int64_t timeout_ms)
    : url_(std::move(url)),
      user_(std::move(user)),
      instance_(std::move(instance)),
      timeout_ms_(timeout_ms) {}

Headers RestClient::identity() const {
    Headers headers{{"Dyad-Instance", instance_}};
    if (user_) headers.emplace_back("Dyad-User", *user_);
    return headers;
}

Failure RestClient::unreachable(const Error& error) const {
    Failure failure;
    failure.exit = Exit::unreachable;
    failure.message = error.detail;
    if (error.code == Errc::timed_out)
        failure.message.append(". Give it longer with --timeout SECONDS.");
    else if (error.code == Errc::unavailable)
        failure.message.append(
            ". Start the server with \"dyad-memory serve\", or say where it is with --url or "
            "DYAD_URL.");
    return failure;
}

Answer RestClient::get(const std::string& path) {
    ClientRequest request;
    request.target = "/api/v1/" + path;
    request.headers = identity();
    request.for_reader = for_reader_;
    return send_to_ours(std::move(request), true);
}

Answer RestClient::get_plain(const std::string& target) {
    ClientRequest request;
    request.target = target;
    return send_to_ours(std::move(request), false);
}

Answer RestClient::write(const std::string& method, const std::string& path,
                         const std::string& body, Headers headers) {
    ClientRequest request;
    request.method = method;
    request.target = "/api/v1/" + path;
    request.headers = identity();
    request.headers.emplace_back("Idempotency-Key", random_.uuid4());
    bool typed = false;
    for (auto& header : headers) {
        typed = typed || header.first == "Content-Type";
        request.headers.push_back(std::move(header));
    }
    if (!typed) request.headers.emplace_back("Content-Type", "application/json");
    request.body = body;
    Answer answer = send_to_ours(std::move(request), true);
    // Every write is answered with the place in the log where it stands.
    if (answer && text_member(answer.value, "position").empty()) answer.failure = foreign(answer);
    return answer;
}

Answer RestClient::meet(bool for_reader) {
    if (met_) return {};
    ClientRequest request;
    request.target = "/api/v1/status";
    request.for_reader = for_reader;
    Answer answer = send(std::move(request), true);
    if (!answer) return answer;
    const json::Value& status = answer.value;
    met_ =
        text_member(status, "product") == "dyad-memory" ||
        (member(status, "isFullyOperational").is_bool() && member(status, "storage").is_object());
    if (!met_) answer.failure = foreign(answer);
    return answer;
}

Answer RestClient::send_to_ours(ClientRequest request, bool read_json) {
    Answer answer = meet(request.for_reader);
    return answer ? send(std::move(request), read_json) : answer;
}

Answer RestClient::stream(const std::string& path, std::string_view content_type,
                          const std::function<bool(std::string_view)>& on_body) {
    constexpr std::int64_t kSilenceMs = 30'000;
    Answer answer = meet(for_reader_);
    if (!answer) return answer;
    ClientRequest request;
    request.target = "/api/v1/" + path;
    request.headers = identity();
    request.timeout_ms = timeout_ms_;
    Result<ClientResponse> response = http_stream(url_, request, content_type, kSilenceMs, on_body);
    answer = {};
    if (!response) {
        answer.failure = unreachable(response.error());
        return answer;
    }
    answer.status = response->status;
    answer.headers = std::move(response->headers);
    answer.body = std::move(response->body);
    if (answer.status != 200) read_answer(answer);
    return answer;
}

Answer RestClient::send(ClientRequest request, bool read_json) {
    const std::int64_t deadline = clock_.steady_ms() + timeout_ms_;
    Answer answer;
    for (std::int64_t pause = kFirstPauseMs;; pause = std::min(2 * pause, kPauseMaxMs)) {
        request.timeout_ms = std::max<std::int64_t>(1, deadline - clock_.steady_ms());
        Result<ClientResponse> response = http_request(url_, request);
        answer = {};
        bool again = true;
        if (response) {
            answer.status = response->status;
            answer.headers = std::move(response->headers);
            answer.body = std::move(response->body);
            if (read_json)
                read_answer(answer);
            else if (answer.status >= 400)
                answer.failure = Failure{Exit::failed, "", answer.body, nullptr};
            reached_ = true;
            again = answer.failure && may_succeed_later(answer);
        } else {
            const Errc code = response.error().code;
            reached_ = reached_ || code == Errc::outcome_unknown;
            answer.failure = unreachable(response.error());
            // Where no server is, nobody should wait for it: only one that was there is waited for.
            again = code == Errc::outcome_unknown || (code == Errc::unavailable && reached_);
        }
        // Half of the pause at random, so that many clients do not come back at once.
        const std::int64_t wait =
            pause / 2 +
            static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(pause / 2) + 1));
        if (!again || clock_.steady_ms() + wait >= deadline) return answer;
        std::this_thread::sleep_for(std::chrono::milliseconds(wait));
    }
}

Failure RestClient::foreign(const Answer& answer) const {
    Failure failure;
    failure.code = error_row(Errc::unavailable).name;
    failure.message = "what answers at " + url_.text() + " is not dyad-memory";
    for (const auto& [name, value] : answer.headers)
        if (name == "server") failure.message += ", but " + value;
    for (const auto& [name, value] : answer.headers)
        if (name == "location" && answer.status / 100 == 3) {
            failure.message = url_.text() + " redirects to " + value;
            break;
        }
    failure.message.append(" (status ").append(std::to_string(answer.status));
    failure.message.append("). Give the server's own address in --url or DYAD_URL.");
    return failure;
}

void RestClient::read_answer(Answer& answer) const {
    if (Result<json::Value> value = parse_large(answer.body)) answer.value = *std::move(value);
    const bool good = answer.status / 100 == 2;
    if (good && answer.value.is_object()) return;
    Failure failure;
    failure.code = text_member(answer.value, "code");
    if (good || failure.code.empty()) {
        answer.failure = foreign(answer);
        return;
    }
    failure.exit = exit_of(failure.code, answer.status);
    failure.message = text_member(answer.value, "detail");
    if (failure.message.empty())
        failure.message = "the server answered with status " + std::to_string(answer.status);
    if (const std::string advice = advice_for(failure.code); !advice.empty())
        failure.message.append(failure.message.ends_with('.') ? " " : ". ").append(advice);
    failure.problem = answer.value;
    answer.failure = std::move(failure);
}

int refuse_usage(bool json, const std::string& message) {
    if (json)
        complain(json::canonical(boost::json::object{{"code", error_row(Errc::invalid_field).name},
                                                     {"detail", message}}));
    else
        complain("dyad-memory: " + printable(message));
    return static_cast<int>(Exit::usage);
}

int report(const CommonOptions& common, const Failure& failure) {
    if (!common.json) {
        complain(paint(Colour::plain, "dyad-memory: ") + printable(failure.message));
    } else if (failure.problem.is_object()) {
        complain(json::canonical(failure.problem));
    } else {
        boost::json::object problem{
            {"code", failure.exit == Exit::unreachable ? "unreachable" : failure.code},
            {"detail", failure.message}};
        complain(json::canonical(problem));
    }
    return static_cast<int>(failure.exit);
}

void print_json(const json::Value& value) {
    print_line(json::canonical(value));
}

const json::Value& member(const json::Value& value, std::string_view name) {
    static const json::Value kNull;
    const auto* const object = value.if_object();
    const auto* const found = object != nullptr ? object->if_contains(name) : nullptr;
    return found != nullptr ? *found : kNull;
}

std::string text_member(const json::Value& value, std::string_view name) {
    const auto* const text = member(value, name).if_string();
    return text != nullptr ? std::string(text->data(), text->size()) : std::string();
}

std::int64_t integer_member(const json::Value& value, std::string_view name) {
    const json::Value& found = member(value, name);
    if (found.is_int64()) return found.get_int64();
    if (found.is_uint64()) return static_cast<std::int64_t>(found.get_uint64());
    return found.is_double() ? static_cast<std::int64_t>(found.get_double()) : 0;
}

bool is_true(const json::Value& value, std::string_view name) {
    const json::Value& found = member(value, name);
    return found.is_bool() && found.get_bool();
}

const boost::json::array& array_member(const json::Value& value, std::string_view name) {
    static const boost::json::array kEmpty;
    const auto* const found = member(value, name).if_array();
    return found != nullptr ? *found : kEmpty;
}

Result<json::Value> parse_large(std::string_view text) {
    json::ParseLimits large;
    large.depth_max = static_cast<std::size_t>(limits::json_depth_max) + 16;
    large.members_max = 50'000'000;
    large.key_bytes_max = 4096;
    return json::parse(text, large);
}

}  // namespace dyad::cli
