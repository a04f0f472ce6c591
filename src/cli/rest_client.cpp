#include "cli/rest_client.hpp"

#include "cli/terminal.hpp"
#include "model/identity.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include <pwd.h>
#include <unistd.h>

namespace dyad::cli {
namespace {

constexpr std::int64_t kFirstPauseMs = 100;
constexpr std::int64_t kPauseMaxMs = 3000;
// Not DYAD_HOST: where a server listens says nothing against a client's use of it.
constexpr std::string_view kClientSettings[] = {"DYAD_URL", "WS_SYNC_PORT", "DISTRIBUTED_USER_ID"};

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
    const bool by_proxy = text_at(answer.value, "code").empty();
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
    for (const Problem& problem : settings.problems)
        if (problem.fatal && (problem.name.empty() ||
                              std::find(std::begin(kClientSettings), std::end(kClientSettings),
                                        problem.name) != std::end(kClientSettings)))
            out.push_back(problem.text);
    if (const Result<Url> url = Url::parse(settings.url()); out.empty() && !url)
        out.push_back("DYAD_HOST: " + url.error().detail);
    return out;
}

// "cli-<host>-<user>".
std::string default_instance() {
    char host[256] = "host";
    if (gethostname(host, sizeof host - 1) != 0) std::snprintf(host, sizeof host, "host");
    const passwd* const user = getpwuid(getuid());
    std::string out = std::string("cli-") + host + "-" +
                      (user != nullptr ? user->pw_name : std::to_string(getuid()));
    return out.substr(0, static_cast<std::size_t>(limits::instance_id_bytes_max));
}

}  // namespace

std::optional<Resolved> client_settings(const CommonOptions& common) {
    Resolved settings = resolve(read_inputs(common.flags, common.env_file, true));
    if (!settings.note.empty() && !common.json) complain(settings.note);
    std::vector<std::string> problems = problems_of_client(settings);
    if (!common.instance.empty())
        if (const Status good = check_name("--instance", common.instance,
                                           limits::instance_id_bytes_max, NameRule::identity);
            !good)
            problems.push_back(good.error().detail);
    for (const std::string& problem : problems)
        refuse_usage(common, problem);
    if (!problems.empty()) return std::nullopt;
    return settings;
}

std::optional<RestClient> RestClient::open(const CommonOptions& common) {
    const std::optional<Resolved> settings = client_settings(common);
    if (!settings) return std::nullopt;
    RestClient client(*settings, common);
    client.for_reader_ = true;
    return client;
}

std::optional<RestClient> RestClient::open_quietly(const CommonOptions& common) {
    const Resolved settings = resolve(read_inputs(common.flags, common.env_file));
    if (!problems_of_client(settings).empty()) return std::nullopt;
    return RestClient(settings, common);
}

RestClient::RestClient(const Resolved& settings, const CommonOptions& common)
    : common_(common), url_(*Url::parse(settings.url())) {
    if (settings.at("DISTRIBUTED_USER_ID").given) user_ = settings.user_id();
    if (common_.instance.empty()) common_.instance = default_instance();
}

RestClient RestClient::as(std::string user, std::string instance) const {
    RestClient out = *this;
    out.user_ = std::move(user);
    out.common_.instance = std::move(instance);
    out.for_reader_ = false;
    out.random_ = SystemRandom();  // what is random once must not be so twice
    return out;
}

ClientRequest RestClient::request_below(const std::string& path) const {
    ClientRequest request;
    request.target = "/api/v1/" + path;
    request.headers = {{"Dyad-Instance", instance()}};
    if (user_) request.headers.emplace_back("Dyad-User", *user_);
    return request;
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
    ClientRequest request = request_below(path);
    request.for_reader = for_reader_;
    return send_to_ours(std::move(request), true);
}

Answer RestClient::get_list(const std::string& path, std::string_view name, std::int64_t limit,
                            std::string_view place) {
    boost::json::array items;
    for (std::string next;;) {
        const std::int64_t left = limit - static_cast<std::int64_t>(items.size());
        Answer page = get(with_query(
            path, {{"limit", std::to_string(std::min<std::int64_t>(left, limits::page_items_max))},
                   {place, next}}));
        if (!page) return page;
        for (const json::Value& item : list_at(page.value, name))
            items.push_back(item);
        const json::Value& more = at(page.value, "next");
        next = more.is_number() ? json::canonical(more) : text_at(more, "");
        if (!next.empty() && static_cast<std::int64_t>(items.size()) < limit) continue;
        page.value.get_object()[name] = std::move(items);
        return page;
    }
}

Answer RestClient::get_plain(const std::string& target) {
    ClientRequest request;
    request.target = target;
    return send_to_ours(std::move(request), false);
}

Answer RestClient::post(const std::string& target, const std::string& body, Headers headers) {
    ClientRequest request;
    request.method = "POST";
    request.target = target;
    request.headers = std::move(headers);
    request.headers.emplace_back("Content-Type", "application/json");
    if (user_) request.headers.emplace_back("Dyad-User", *user_);
    request.body = body;
    return send_to_ours(std::move(request), true);
}

