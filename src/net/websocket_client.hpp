// A blocking WebSocket client for the command line. One connection per object.
// Errors: unavailable where nothing answers or the connection breaks, and timed_out.
#pragma once

#include "net/http_client.hpp"
#include "net/socket.hpp"
#include "net/websocket.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::net {

// Answers pings by itself.
class WebSocketClient : private FrameHandler {
  public:
    // `path` such as "/sync"; `protocol` may be empty.
    static Result<WebSocketClient> connect(const Url& url, const std::string& path,
                                           const std::string& protocol, std::int64_t timeout_ms);
    WebSocketClient(WebSocketClient&&) = default;
    WebSocketClient& operator=(WebSocketClient&&) = default;
    ~WebSocketClient() override = default;

    Status send(std::string_view text);
    // The next message. Errors: timed_out; unavailable, with the close code, once closed.
    Result<std::string> receive(std::int64_t timeout_ms);
    // Waits up to a second for the server to close, too; what was not received is dropped.
    void close();
    int fd() const noexcept { return fd_.get(); }

  private:
    explicit WebSocketClient(Fd fd) : fd_(std::move(fd)) {}

    bool on_message(Opcode opcode, std::string_view payload) override;
    bool on_ping(std::string_view payload) override;
    bool on_pong(std::string_view) override { return true; }
    bool on_close(std::uint16_t code, std::string_view reason) override;

    Fd fd_;
    FrameReader reader_{FrameReader::Role::client};
    std::vector<std::string> messages_;  // received, not taken
    std::size_t taken_ = 0;
    std::optional<std::string> closed_;
};

}  // namespace dyad::net
