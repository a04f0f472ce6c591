#include "server/rest/api.hpp"

#include "base/metrics.hpp"
#include "server/problem.hpp"
#include "server/rest/assets.hpp"
#include "server/rest/call.hpp"

namespace dyad::server::rest {
namespace {

constexpr std::string_view kPrefix = "/api/v1/";
constexpr std::string_view kErrors = "/errors/";

void plain(const CallPtr& call, int status, std::string text,
           std::string_view type = "text/plain; charset=utf-8") {
    net::Response response;
    response.status = status;
    response.content_type = type;
    response.body = std::move(text);
    call->respond(std::move(response));
}

bool storage_healthy(Node& node) {
    return node.store().health().healthy;
}

// Only "ok" or not: what is wrong stands in the status and in the log.
void health(const CallPtr& call, bool ready) {
    Node& node = call->node();
    const bool good = ready ? storage_healthy(node) && !node.draining() : storage_healthy(node);
    plain(call, good ? 200 : 503, good ? "ok\n" : "degraded\n");
}

bool asset(const CallPtr& call) {
    const Asset* found = find_asset(call->request().path);
    if (found == nullptr) return false;
    net::Response response;
    response.content_type = found->content_type;
    response.body = found->bytes;
    response.headers = {{"Cache-Control", "no-cache"},
                        {"ETag", found->tag},
                        {"Referrer-Policy", "no-referrer"},
                        {"Content-Security-Policy",
                         "default-src 'none'; script-src 'self'; style-src 'self'; "
                         "connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; "
                         "base-uri 'none'; form-action 'none'"}};
    call->respond(std::move(response));
    return true;
}

// What the `type` of a problem document leads to.
void error(const CallPtr& call, std::string_view name) {
    const std::optional<Errc> code = error_by_name(name);
    if (!code)
        return call->problem(
            fail(Errc::not_found, "there is no error of this name; docs/errors.md lists them"));
    plain(call, 200, explain(error_row(*code)));
}

using Handler = void (*)(const CallPtr&);
struct Route {
    std::string_view first;    // the first part of the path
    std::string_view allowed;  // methods, where the handler does not tell by itself
    Handler handler;
};
constexpr Route kRoutes[] = {
    {"status", "GET, HEAD", get_status},
    {"check", "GET", check},
    {"instances", "GET, HEAD", get_instances},
    {"modes", "", modes},
    {"transitions", "GET, HEAD", transitions},
    {"contexts", "", contexts},
    {"search", "GET, HEAD", search},
    {"conflicts", "", conflicts},
    {"events", "", events},
    {"responses", "", responses},
};

bool split(std::string_view raw, std::vector<std::string>& segments) {
    while (true) {
        const std::size_t slash = raw.find('/');
        auto part = net::percent_decode(raw.substr(0, slash));
        if (!part) return false;
        segments.push_back(*std::move(part));
        if (slash == std::string_view::npos) return true;
        raw.remove_prefix(slash + 1);
    }
}

// Some ids no path can carry: `.` and `..` are taken for steps by every URL parser, and a proxy may
// decode a slash. So what a path names can be named by the query: /context?contextKey=..
struct Singular {
    std::string_view first;
    std::string_view parameter;
    std::string_view plural;
};
constexpr Singular kSingulars[] = {{"context", "contextKey", "contexts"},
                                   {"mode", "instanceId", "modes"}};

// False: it is answered.
bool name_by_query(const CallPtr& call) {
    for (const Singular& entry : kSingulars) {
        if (entry.first != call->segments.front()) continue;
        const auto id = call->query(entry.parameter);
        if (!id) {
            call->problem(fail(Errc::missing_field,
                               std::string(entry.parameter) + ": is required in the query"));
            return false;
        }
        call->named_by_query = entry.parameter;
        call->segments.front() = entry.plural;
        call->segments.insert(call->segments.begin() + 1, *id);
    }
    return true;
}

void not_found(const CallPtr& call) {
    call->problem(fail(
        Errc::not_found,
        call->request().upgrade
            ? "WebSockets open at /sync and /; a proxy that serves this under a path must take "
              "the path off (nginx: location /memory/ { proxy_pass http://127.0.0.1:8765/; })"
            : "there is no such path; /api/v1/openapi.yaml lists them"));
}

void route(const CallPtr& call) {
    const net::Request& request = call->request();
    const bool reading = request.method == "GET" || request.method == "HEAD";
    // RFC 9110 sections 9.3.1, 9.3.2 and 9.3.5: it could not mean anything there.
    if ((reading || request.method == "DELETE") && !request.body.empty())
        return call->problem(
            fail(Errc::invalid_field, "body: " + request.method + " takes none" +
                                          (reading ? "; what it asks for stands in the query"
                                                   : "; an expectedVersion goes into the header: "
                                                     "If-Match: \"7\"")));
    std::string_view target = request.target;
    target = target.substr(0, target.find('?'));
    if (target == "*") return wrong_method(call, "GET, HEAD, PUT, POST, PATCH, DELETE");
    if (!target.starts_with(kPrefix)) {
        if (!reading) return wrong_method(call, "GET, HEAD");
        if (request.path == "/healthz") return health(call, false);
        if (request.path == "/readyz") return health(call, true);
        if (request.path == "/metrics")
            return plain(call, 200, metrics::render(), "text/plain; version=0.0.4");
        if (request.path.starts_with(kErrors))
            return error(call, std::string_view(request.path).substr(kErrors.size()));
        if (!asset(call)) not_found(call);
        return;
    }
    target.remove_prefix(kPrefix.size());
    if (target == "openapi.yaml" || target == "openapi.json") {
        if (!reading) return wrong_method(call, "GET, HEAD");
        if (!asset(call)) not_found(call);
        return;
    }
    if (!split(target, call->segments)) return not_found(call);
    if (!name_by_query(call)) return;
    for (const Route& entry : kRoutes) {
        if (entry.first != call->segments.front()) continue;
        if (!entry.allowed.empty() && !reading) return wrong_method(call, entry.allowed);
        if (!entry.allowed.empty() && call->segments.size() != 1) return not_found(call);
        return entry.handler(call);
    }
    not_found(call);
}

}  // namespace

void Api::handle(ExchangePtr exchange) {
    Result<CallPtr> call = Call::make(node_, exchange);
    if (call) {
        route(*call);
        return;
    }
    exchange->respond(problem_response(exchange->request(), call.error()));
}

}  // namespace dyad::server::rest
