#include "server/http_session.hpp"

#include "base/limits.hpp"
#include "base/metrics.hpp"
#include "net/http_fields.hpp"
#include "net/websocket.hpp"
#include "server/cell.hpp"
#include "server/client.hpp"
#include "server/cors.hpp"
#include "server/handshake.hpp"
#include "server/http_exchange.hpp"
#include "server/naming.hpp"
#include "server/problem.hpp"

#include <algorithm>

namespace dyad::server {
namespace {

constexpr std::string_view kMethods[] = {"GET",   "HEAD",   "PUT",    "POST",
                                         "PATCH", "DELETE", "OPTIONS"};

bool has_body(const net::Request& request) {
    return request.header("transfer-encoding") ||
           request.header("content-length").value_or("0") != "0";
}

// RFC 9110 section 8.4: no coding of a body is undone here.
bool is_coded(const net::Request& request) {
    const auto codings = net::list_of(request.headers, "content-encoding");
    return std::any_of(codings.begin(), codings.end(), [](std::string_view coding) {
        return !net::same_ignoring_case(coding, "identity");
    });
}

// No page reads what an MCP endpoint answers, and none is asked before it sends: pages of an
// assistant go through a server of their own.
bool is_closed_to_pages(const net::Request& request) {
    return request.path == "/mcp" || request.path.starts_with("/mcp/");
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
        // RFC 9112 section 2.2: some clients send an empty line behind a body.
        if (phase_ == Phase::idle && rest.starts_with("\r\n")) rest.remove_prefix(2);
        if (rest.empty()) break;
        if (phase_ == Phase::idle) enter(Phase::header);
        const Result<net::RequestReader::State> state = reader_.feed(rest);
        if (!state) {
            refuse(state.error());
            break;
        }
        if (reader_.take_expects_continue()) {
            // What is refused by its head alone need not be sent (RFC 9110 section 10.1.1).
            note_page(reader_.head());
            if (auto early = early_answer(reader_.head())) {
                answer(*std::move(early), reader_.head(), false);
                break;
            }
            static_cast<void>(client_.send("HTTP/1.1 100 Continue\r\n\r\n"));
        }
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
    const std::string_view host = request.header("host").value_or("");
    const std::string named = "Host: \"" + std::string(host.substr(0, 256)) + "\" is ";
    if (!auth::parse_authority(host))  // RFC 9112 section 3.2
        return fail(Errc::invalid_request, named + "no host name, with or without a port");
    if (!client_.cell().origins().host_allowed(host))
        return fail(Errc::forbidden_host,
                    named +
                        "not a name of this server; ask for localhost or 127.0.0.1, or add the "
                        "name to ALLOWED_HOSTS");
    if (net::count_of(request.headers, "origin") > 1)
        return fail(Errc::forbidden_origin, "Origin: must be there at most once");
    const auto origin = request.header("origin");
    if (origin && page_.empty())
        return fail(Errc::forbidden_origin,
                    "Origin: pages of \"" + std::string(origin->substr(0, 256)) +
                        "\" may not use this server; add it to ALLOWED_ORIGINS if they should");
    return Done{};
}

void HttpSession::note_page(const net::Request& request) {
    const auto origin = request.header("origin");
    const bool known =
        origin && net::count_of(request.headers, "origin") == 1 &&
        client_.cell().origins().origin_allowed(*origin, request.header("host").value_or(""));
    page_ = known ? std::string(*origin) : std::string();
    shared_ = !is_closed_to_pages(request);
}

std::optional<net::Response> HttpSession::early_answer(const net::Request& request) const {
    const auto refused = [&request](const Error& error) { return problem(error, request.target); };
    if (const Status source = check_source(request); !source) return refused(source.error());
    if (client_.cell().is_crowded() && !is_probe(request))
        return refused(fail(Errc::too_many_connections, "try again later"));
    if (shared_ && is_preflight(request)) return preflight_answer(request);
    if (std::find(std::begin(kMethods), std::end(kMethods), request.method) == std::end(kMethods))
        return refused(fail(Errc::not_implemented,
                            "the method is not known; methods are written in capital letters"));
    if (!has_body(request) || !is_coded(request)) return std::nullopt;
    net::Response response = refused(fail(Errc::unsupported_media_type,
                                          "Content-Encoding: send the body as it is, without a "
                                          "coding such as gzip"));
    response.headers.emplace_back("Accept-Encoding", "identity");
    return response;
}

std::unique_ptr<Protocol> HttpSession::serve(net::Request request) {
    Cell& cell = client_.cell();
    note_page(request);
    if (auto early = early_answer(request)) {
        answer(*std::move(early), request, request.keep_alive && !cell.is_crowded());
        return nullptr;
    }
    if (is_for_websocket(request)) return upgrade(request);
    enter(Phase::answering);
    exchange_ = std::make_shared<HttpExchange>(*this, std::move(request));
    // The handler may answer at once, which lets go of the exchange.
    const ExchangePtr exchange = exchange_;
    cell.handle_http(exchange);
    return nullptr;
}

std::unique_ptr<Protocol> HttpSession::upgrade(const net::Request& request) {
    auto judged = judge_handshake(request);
    if (auto* refused = std::get_if<net::Response>(&judged)) {
        answer(std::move(*refused), request, request.keep_alive && !request.upgrade);
        return nullptr;
    }
    if (!client_.cell().settings().enable_websocket) {
        // Existing clients know a refusal of this kind by its status.
        answer(problem(fail(Errc::switched_off,
                            "WebSocket not running: ENABLE_WEBSOCKET is false; set it to true and "
                            "start the server again"),
                       request.target, 503),
               request, false);
        return nullptr;
    }
    auto user = named(request, kUserName);
    auto instance = named(request, kInstanceName);
    if (!user || !instance) {
        answer(problem(user ? instance.error() : user.error(), request.target), request, false);
        return nullptr;
    }
    const auto& shake = std::get<Handshake>(judged);
    return client_.cell().open_live(
        client_,
        {.answer = net::upgrade_response(shake.accept, shake.negotiated ? kSubprotocol : ""),
         .negotiated = shake.negotiated,
         .user = (*std::move(user)).value_or(""),
         .instance = (*std::move(instance)).value_or("")});
}

void HttpSession::refuse(const Error& error) {
    const net::Request& head = reader_.head();
    note_page(head);
    answer(problem(error, head.target), head, false);
}

void HttpSession::complete(net::Headers& headers) const {
    headers.emplace_back("Date", net::http_date(client_.cell().clock().wall_ms()));
    headers.emplace_back("X-Content-Type-Options", "nosniff");
    vary_on(headers, "Origin");
    if (!page_.empty() && shared_) share_with(headers, page_);
}

void HttpSession::send_response(net::Response response, bool keep_alive, bool head_only) {
    metrics::http_requests.add();
    complete(response.headers);
    static_cast<void>(client_.send(net::serialize(response, keep_alive, head_only)));
}

void HttpSession::answer(net::Response response, const net::Request& request, bool keep_alive) {
    send_response(std::move(response), keep_alive, request.method == "HEAD");
    answered(keep_alive);
}

void HttpSession::answered(bool keep_alive) {
    exchange_.reset();
    if (!keep_alive) {
        client_.close_after_output();
        return;
    }
    if (client_.held_bytes() == 0) return next_request();
    enter(Phase::sending);
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

// Handlers have their own time-outs, and whoever reads too slowly is the client's business.
void HttpSession::check(std::int64_t now_ms) {
    const auto late = [&](Phase phase, std::int64_t limit_ms) {
        return phase_ == phase && now_ms - since_ms_ >= limit_ms;
    };
    const auto give_up = [this](std::string_view what, std::int64_t limit_ms) {
        refuse(fail(Errc::timed_out,
                    std::string(what) + " must arrive within " + std::to_string(limit_ms) + " ms"));
    };
    if (late(Phase::idle, limits::http_idle_ms)) client_.close_after_output();
    if (late(Phase::header, limits::http_header_ms)) give_up("the header", limits::http_header_ms);
    if (late(Phase::body, limits::http_body_ms)) give_up("the body", limits::http_body_ms);
}

void HttpSession::drain() {
    if (phase_ == Phase::idle || phase_ == Phase::sending) client_.close_after_output();
    if (phase_ == Phase::streaming) shut(Errc::draining);
}

void HttpSession::shut(Errc) {
    on_closed();
    client_.close_after_output();
}

}  // namespace dyad::server