Answer RestClient::write(const std::string& method, const std::string& path,
                         const std::string& body, Headers headers) {
    ClientRequest request = request_below(path);
    request.method = method;
    const auto has = [&headers](std::string_view name) {
        return std::any_of(headers.begin(), headers.end(),
                           [name](const auto& header) { return header.first == name; });
    };
    if (!has("Idempotency-Key")) headers.emplace_back("Idempotency-Key", random_.uuid4());
    if (!has("Content-Type")) headers.emplace_back("Content-Type", "application/json");
    request.headers.insert(request.headers.end(), headers.begin(), headers.end());
    request.body = body;
    Answer answer = send_to_ours(std::move(request), true);
    // Every write is answered with the place in the log where it stands.
    if (answer && text_at(answer.value, "position").empty()) answer.failure = foreign(answer);
    return answer;
}

Answer RestClient::meet(bool for_reader) {
    if (met_) return {};
    ClientRequest request;
    request.target = "/api/v1/status";
    request.for_reader = for_reader;
    Answer answer = send(std::move(request), true);
    // Where this product answers there is a status: the address is not its own, and nothing was
    // said of what the command asks for.
    if (!answer && answer.failure->exit == Exit::not_found) answer.failure = foreign(answer);
    if (!answer) return answer;
    met_ = text_at(answer.value, "product") == "dyad-memory" ||
           (at(answer.value, "isFullyOperational").is_bool() &&
            at(answer.value, "storage").is_object());
    if (!met_) answer.failure = foreign(answer);
    return answer;
}

Answer RestClient::send_to_ours(ClientRequest request, bool read_json) {
    Answer answer = meet(request.for_reader);
    return answer ? send(std::move(request), read_json) : answer;
}

Answer RestClient::stream(ClientRequest request) {
    if (Answer met = meet(for_reader_); !met) return met;
    ClientRequest whole = request_below(request.target);
    request.target = whole.target;
    request.headers.insert(request.headers.end(), whole.headers.begin(), whole.headers.end());
    request.timeout_ms = timeout_ms();
    Answer answer;
    Result<ClientResponse> response = http_request(url_, request);
    if (!response) {
        answer.failure = unreachable(response.error());
        return answer;
    }
    static_cast<ClientResponse&>(answer) = *std::move(response);
    if (!answer.streamed) read(answer);
    return answer;
}

Answer RestClient::send(ClientRequest request, bool read_json) {
    const std::int64_t deadline = clock_.steady_ms() + timeout_ms();
    Answer answer;
    for (std::int64_t pause = kFirstPauseMs;; pause = std::min(2 * pause, kPauseMaxMs)) {
        request.timeout_ms = std::max<std::int64_t>(1, deadline - clock_.steady_ms());
        Result<ClientResponse> response = http_request(url_, request);
        answer = {};
        bool again = true;
        if (response) {
            static_cast<ClientResponse&>(answer) = *std::move(response);
            if (read_json)
                read(answer);
            else if (answer.status >= 400)
                answer.failure = Failure{.message = answer.body};
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
    if (const auto server = answer.header("server"))
        failure.message.append(", but ").append(*server);
    if (const auto location = answer.header("location"); location && answer.status / 100 == 3)
        failure.message = url_.text() + " redirects to " + std::string(*location);
    failure.message.append(" (status ").append(std::to_string(answer.status));
    failure.message.append("). Give the server's own address in --url or DYAD_URL.");
    return failure;
}

void RestClient::read(Answer& answer) const {
    if (Result<json::Value> value = parse_large(answer.body)) answer.value = *std::move(value);
    const bool good = answer.status / 100 == 2;
    if (good && answer.value.is_object()) return;
    Failure failure;
    failure.code = text_at(answer.value, "code");
    if (good || failure.code.empty()) {
        answer.failure = foreign(answer);
        return;
    }
    failure.exit = exit_of(failure.code, answer.status);
    failure.message = text_at(answer.value, "detail");
    if (failure.message.empty())
        failure.message = "the server answered with status " + std::to_string(answer.status);
    if (const std::string advice = advice_for(failure.code); !advice.empty())
        failure.message.append(failure.message.ends_with('.') ? " " : ". ").append(advice);
    failure.problem = answer.value;
    answer.failure = std::move(failure);
}

Exit RestClient::show(const Answer& answer,
                      const std::function<void(const json::Value&)>& people) const {
    if (!answer) return report(*answer.failure);
    json() ? print_json(answer.value) : people(answer.value);
    return Exit::ok;
}

Exit RestClient::report(const Failure& failure) const {
    return cli::report(common_, failure);
}

std::string with_query(std::string path,
                       const std::vector<std::pair<std::string_view, std::string>>& query) {
    for (const auto& [name, value] : query)
        if (!value.empty())
            path.append(path.find('?') == std::string::npos ? "?" : "&")
                .append(name)
                .append("=")
                .append(net::percent_encode(value));
    return path;
}

std::string context_path(const std::string& key, const std::string& behind) {
    return "context" + behind + "?contextKey=" + net::percent_encode(key);
}

std::string mode_path(const std::string& instance) {
    return "mode?instanceId=" + net::percent_encode(instance);
}

Exit refuse_usage(const CommonOptions& common, const std::string& message) {
    return report(common, {.exit = Exit::usage,
                           .code = std::string(error_row(Errc::invalid_field).name),
                           .message = message});
}

Exit report(const CommonOptions& common, const Failure& failure) {
    if (!common.json)
        complain("dyad-memory: " + printable(failure.message));
    else if (failure.problem.is_object())
        complain(json::canonical(failure.problem));
    else
        complain(json::canonical(boost::json::object{
            {"code", failure.exit == Exit::unreachable ? "unreachable" : failure.code},
            {"detail", failure.message}}));
    return failure.exit;
}

}  // namespace dyad::cli
