// A blocking WebSocket client for the command line: libcurl makes the connection (TLS and proxies
// as in http_client.hpp), the frames are ours. One connection per object. Threads: one owner.
// Errors: those of http_client.hpp.
#pragma once

#include "cli/url.hpp"
#include "model/json.hpp"
#include "net/websocket.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace dyad::cli {

class CurlHandle;

// Answers pings by itself.
class WebSocketClient : private net::FrameHandler {
  public:
    // `path` such as "/sync", behind the URL's prefix; `protocol` may be empty.
    static Result<WebSocketClient> connect(const Url& url, const std::string& path,
                                           const std::string& protocol, std::int64_t timeout_ms);
    WebSocketClient(WebSocketClient&&) noexcept;
    ~WebSocketClient() override;

    Status send(std::string_view text);
    Status send_json(const json::Value& message) { return send(json::canonical(message)); }
    // The next message. Errors: timed_out; outcome_unknown, with the close code, once closed.
    Result<std::string> receive(std::int64_t timeout_ms);
    // Receives up to a message of this type. Errors: also what a message of type `error` says.
    Status wait_for(std::string_view type, std::int64_t timeout_ms);
    // Waits up to a second for the server to close, too; what was not received is dropped.
    void close();

  private:
    explicit WebSocketClient(std::unique_ptr<CurlHandle> handle);

    Status handshake(const Url& url, const std::string& path, const std::string& protocol,
                     std::int64_t timeout_ms);
    Status send_all(std::string_view bytes, std::int64_t timeout_ms);
    // Appends what comes next.
    Status receive_more(std::string& buffer, std::int64_t timeout_ms);
    Status poll_for(short events, std::int64_t timeout_ms);

    bool on_message(net::Opcode opcode, std::string_view payload) override;
    bool on_ping(std::string_view payload) override;
    bool on_pong(std::string_view) override { return true; }
    bool on_close(std::uint16_t code, std::string_view reason) override;

    std::unique_ptr<CurlHandle> handle_;  // null once closed
    net::FrameReader reader_{net::FrameReader::Role::client};
    std::deque<std::string> messages_;  // received, not taken
    std::optional<std::string> closed_;
};

}  // namespace dyad::cli
