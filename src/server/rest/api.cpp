#include "server/rest/api.hpp"

#include "base/metrics.hpp"
#include "model/identity.hpp"
#include "server/problem.hpp"
#include "server/rest/assets.hpp"
#include "server/rest/call.hpp"

#include <algorithm>
#include <iterator>

namespace dyad::server::rest {
namespace {

constexpr std::string_view kPrefix = "/api/v1/";
constexpr std::string_view kErrors = "/errors/";

void plain(Call& call, int status, std::string text,
           std::string_view type = "text/plain; charset=utf-8") {
    net::Response response;
    response.status = status;
    response.content_type = type;
    response.body = std::move(text);
    call.respond(std::move(response));
}

// Only "ok" or not: what is wrong stands in the status and in the log. Who lives (`ready` false)
// needs no new start: where MongoDB is down there is nothing that one would mend.
void health(Call& call, bool ready) {
    Node& node = call.node();
    const StoreHealth storage = node.store().health();
    const bool good = ready ? (storage.healthy || storage.partial) && !node.draining()
                            : storage.connected || node.settings().enable_mongodb;
    plain(call, good ? 200 : 503, good ? "ok\n" : "degraded\n");
}

bool asset(Call& call) {
    const Asset* found = find_asset(call.request().path);
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
    call.respond(std::move(response));
    return true;
}

// What the `type` of a problem document leads to.
void error(Call& call, std::string_view name) {
    const std::optional<Errc> code = error_by_name(name);
    if (!code)
        return call.problem(
            fail(Errc::not_found, "there is no error of this name; docs/errors.md lists them"));
    plain(call, 200, explain(error_row(*code)));
}

// 405 with what is allowed, or what OPTIONS asked for: just that.
void wrong_method(Call& call, std::string_view allowed) {
    net::Response response;
    response.status = 204;
    if (call.request().method != "OPTIONS")
        response = problem(
            fail(Errc::method_not_allowed, "this path takes " + std::string(allowed) + " only"),
            call.request().target);
    response.headers.emplace_back("Allow", std::string(allowed) + ", OPTIONS");
    if (allowed.find("PATCH") != std::string_view::npos)
        response.headers.emplace_back("Accept-Patch", kPatchTypes);
    call.respond(std::move(response));
}

struct Route {
    std::string_view path;  // of one resource all rows stand together; {name}: any part
    std::string_view methods;
    std::string_view query;  // the parameters that it takes; `*`: the handler checks them
    void (*handler)(Call&);
};
constexpr std::string_view kReading = "GET, HEAD";
constexpr Route kRoutes[] = {
    {"status", kReading, "", get_status},
    {"check", kReading, "", check},
    {"copy", "POST", "", copy},
    {"instances", kReading, "fresh", list_instances},
    {"modes", kReading, "fresh", list_modes},
    {"modes/{instanceId}", kReading, "fresh", read_mode},
    {"modes/{instanceId}", "PUT", "*", set_mode},
    {"transitions", kReading, "instance before limit", list_transitions},
    {"contexts", kReading, "type tag prefix mode updatedSince limit cursor fresh", list_contexts},
    {"contexts/{contextKey}", kReading, "fresh", read_context},
    {"contexts/{contextKey}", "PUT", "*", put_context},
    {"contexts/{contextKey}", "PATCH", "*", patch_context},
    {"contexts/{contextKey}", "DELETE", "*", delete_context},
    {"contexts/{contextKey}/history", kReading, "before limit", list_history},
    {"contexts/{contextKey}/history/{version}", kReading, "", read_version},
    {"contexts/{contextKey}/restore", "POST", "*", restore_context},
    {"search", kReading, "q limit", search},
    {"conflicts", kReading, "context fresh", list_conflicts},
    {"conflicts/{id}/resolve", "POST", "*", resolve_conflict},
    {"claims", kReading, "prefix fresh", list_claims},
    {"claims", "POST", "*", acquire_claim},
    {"claims", "DELETE", "*", release_claim},
    {"events", kReading, "*", events},
    {"events/mcp", "POST", "*", announce_mcp},
    {"events/stream", kReading, "*", events},
    {"events/{offset}", kReading, "", prove_event},
    {"responses", kReading, "chat message provider before limit", list_responses},
    {"responses", "POST", "*", record_response},
};

bool matches(std::string_view pattern, const std::vector<std::string>& segments) {
    for (std::size_t i = 0; i < segments.size(); ++i) {
        const std::size_t slash = pattern.find('/');
        const std::string_view part = pattern.substr(0, slash);
        if (!part.starts_with('{') && part != segments[i]) return false;
        if (slash == std::string_view::npos) return i + 1 == segments.size();
        pattern.remove_prefix(slash + 1);
    }
    return false;
}

Status check_name_in_path(const std::vector<std::string>& segments) {
    if (segments.size() < 2) return Done{};
    if (segments.front() == "contexts")
        return check_name("contextKey", segments[1], limits::context_key_bytes_max,
                          NameRule::label);
    if (segments.front() == "modes")
        return check_name("instanceId", segments[1], limits::instance_id_bytes_max,
                          NameRule::label);
    return Done{};
}

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
bool name_by_query(Call& call) {
    for (const Singular& entry : kSingulars) {
        if (entry.first != call.segments.front()) continue;
        const auto id = call.query(entry.parameter);
        if (!id) {
            call.problem(fail(Errc::missing_field,
                              std::string(entry.parameter) + ": is required in the query"));
            return false;
        }
        call.named_by_query = entry.parameter;
        call.segments.front() = entry.plural;
        call.segments.insert(call.segments.begin() + 1, *id);
    }
    return true;
}

void not_found(Call& call) {
    const std::string_view first = call.segments.empty() ? "" : std::string_view(call.segments[0]);
    if (first == "contexts")
        return call.problem(
            fail(Errc::not_found,
                 "a context has /history and /restore; write a / inside a key as %2F, or name "
                 "the key in the query: /api/v1/context?contextKey=a%2Fb"));
    if (first == "conflicts")
        return call.problem(fail(Errc::not_found, "POST /conflicts/{id}/resolve resolves one"));
    call.problem(fail(
        Errc::not_found,
        call.request().upgrade
            ? "WebSockets open at /sync and /; a proxy that serves this under a path must take "
              "the path off (nginx: location /memory/ { proxy_pass http://127.0.0.1:8765/; })"
            : "there is no such path; /api/v1/openapi.yaml lists them"));
}

// Hands a call below /api/v1 over.
void dispatch(Call& call) {
    const auto takes = [&call](const Route& row) { return matches(row.path, call.segments); };
    const auto* row = std::find_if(std::begin(kRoutes), std::end(kRoutes), takes);
    if (const Status good = check_name_in_path(call.segments); !good)
        return call.problem(good.error());
    if (row == std::end(kRoutes)) return not_found(call);
    std::string allowed;
    for (const std::string_view path = row->path; row != std::end(kRoutes) && row->path == path;
         ++row) {
        allowed.append(allowed.empty() ? "" : ", ").append(row->methods);
        const auto& method = call.request().method;
        if (row->methods != method && !(row->methods == kReading && call.reading())) continue;
        if (row->query != "*")
            if (const Status known = call.check_query(row->query); !known)
                return call.problem(known.error());
        return row->handler(call);
    }
    wrong_method(call, allowed);
}

void route(Call& call) {
    const net::Request& request = call.request();
    const bool reading = call.reading();
    // RFC 9110 sections 9.3.1, 9.3.2 and 9.3.5: it could not mean anything there.
    if ((reading || request.method == "DELETE") && !request.body.empty())
        return call.problem(
            fail(Errc::invalid_field, "body: " + request.method + " takes none" +
                                          (reading ? "; what it asks for stands in the query"
                                                   : "; an expectedVersion goes into the header: "
                                                     "If-Match: \"7\"")));
    std::string_view target = request.target;
    target = target.substr(0, target.find('?'));
    if (target == "*") return wrong_method(call, "GET, HEAD, PUT, POST, PATCH, DELETE");
    if (!target.starts_with(kPrefix) || find_asset(target) != nullptr) {
        if (!reading) return wrong_method(call, kReading);
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
    if (!split(target, call.segments)) return not_found(call);
    if (!name_by_query(call)) return;
    dispatch(call);
}

}  // namespace

void Api::handle(ExchangePtr exchange) {
    Result<CallPtr> call = Call::make(node_, exchange);
    if (call) return route(**call);
    exchange->respond(problem(call.error(), exchange->request().target));
}

}  // namespace dyad::server::rest
