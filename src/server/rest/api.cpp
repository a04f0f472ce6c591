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
                        {"Referrer-Policy", "no-referrer"},
                        {"Content-Security-Policy",
                         "default-src 'none'; script-src 'self'; style-src 'self'; "
                         "connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; "
                         "base-uri 'none'; form-action 'none'"}};
    call->exchange().respond(std::move(response));
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

void not_found(const CallPtr& call) {
    call->problem(fail(Errc::not_found, "there is no such path; /api/v1/openapi.yaml lists them"));
}

void route(const CallPtr& call) {
    const net::Request& request = call->request();
    const bool reading = request.method == "GET" || request.method == "HEAD";
    std::string_view target = request.target;
    target = target.substr(0, target.find('?'));
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
    exchange->respond(problem_response(call.error()));
}

}  // namespace dyad::server::rest
