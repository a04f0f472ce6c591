#include "server/cors.hpp"

#include "net/http_fields.hpp"

#include <algorithm>

namespace dyad::server {
namespace {

constexpr std::string_view kMethods = "GET, HEAD, PUT, POST, PATCH, DELETE, OPTIONS";
constexpr std::string_view kRead =
    "Accept, Content-Type, Content-Encoding, Dyad-User, Dyad-Instance, Idempotency-Key, If-Match, "
    "If-None-Match, Last-Event-ID, Cache-Control";
// Beside those that every page may read anyway.
constexpr std::string_view kSent =
    "ETag, Link, Location, Retry-After, Allow, Accept-Patch, Accept-Encoding, "
    "Idempotency-Replayed, Date, Vary";
constexpr std::string_view kSeconds = "7200";

// Whatever else the page wants to send, such as what its tracing adds, is passed over here as it is
// where no browser is in between.
std::string allowed_headers(const net::Headers& headers) {
    std::string out(kRead);
    const net::Headers known{{"", out}};
    for (const std::string_view name : net::list_of(headers, "access-control-request-headers"))
        if (net::is_token(name) && !net::list_has(known, "", name)) out.append(", ").append(name);
    return out;
}

}  // namespace

bool is_preflight(const net::Request& request) {
    return request.method == "OPTIONS" && request.header("origin") &&
           request.header("access-control-request-method");
}

net::Response preflight_answer(const net::Request& request) {
    net::Response response;
    response.status = 204;
    response.headers = {{"Access-Control-Allow-Methods", std::string(kMethods)},
                        {"Access-Control-Allow-Headers", allowed_headers(request.headers)},
                        {"Access-Control-Max-Age", std::string(kSeconds)},
                        {"Vary",
                         "Access-Control-Request-Method, Access-Control-Request-Headers, "
                         "Access-Control-Request-Private-Network"}};
    if (request.header("access-control-request-private-network") == "true")
        response.headers.emplace_back("Access-Control-Allow-Private-Network", "true");
    return response;
}

void vary_on(net::Headers& headers, std::string_view name) {
    const auto at = std::find_if(headers.begin(), headers.end(),
                                 [](const auto& header) { return header.first == "Vary"; });
    if (at == headers.end())
        headers.emplace_back("Vary", name);
    else if (!net::list_has(headers, "Vary", name))
        at->second.append(", ").append(name);
}

void share_with(net::Headers& headers, std::string_view origin) {
    headers.emplace_back("Access-Control-Allow-Origin", origin);
    headers.emplace_back("Access-Control-Expose-Headers", kSent);
}

}  // namespace dyad::server
