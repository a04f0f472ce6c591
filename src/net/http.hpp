// HTTP/1.1 (RFC 9110, RFC 9112) without a socket: requests out of bytes, responses into bytes.
//
// Reading is strict, so that no proxy in front can see other requests than this server does:
// both Content-Length and Transfer-Encoding, a repeated Host or Content-Length, a bare line feed,
// a folded line, white space before a colon, control characters: refused, connection closed.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dyad::net {

class ChunkedReader;

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
    std::string method;  // as sent; methods are case-sensitive
    // As sent, with the query; of the absolute form (RFC 9112 section 3.2.2) what follows the
    // authority, which then stands in the Host header, whatever the client had put there.
    std::string target;
    std::string path;                                        // before '?', percent-decoded; UTF-8
    std::vector<std::pair<std::string, std::string>> query;  // percent-decoded, in order; UTF-8
    Headers headers;                                         // names in lower case
    std::string body;
    int version = 11;  // of HTTP: 10 or 11
    bool keep_alive = true;
    bool upgrade = false;  // to a WebSocket

    // The first header of this name (lower case), or nothing.
    std::optional<std::string_view> header(std::string_view name) const;
    std::optional<std::string_view> query_value(std::string_view name) const;
};

struct Response {
    int status = 200;
    std::string content_type;  // empty: no body
    Headers headers;
    std::string body;
};

std::string_view status_text(int status) noexcept;
// A control character in a header's value is written as '?', so that no value can end its line.
std::string serialize(const Response& response, bool keep_alive, bool head_only);
// The head of an answer without end, such as server-sent events; the connection closes after it.
std::string stream_head(const Response& response);

// Reads one request. Errors: invalid_request, header_too_large, too_large, not_implemented,
// expectation_failed, forbidden_host (an https:// target); the connection cannot go on after one.
class RequestReader {
  public:
    RequestReader();
    ~RequestReader();

    enum class State : std::uint8_t { header, body, complete };

    // Takes bytes off the front of `bytes`: all of them, but for what follows a complete request.
    Result<State> feed(std::string_view& bytes);
    State state() const noexcept { return state_; }
    // The client waits for "100 Continue" before it sends the body. Told once.
    bool take_expects_continue() noexcept { return std::exchange(expects_continue_, false); }
    // The head of a request whose body is still to come; of one that feed() refused, as much as can
    // be told.
    const Request& head() const noexcept { return request_; }
    // Requires: state() == complete. The reader is ready for the next request then.
    Request take();

  private:
    Status read_head(std::string_view& bytes);
    Status begin(std::string_view head);
    Status frame_body(bool version_11);
    Status read_body(std::string_view& bytes);

    State state_ = State::header;
    bool expects_continue_ = false;
    std::string head_;                       // what has come of one that is not complete
    std::unique_ptr<ChunkedReader> chunks_;  // of a body in chunks
    std::uint64_t body_left_ = 0;            // of a body with Content-Length
    Request request_;
};

// %XX and nothing else ('+' stays). Nothing where it is malformed or decodes to NUL.
std::optional<std::string> percent_decode(std::string_view text);
std::string percent_encode(std::string_view text);  // all but unreserved characters (RFC 3986)

}  // namespace dyad::net
