#include "server/handshake.hpp"

#include "net/http_fields.hpp"
#include "net/websocket.hpp"
#include "server/problem.hpp"

#include <algorithm>

namespace dyad::server {
namespace {

constexpr std::string_view kKey = "sec-websocket-key";
constexpr std::string_view kVersion = "sec-websocket-version";

std::string quoted(std::string_view value) {
    return "\"" + std::string(value.substr(0, 64)) + "\"";
}

// What only the next hop reads, and a proxy has to be told to pass on.
std::string faults_of_hop(const net::Request& request) {
    std::string out;
    if (request.version != 11) out += "; it came as HTTP/1.0, where HTTP/1.1 is needed";
    const auto upgrade = request.header("upgrade");
    if (!upgrade)
        out += "; the header Upgrade: websocket is missing";
    else if (!net::list_has(request.headers, "upgrade", "websocket"))
        out += "; Upgrade must be websocket, and is " + quoted(*upgrade);
    const auto connection = request.header("connection");
    if (!connection)
        out += "; the header Connection: Upgrade is missing";
    else if (!net::list_has(request.headers, "connection", "upgrade"))
        out += "; Connection must hold Upgrade, and is " + quoted(*connection);
    return out;
}

std::string faults_of_version(const net::Request& request) {
    const auto version = request.header(kVersion);
    if (!version) return "; the header Sec-WebSocket-Version: 13 is missing";
    if (net::count_of(request.headers, kVersion) > 1)
        return "; Sec-WebSocket-Version stands twice; send it once";
    if (*version != "13") return "; Sec-WebSocket-Version must be 13, and is " + quoted(*version);
    return {};
}

std::string faults_of_key(const net::Request& request, std::string& accept) {
    const auto key = request.header(kKey);
    if (!key) return "; the header Sec-WebSocket-Key is missing";
    if (net::count_of(request.headers, kKey) > 1)
        return "; Sec-WebSocket-Key stands twice; send it once";
    Result<std::string> made = net::accept_key(*key);
    if (!made) return "; " + made.error().detail;
    accept = *std::move(made);
    return {};
}

net::Response refuse(const net::Request& request, const std::string& hop, bool version,
                     const std::string& faults) {
    std::string detail = "no WebSocket can be opened by this request" + faults;
    if (!request.header(kKey) && !hop.empty())
        detail += ". Open this address with a WebSocket client";
    if (!hop.empty())
        detail +=
            ". A proxy in between must pass the upgrade on; for nginx: proxy_http_version 1.1; "
            "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\";";
    const bool upgrade = !hop.empty() || version;
    net::Response response = problem(fail(Errc::invalid_request, std::move(detail)), request.target,
                                     upgrade ? 426 : 400);
    if (upgrade)
        response.headers = {
            {"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Version", "13"}};
    return response;
}

}  // namespace

bool is_for_websocket(const net::Request& request) {
    // As it was sent: an escaped path is not the same resource to every proxy.
    const std::string_view path =
        std::string_view(request.target).substr(0, request.target.find('?'));
    if (path == "/sync") return true;
    return path == "/" && (request.upgrade || request.header(kKey) || request.header(kVersion));
}

std::variant<Handshake, net::Response> judge_handshake(const net::Request& request) {
    if (request.method == "OPTIONS") {
        net::Response response;
        response.status = 204;
        response.headers.emplace_back("Allow", "GET, OPTIONS");
        return response;
    }
    const std::string hop = faults_of_hop(request);
    if (request.method != "GET" && (request.method != "HEAD" || hop.empty())) {
        net::Response response =
            problem(fail(Errc::method_not_allowed, "a WebSocket opens by GET"), request.target);
        response.headers.emplace_back("Allow", "GET, OPTIONS");
        return response;
    }
    Handshake shake;
    const std::string version = faults_of_version(request);
    const std::string key = faults_of_key(request, shake.accept);
    if (!hop.empty() || !version.empty() || !key.empty())
        return refuse(request, hop, !version.empty(), hop + version + key);
    const auto offered = net::list_of(request.headers, "sec-websocket-protocol");
    shake.negotiated = std::find(offered.begin(), offered.end(), kSubprotocol) != offered.end();
    return shake;
}

}  // namespace dyad::server
