#include "server/http_session.hpp"

#include "base/limits.hpp"
#include "base/metrics.hpp"
#include "net/websocket.hpp"
#include "server/cell.hpp"
#include "server/client.hpp"
#include "server/http_exchange.hpp"
#include "server/problem.hpp"

#include <algorithm>

namespace dyad::server {
namespace {

constexpr std::string_view kSubprotocol = "dyad.v2";

// The path as it was sent: an escaped one is not the same resource to every proxy.
bool is_live_path(const net::Request& request) {
    const std::string_view path =
        std::string_view(request.target).substr(0, request.target.find('?'));
    return path == "/" || path == "/sync";
}

std::size_t count_of(const net::Request& request, std::string_view name) {
    return static_cast<std::size_t>(
        std::count_if(request.headers.begin(), request.headers.end(),
                      [name](const auto& header) { return header.first == name; }));
}

bool offers_subprotocol(const net::Request& request) {
    for (const auto& [name, value] : request.headers) {
        if (name != "sec-websocket-protocol") continue;
        std::string_view list = value;
        while (!list.empty()) {
            std::string_view item = list.substr(0, list.find(','));
            list.remove_prefix(std::min(list.size(), item.size() + 1));
            const std::size_t first = item.find_first_not_of(" \t");
            if (first == std::string_view::npos) continue;
            item = item.substr(first, item.find_last_not_of(" \t") - first + 1);
            if (item == kSubprotocol) return true;
        }
    }
    return false;
}

net::Response upgrade_required() {
    net::Response response = problem(
        fail(Errc::invalid_request, "Sec-WebSocket-Version: this server speaks version 13 here"),
        426);
    response.headers = {{"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}};
    return response;
}

bool is_probe(const net::Request& request) {
    return request.path == "/healthz" || request.path == "/readyz";
}

}  // namespace

HttpSession::HttpSession(Client& client)
    : client_(client), since_ms_(client.cell().loop().now_ms()) {}

HttpSession::~HttpSession() {
    if (exchange_) exchange_->abandon();
}

void HttpSession::enter(Phase phase) {
    phase_ = phase;
    since_ms_ = client_.cell().loop().now_ms();
}

std::unique_ptr<Protocol> HttpSession::on_bytes(std::span<char>& bytes) {
    if (phase_ == Phase::streaming) return nullptr;  // nothing is expected; the end shows elsewhere
    std::string_view rest(bytes.data(), bytes.size());
    inside_ = true;
    std::unique_ptr<Protocol> next;
    while (!rest.empty() && !client_.closing() && phase_ < Phase::answering) {
        if (phase_ == Phase::idle) enter(Phase::header);
        const Result<net::RequestReader::State> state = reader_.feed(rest);
        if (!state) {
            refuse(state.error());
            break;
        }
        if (reader_.take_expects_continue())
            static_cast<void>(client_.send("HTTP/1.1 100 Continue\r\n\r\n"));
        if (*state == net::RequestReader::State::body && phase_ == Phase::header)
            enter(Phase::body);
        if (*state != net::RequestReader::State::complete) continue;
        next = serve(reader_.take());
        if (next) break;
    }
    inside_ = false;
    if (phase_ >= Phase::answering && !client_.closing()) {
        if (phase_ == Phase::answering) client_.pause_reading(true);
        backlog_.assign(rest);
        rest = {};
    }
    bytes = bytes.subspan(bytes.size() - rest.size());
    return next;
}

Status HttpSession::check_source(const net::Request& request) const {
    const auth::OriginPolicy& policy = client_.cell().origins();
    if (!policy.host_allowed(request.header("host").value_or("")))
        return fail(Errc::forbidden_host,
                    "Host: name the server as 127.0.0.1 or localhost with its port, or add this "
                    "name to its allowed hosts");
    for (const auto& [name, value] : request.headers)
        if (name == "origin" && !policy.origin_allowed(value))
            return fail(Errc::forbidden_origin,
                        "Origin: pages of this origin may not use this server; add it to the "
                        "server's allowed origins if they should");
    if (count_of(request, "origin") > 1)
        return fail(Errc::forbidden_origin, "Origin: must be there at most once");
    return Done{};
}

std::unique_ptr<Protocol> HttpSession::serve(net::Request request) {
    Cell& cell = client_.cell();
    const Status source = check_source(request);
    const bool full = cell.is_crowded() && !is_probe(request);
    if (!source || full) {
        const Error error =
            source ? fail(Errc::too_many_connections, "try again later") : source.error();
        const bool keep_alive = request.keep_alive && !full;
        send_response(problem(error), keep_alive, request.method == "HEAD");
        answered(keep_alive);
        return nullptr;
    }
    if (request.upgrade && is_live_path(request)) return upgrade(request);
    if (request.path == "/sync") {
        send_response(upgrade_required(), request.keep_alive, request.method == "HEAD");
        answered(request.keep_alive);
        return nullptr;
    }
    enter(Phase::answering);
    exchange_ = std::make_shared<HttpExchange>(*this, std::move(request));
    // The handler may answer at once, which lets go of the exchange.
    const ExchangePtr exchange = exchange_;
    cell.handle_http(exchange);
    return nullptr;
}

std::unique_ptr<Protocol> HttpSession::upgrade(const net::Request& request) {
    if (request.method != "GET") {
        net::Response response =
            problem(fail(Errc::method_not_allowed, "a WebSocket opens by GET"));
        response.headers.emplace_back("Allow", "GET");
        send_response(std::move(response), false, request.method == "HEAD");
        client_.close();
        return nullptr;
    }
    if (count_of(request, "sec-websocket-version") != 1 ||
        request.header("sec-websocket-version") != "13") {
        send_response(upgrade_required(), false, false);
        client_.close();
        return nullptr;
    }
    const Result<std::string> accept =
        count_of(request, "sec-websocket-key") == 1
            ? net::accept_key(*request.header("sec-websocket-key"))
            : Result<std::string>(
                  fail(Errc::invalid_request, "Sec-WebSocket-Key: must be there exactly once"));
    if (!accept) {
        refuse(accept.error());
        return nullptr;
    }
    if (!client_.cell().settings().enable_websocket) {
        // Existing clients know a refusal of this kind by its status.
        refuse(fail(Errc::switched_off,
                    "WebSocket not running: ENABLE_WEBSOCKET is false; set it to true and start "
                    "the server again"),
               503);
        return nullptr;
    }
    const bool negotiated = offers_subprotocol(request);
    return client_.cell().open_live(
        client_, net::upgrade_response(*accept, negotiated ? kSubprotocol : ""), negotiated);
}

void HttpSession::refuse(const Error& error, int status) {
    send_response(problem(error, status), false, false);
    client_.close();
}

void HttpSession::send_response(net::Response response, bool keep_alive, bool head_only) {
    metrics::http_requests.add();
    response.headers.emplace_back("X-Content-Type-Options", "nosniff");
    static_cast<void>(client_.send(net::serialize(response, keep_alive, head_only)));
}

void HttpSession::answered(bool keep_alive) {
    exchange_.reset();
    if (!keep_alive) {
        client_.close();
        return;
    }
    if (client_.held_bytes() == 0) return next_request();
    enter(Phase::sending);
    held_bytes_ = client_.held_bytes();
    client_.pause_reading(true);
}

void HttpSession::next_request() {
    enter(Phase::idle);
    if (inside_) return;
    client_.pause_reading(false);
    if (!backlog_.empty()) client_.cell().continue_later(client_);
}

void HttpSession::on_drained() {
    if (phase_ == Phase::sending && !client_.closing()) return next_request();
    if (phase_ == Phase::streaming && exchange_) {
        const std::shared_ptr<HttpExchange> exchange = exchange_;
        exchange->tell_writable();
    }
}

void HttpSession::on_closed() {
    if (!exchange_) return;
    const std::shared_ptr<HttpExchange> exchange = std::move(exchange_);
    exchange->abandon();
}

void HttpSession::check(std::int64_t now_ms) {
    const std::int64_t waited = now_ms - since_ms_;
    switch (phase_) {
        case Phase::idle:
            if (waited >= limits::http_idle_ms) client_.close();
            return;
        case Phase::header:
            if (waited >= limits::http_header_ms)
                refuse(fail(Errc::timed_out, "the header must arrive within " +
                                                 std::to_string(limits::http_header_ms) + " ms"));
            return;
        case Phase::body:
            if (waited >= limits::http_body_ms)
                refuse(fail(Errc::timed_out, "the body must arrive within " +
                                                 std::to_string(limits::http_body_ms) + " ms"));
            return;
        case Phase::answering:
            return;  // handlers have their own time-outs
        case Phase::sending:
            if (client_.held_bytes() != held_bytes_) {
                held_bytes_ = client_.held_bytes();
                since_ms_ = now_ms;
            } else if (waited >= limits::write_stall_ms) {
                client_.close();
            }
            return;
        case Phase::streaming:
            // Output that is held counts from when it began to be held.
            if (client_.held_bytes() == 0) since_ms_ = now_ms;
            if (waited >= limits::write_stall_ms && client_.held_bytes() > 0) {
                on_closed();
                client_.close();
            }
            return;
    }
}

void HttpSession::drain() {
    if (phase_ == Phase::idle || phase_ == Phase::sending) client_.close();
    if (phase_ == Phase::streaming) shut(Errc::draining);
}

void HttpSession::shut(Errc) {
    on_closed();
    client_.close();
}

}  // namespace dyad::server
