#include "server/problem.hpp"

#include "model/change.hpp"
#include "model/json_text.hpp"
#include "net/http_fields.hpp"

#include <algorithm>

namespace dyad::server {

namespace {

// From a request's path to the root that this server is seen at (RFC 3986 section 5.2).
std::string way_to_root(std::string_view target) {
    const std::string_view path = target.substr(0, target.find('?'));
    std::string out;
    for (auto left = std::count(path.begin(), path.end(), '/'); left > 1; --left)
        out += "../";
    return out;
}

void add_where_absent(net::Headers& headers, const char* name, const char* value) {
    if (net::count_of(headers, name) == 0) headers.emplace_back(name, value);
}

void write_problem(net::Response& response, const Error& error, std::string_view target,
                   const Stored& stored) {
    const ErrorRow& row = error_row(error.code);
    json::Writer out(response.body, 512);
    out.object([&] {
        if (stored.claim != nullptr) out.member("claim", *stored.claim);
        out.member("code", row.name);
        if (stored.current != nullptr) out.member("current", *stored.current);
        out.members("detail", error.detail.empty() ? row.message : error.detail, "retry", row.retry,
                    "status", response.status, "title", row.message, "type",
                    way_to_root(target).append("errors/").append(row.name));
    });
}

}  // namespace

net::Response problem(const Error& error, std::string_view target, int status,
                      const Stored& stored) {
    const ErrorRow& row = error_row(error.code);
    net::Response response;
    response.status = status != 0 ? status : row.http_status;
    response.content_type = "application/problem+json";
    if (row.retry) response.headers.emplace_back("Retry-After", "1");
    protect(response.headers);
    write_problem(response, error, target, stored);
    return response;
}

void protect(net::Headers& headers) {
    add_where_absent(headers, "Cache-Control", "no-store");
    add_where_absent(headers, "Content-Security-Policy",
                     "default-src 'none'; frame-ancestors 'none'");
}

std::string explain(const ErrorRow& row) {
    std::string out(row.name);
    out.append("\n\n").append(row.message).append("\n\n");
    out.append(row.retry ? "The same request can succeed later. Send it again with the same "
                           "Idempotency-Key or\nmessage id: it is applied once.\n"
                         : "The same request will fail again. The `detail` that came with it says "
                           "what is wrong\nand what to do.\n");
    out.append("\nHTTP status ").append(std::to_string(row.http_status));
    out.append("; WebSocket close code ").append(std::to_string(row.close_code));
    out.append(", where it ends the connection;\nMCP code ").append(std::to_string(row.mcp_code));
    return out.append(".\n");
}

}  // namespace dyad::server
