#include "net/websocket_client.hpp"

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "net/blocking_io.hpp"

#include <algorithm>
#include <array>

#include <sys/socket.h>

namespace dyad::net {
namespace {

constexpr std::int64_t kSendMs = 10'000;
constexpr std::int64_t kCloseMs = 1'000;

std::uint32_t random_mask() {
    static thread_local SystemRandom random;
    return static_cast<std::uint32_t>(random.next_u64());
}

}  // namespace

Result<WebSocketClient> WebSocketClient::connect(const Url& url, const std::string& path,
                                                 const std::string& protocol,
                                                 std::int64_t timeout_ms) {
    SystemRandom random;
    std::array<std::uint8_t, 16> key_bytes;
    random.fill(key_bytes);
    const std::string key = to_base64(key_bytes);
    Result<Fd> fd = connect_tcp(url.host, url.port, timeout_ms);
    if (!fd) return fd.error();
    std::string out = "GET " + path + " HTTP/1.1\r\nHost: " + url.authority() +
                      "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " + key +
                      "\r\nSec-WebSocket-Version: 13\r\n";
    if (!protocol.empty()) out.append("Sec-WebSocket-Protocol: ").append(protocol).append("\r\n");
    if (Status sent = send_all(fd->get(), out.append("\r\n"), timeout_ms); !sent)
        return sent.error();
    std::string rest;
    const Result<ClientResponse> response = receive_head(fd->get(), rest, timeout_ms);
    if (!response) return response.error();
    const Result<std::string> accept = accept_key(key);
    if (response->status != 101 || !accept ||
        response->header("sec-websocket-accept").value_or("") != *accept)
        return fail(Errc::unavailable, "the server refused the WebSocket: HTTP status " +
                                           std::to_string(response->status));
    WebSocketClient client(*std::move(fd));
    if (client.reader_.feed(rest, client)) return connection_broke();
    return client;
}

Status WebSocketClient::send(std::string_view text) {
    std::string frame;
    append_masked_frame(frame, Opcode::text, text, random_mask());
    return send_all(fd_.get(), frame, kSendMs);
}

Result<std::string> WebSocketClient::receive(std::int64_t timeout_ms) {
    const SystemClock clock;
    const std::int64_t deadline_ms = clock.steady_ms() + timeout_ms;
    std::string buffer;
    while (taken_ == messages_.size()) {
        messages_.clear();
        taken_ = 0;
        if (closed_) return fail(Errc::unavailable, *closed_);
        buffer.clear();
        // Pings are no message: they do not make the wait longer.
        const std::int64_t left_ms = std::max<std::int64_t>(deadline_ms - clock.steady_ms(), 0);
        const Result<std::size_t> got = receive_more(fd_.get(), buffer, left_ms);
        if (!got) return got.error();
        if (*got == 0)
            closed_ = "the server closed the connection";
        else if (const auto error = reader_.feed(buffer, *this))
            closed_ = "the server broke the WebSocket protocol: " + std::string(error->reason);
    }
    return std::move(messages_[taken_++]);
}

// Waits for the server to close, too: closing over unread bytes would reset the connection, and
// what was sent last could be lost.
void WebSocketClient::close() {
    if (!fd_.valid()) return;
    std::string buffer;
    append_masked_frame(buffer, Opcode::close, close_payload(1000, ""), random_mask());
    if (send_all(fd_.get(), buffer, kCloseMs) && ::shutdown(fd_.get(), SHUT_WR) == 0) {
        const SystemClock clock;
        const std::int64_t deadline_ms = clock.steady_ms() + kCloseMs;
        for (;;) {
            buffer.clear();
            const std::int64_t left_ms = std::max<std::int64_t>(deadline_ms - clock.steady_ms(), 0);
            const Result<std::size_t> got = receive_more(fd_.get(), buffer, left_ms);
            if (!got || *got == 0 || left_ms == 0) break;
        }
    }
    fd_.reset();
    if (!closed_) closed_ = "closed";
}

bool WebSocketClient::on_message(Opcode, std::string_view payload) {
    messages_.emplace_back(payload);
    return true;
}

bool WebSocketClient::on_ping(std::string_view payload) {
    std::string frame;
    append_masked_frame(frame, Opcode::pong, payload, random_mask());
    static_cast<void>(send_all(fd_.get(), frame, kSendMs));
    return true;
}

bool WebSocketClient::on_close(std::uint16_t code, std::string_view reason) {
    closed_ = "the server closed the connection with code " + std::to_string(code);
    if (!reason.empty()) closed_->append(": ").append(reason);
    return true;
}

}  // namespace dyad::net
