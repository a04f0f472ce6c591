#include "cli/websocket_client.hpp"

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "cli/curl.hpp"
#include "cli/json_members.hpp"
#include "cli/text.hpp"

#include <algorithm>
#include <array>

#include <poll.h>

namespace dyad::cli {
namespace {

constexpr std::int64_t kSendMs = 10'000;
constexpr std::int64_t kCloseMs = 1'000;
constexpr std::size_t kHeadMax = 64 * 1024;

std::uint32_t random_mask() {
    static thread_local SystemRandom random;
    return static_cast<std::uint32_t>(random.next_u64());
}

std::int64_t left_until(std::int64_t deadline_ms) {
    return std::max<std::int64_t>(deadline_ms - SystemClock().steady_ms(), 0);
}

Error connection_broke() {
    return fail(Errc::outcome_unknown, "the connection to the server broke");
}

// Of the first header of this name, given in lower case; empty where there is none.
std::string_view header_of(std::string_view head, std::string_view name) {
    while (!head.empty()) {
        std::string_view value = take_part(head, '\n');
        if (to_lower(take_part(value, ':')) == name) return trimmed(value);
    }
    return {};
}

}  // namespace

WebSocketClient::WebSocketClient(std::unique_ptr<CurlHandle> handle) : handle_(std::move(handle)) {}
WebSocketClient::WebSocketClient(WebSocketClient&&) noexcept = default;
WebSocketClient::~WebSocketClient() = default;

Result<WebSocketClient> WebSocketClient::connect(const Url& url, const std::string& path,
                                                 const std::string& protocol,
                                                 std::int64_t timeout_ms) {
    auto handle = std::make_unique<CurlHandle>(url, path, timeout_ms);
    handle->set(CURLOPT_HTTPPROXYTUNNEL, 1L);
    TRY(handle->connect());
    WebSocketClient client(std::move(handle));
    TRY(client.handshake(url, path, protocol, timeout_ms));
    return client;
}

Status WebSocketClient::handshake(const Url& url, const std::string& path,
                                  const std::string& protocol, std::int64_t timeout_ms) {
    SystemRandom random;
    std::array<std::uint8_t, 16> key_bytes;
    random.fill(key_bytes);
    const std::string key = to_base64(key_bytes);
    std::string out = "GET " + url.prefix + path + " HTTP/1.1\r\nHost: " + url.authority() +
                      "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " + key +
                      "\r\nSec-WebSocket-Version: 13\r\n";
    if (!protocol.empty()) out.append("Sec-WebSocket-Protocol: ").append(protocol).append("\r\n");
    TRY(send_all(out.append("\r\n"), timeout_ms));
    const std::int64_t deadline_ms = SystemClock().steady_ms() + timeout_ms;
    std::string head;
    std::size_t end = std::string::npos;
    while ((end = head.find("\r\n\r\n")) == std::string::npos) {
        if (head.size() > kHeadMax || (head.size() > 8 && !head.starts_with("HTTP/1.")))
            return fail(Errc::protocol_error,
                        "what answers at " + url.text() + " does not speak HTTP");
        TRY(receive_more(head, left_until(deadline_ms)));
    }
    const Result<std::string> accept = net::accept_key(key);
    if (!head.starts_with("HTTP/1.1 101 ") || !accept ||
        header_of(std::string_view(head).substr(0, end), "sec-websocket-accept") != *accept)
        return fail(Errc::protocol_error, "the server refused the WebSocket: HTTP status " +
                                              head.substr(std::min<std::size_t>(9, end), 3));
    std::string rest = head.substr(end + 4);
    if (reader_.feed(rest, *this) != nullptr) return connection_broke();
    return Done{};
}

Status WebSocketClient::poll_for(short events, std::int64_t timeout_ms) {
    pollfd wait{handle_->info<curl_socket_t>(CURLINFO_ACTIVESOCKET), events, 0};
    if (poll(&wait, 1, static_cast<int>(timeout_ms)) == 1) return Done{};
    return fail(Errc::timed_out, "the server did not answer in time");
}

Status WebSocketClient::send_all(std::string_view bytes, std::int64_t timeout_ms) {
    if (!handle_) return connection_broke();
    while (!bytes.empty()) {
        std::size_t sent = 0;
        const CURLcode code =
            DYAD_CURL(curl_easy_send)(handle_->get(), bytes.data(), bytes.size(), &sent);
        if (code != CURLE_OK && code != CURLE_AGAIN) return connection_broke();
        bytes.remove_prefix(sent);
        if (code == CURLE_AGAIN) TRY(poll_for(POLLOUT, timeout_ms));
    }
    return Done{};
}

Status WebSocketClient::receive_more(std::string& buffer, std::int64_t timeout_ms) {
    char chunk[16384];
    const std::int64_t deadline_ms = SystemClock().steady_ms() + timeout_ms;
    for (;;) {
        // TLS may have bytes already that the socket does not show.
        std::size_t got = 0;
        const CURLcode code = DYAD_CURL(curl_easy_recv)(handle_->get(), chunk, sizeof chunk, &got);
        buffer.append(chunk, got);
        if (got > 0) return Done{};
        if (code != CURLE_AGAIN) return connection_broke();
        TRY(poll_for(POLLIN, left_until(deadline_ms)));
    }
}

Status WebSocketClient::send(std::string_view text) {
    std::string frame;
    net::append_masked_frame(frame, net::Opcode::text, text, random_mask());
    return send_all(frame, kSendMs);
}

Status WebSocketClient::wait_for(std::string_view type, std::int64_t timeout_ms) {
    const std::int64_t deadline_ms = SystemClock().steady_ms() + timeout_ms;
    while (left_until(deadline_ms) > 0) {
        const Result<std::string> text = receive(left_until(deadline_ms));
        if (!text) return text.error();
        const Result<json::Value> message = parse_large(*text);
        if (message && text_at(*message, "type") == type) return Done{};
        if (message && text_at(*message, "type") == "error")
            return fail(Errc::unavailable, text_at(*message, "payload/detail"));
    }
    return fail(Errc::timed_out, "no message \"" + std::string(type) + "\" came");
}

Result<std::string> WebSocketClient::receive(std::int64_t timeout_ms) {
    const std::int64_t deadline_ms = SystemClock().steady_ms() + timeout_ms;
    while (messages_.empty()) {
        if (closed_) return fail(Errc::outcome_unknown, *closed_);
        // Pings are no message: they do not make the wait longer.
        std::string buffer;
        const Status got = receive_more(buffer, left_until(deadline_ms));
        if (!got && got.error().code == Errc::timed_out) return got.error();
        if (!got)
            closed_ = "the server closed the connection";
        else if (const auto error = reader_.feed(buffer, *this))
            closed_ = "the server broke the WebSocket protocol: " + std::string(error->reason);
    }
    std::string message = std::move(messages_.front());
    messages_.pop_front();
    return message;
}

// Waits for the server to close, too: closing over unread bytes would reset the connection, and
// what was sent last could be lost.
void WebSocketClient::close() {
    if (!handle_) return;
    std::string buffer;
    net::append_masked_frame(buffer, net::Opcode::close, net::close_payload(1000, ""),
                             random_mask());
    const std::int64_t deadline_ms = SystemClock().steady_ms() + kCloseMs;
    if (send_all(buffer, kCloseMs))
        while (left_until(deadline_ms) > 0 && receive_more(buffer, left_until(deadline_ms)))
            buffer.clear();
    handle_.reset();
    if (!closed_) closed_ = "closed";
}

bool WebSocketClient::on_message(net::Opcode, std::string_view payload) {
    messages_.emplace_back(payload);
    return true;
}

bool WebSocketClient::on_ping(std::string_view payload) {
    std::string frame;
    net::append_masked_frame(frame, net::Opcode::pong, payload, random_mask());
    static_cast<void>(send_all(frame, kSendMs));
    return true;
}

bool WebSocketClient::on_close(std::uint16_t code, std::string_view reason) {
    closed_ = "the server closed the connection with code " + std::to_string(code);
    if (!reason.empty()) closed_->append(": ").append(reason);
    return true;
}

}  // namespace dyad::cli
