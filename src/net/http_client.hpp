// Blocking HTTP and WebSocket clients for the command line. One connection per call or object.
// Errors: unavailable where nothing answers or the connection breaks, timed_out, invalid_field for
// a URL that is not http://host[:port].
#pragma once

#include "net/http.hpp"
#include "net/socket.hpp"
#include "net/websocket.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace dyad::net {

struct Url {
    std::string host;
    std::uint16_t port = 8765;

    std::string authority() const;  // host:port
    static Result<Url> parse(std::string_view text);
};

struct ClientResponse {
    int status = 0;
    Headers headers;  // names in lower case
    std::string body;

    std::optional<std::string_view> header(std::string_view name) const;
};

struct ClientRequest {
    std::string method = "GET";
    std::string target = "/";
    Headers headers;
    std::string body;
    std::int64_t timeout_ms = 10'000;  // without any progress
};

Result<ClientResponse> http_request(const Url& url, const ClientRequest& request);
// Hands over the body as it comes, for a 200 answer; false from `on_body` ends it. `body` of the
// result holds the body of any other answer.
Result<ClientResponse> http_stream(const Url& url, const ClientRequest& request,
                                   const std::function<bool(std::string_view)>& on_body);

// A WebSocket client that answers pings by itself.
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
