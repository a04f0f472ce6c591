#include "net/http_client.hpp"

#include "base/clock.hpp"
#include "net/chunked.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>

#include <poll.h>
#include <sys/socket.h>

namespace dyad::net {
namespace {

constexpr std::size_t kHeadMax = 64 * 1024;
constexpr std::int64_t kSendMs = 10'000;
constexpr std::int64_t kCloseMs = 1'000;

Error gone() {
    return fail(Errc::unavailable, "the connection to the server broke");
}

Status wait_for(int fd, short events, std::int64_t timeout_ms) {
    pollfd wait{fd, events, 0};
    const int ready = poll(&wait, 1, static_cast<int>(timeout_ms));
    if (ready == 1) return Done{};
    if (ready < 0 && errno == EINTR) return fail(Errc::timed_out, "interrupted");
    return fail(Errc::timed_out, "the server did not answer in time");
}

Status send_all(int fd, std::string_view bytes, std::int64_t timeout_ms) {
    while (!bytes.empty()) {
        const iovec part{const_cast<char*>(bytes.data()), bytes.size()};
        const IoResult sent = send_some(fd, std::span(&part, 1));
        if (sent.state == Io::closed) return gone();
        if (sent.state == Io::would_block) {
            if (Status ready = wait_for(fd, POLLOUT, timeout_ms); !ready) return ready;
            continue;
        }
        bytes.remove_prefix(sent.bytes);
    }
    return Done{};
}

// Appends what comes next; an empty Result value of 0 means the end of the stream.
Result<std::size_t> receive_more(int fd, std::string& buffer, std::int64_t timeout_ms) {
    char chunk[16384];
    for (;;) {
        if (Status ready = wait_for(fd, POLLIN, timeout_ms); !ready) return ready.error();
        const IoResult got = receive_some(fd, chunk);
        if (got.state == Io::would_block) continue;
        if (got.state == Io::closed) return std::size_t{0};
        buffer.append(chunk, got.bytes);
        return got.bytes;
    }
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return out;
}

Result<ClientResponse> parse_head(std::string_view head) {
    ClientResponse response;
    const bool http = head.starts_with("HTTP/1.") && head.size() >= 12 && head[8] == ' ';
    if (!http ||
        std::from_chars(head.data() + 9, head.data() + 12, response.status).ptr != head.data() + 12)
        return fail(Errc::unavailable, "what answers there does not speak HTTP");
    head.remove_prefix(std::min(head.find("\r\n") + 2, head.size()));
    while (!head.empty()) {
        const std::string_view line = head.substr(0, head.find("\r\n"));
        head.remove_prefix(std::min(line.size() + 2, head.size()));
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) continue;
        std::string_view value = line.substr(colon + 1);
        while (!value.empty() && (value.front() == ' ' || value.front() == '\t'))
            value.remove_prefix(1);
        while (!value.empty() && (value.back() == ' ' || value.back() == '\t'))
            value.remove_suffix(1);
        response.headers.emplace_back(lower(line.substr(0, colon)), std::string(value));
    }
    return response;
}

// Reads to the end of the final answer's head; `rest` is what came behind it.
Result<ClientResponse> receive_head(int fd, std::string& rest, std::int64_t timeout_ms) {
    for (;;) {
        std::size_t end = std::string::npos;
        while ((end = rest.find("\r\n\r\n")) == std::string::npos) {
            if (rest.size() > kHeadMax)
                return fail(Errc::unavailable, "what answers there does not speak HTTP");
            const Result<std::size_t> got = receive_more(fd, rest, timeout_ms);
            if (!got) return got.error();
            if (*got == 0) return gone();
        }
        Result<ClientResponse> response = parse_head(std::string_view(rest).substr(0, end + 2));
        rest.erase(0, end + 4);
        const bool interim = response && response->status >= 100 && response->status < 200 &&
                             response->status != 101;
        if (!interim) return response;
    }
}

// Finds the end of a body: by its length, its chunks, or the end of the connection.
class BodyReader {
  public:
    explicit BodyReader(const ClientResponse& response) {
        if (response.status == 204 || response.status == 304) {
            left_ = 0;
        } else if (lower(response.header("transfer-encoding").value_or("")) == "chunked") {
            chunks_.emplace(UINT64_MAX);
        } else if (const auto length = response.header("content-length")) {
            std::uint64_t bytes = 0;
            const char* const end = length->data() + length->size();
            if (std::from_chars(length->data(), end, bytes).ptr == end) left_ = bytes;
        }
        complete_ = left_ == 0;
    }

    bool complete() const noexcept { return complete_; }
    // The connection may end here.
    bool may_end() const noexcept { return complete_ || (!chunks_ && !left_); }

    Status feed(std::string_view bytes, std::string& out) {
        if (chunks_) {
            const Result<bool> done = chunks_->feed(bytes, out);
            if (!done) return fail(Errc::unavailable, "the answer's body is malformed");
            complete_ = *done;
            return Done{};
        }
        if (left_) {
            bytes = bytes.substr(0, *left_);
            *left_ -= bytes.size();
            complete_ = *left_ == 0;
        }
        out.append(bytes);
        return Done{};
    }

  private:
    std::optional<ChunkedReader> chunks_;
    std::optional<std::uint64_t> left_;
    bool complete_ = false;
};

struct Exchange {
    Fd fd;
    ClientResponse response;
    std::string rest;  // of the body, as far as it came with the head
};

Result<Exchange> begin(const Url& url, const ClientRequest& request) {
    Result<Fd> fd = connect_tcp(url.host, url.port, request.timeout_ms);
    if (!fd) return fd.error();
    std::string out =
        request.method + " " + request.target + " HTTP/1.1\r\nHost: " + url.authority() + "\r\n";
    for (const auto& [name, value] : request.headers)
        out.append(name).append(": ").append(value).append("\r\n");
    if (!request.body.empty() || request.method == "POST" || request.method == "PUT" ||
        request.method == "PATCH")
        out.append("Content-Length: ").append(std::to_string(request.body.size())).append("\r\n");
    out.append("Connection: close\r\n\r\n").append(request.body);
    // A server that refuses a request may answer before it has read all of it.
    const Status sent = send_all(fd->get(), out, request.timeout_ms);
    std::string rest;
    Result<ClientResponse> response = receive_head(fd->get(), rest, request.timeout_ms);
    if (!response) return sent ? response.error() : sent.error();
    return Exchange{*std::move(fd), *std::move(response), std::move(rest)};
}

// Hands over the body as it comes, until it is complete or `on_body` says so.
Status read_body(Exchange& exchange, std::int64_t timeout_ms,
                 const std::function<bool(std::string_view)>& on_body) {
    BodyReader reader(exchange.response);
    std::string part;
    for (;;) {
        part.clear();
        if (Status fed = reader.feed(exchange.rest, part); !fed) return fed;
        if (!part.empty() && !on_body(part)) return Done{};
        if (reader.complete()) return Done{};
        exchange.rest.clear();
        const Result<std::size_t> got = receive_more(exchange.fd.get(), exchange.rest, timeout_ms);
        if (!got) return got.error();
        if (*got == 0) return reader.may_end() ? Status(Done{}) : Status(gone());
    }
}

Result<ClientResponse> finish(Exchange exchange, std::int64_t timeout_ms) {
    std::string body;
    const Status read = read_body(exchange, timeout_ms, [&body](std::string_view part) {
        body.append(part);
        return true;
    });
    if (!read) return read.error();
    exchange.response.body = std::move(body);
    return std::move(exchange.response);
}

std::uint32_t random_mask() {
    static thread_local SystemRandom random;
    return static_cast<std::uint32_t>(random.next_u64());
}

}  // namespace

std::string Url::authority() const {
    return host + ":" + std::to_string(port);
}

Result<Url> Url::parse(std::string_view text) {
    const auto bad = [&] {
        return fail(Errc::invalid_field,
                    "url: \"" + std::string(text) + "\" must look like http://127.0.0.1:8765");
    };
    std::string_view rest = text;
    for (std::string_view scheme : {"http://", "ws://"})
        if (rest.starts_with(scheme)) rest.remove_prefix(scheme.size());
    if (rest.find("://") != std::string_view::npos) return bad();
    rest = rest.substr(0, rest.find('/'));
    Url url;
    const std::size_t bracket = rest.find(']');
    const std::size_t colon = rest.find(':', bracket == std::string_view::npos ? 0 : bracket);
    url.host = rest.substr(0, colon);
    if (url.host.empty()) return bad();
    if (colon != std::string_view::npos) {
        const std::string_view port = rest.substr(colon + 1);
        const auto end = std::from_chars(port.data(), port.data() + port.size(), url.port);
        if (end.ec != std::errc() || end.ptr != port.data() + port.size() || url.port == 0)
            return bad();
    }
    return url;
}

std::optional<std::string_view> ClientResponse::header(std::string_view name) const {
    for (const auto& [key, value] : headers)
        if (key == name) return value;
    return std::nullopt;
}

Result<ClientResponse> http_request(const Url& url, const ClientRequest& request) {
    Result<Exchange> exchange = begin(url, request);
    if (!exchange) return exchange.error();
    if (request.method == "HEAD") return std::move(exchange->response);
    return finish(*std::move(exchange), request.timeout_ms);
}

Result<ClientResponse> http_stream(const Url& url, const ClientRequest& request,
                                   const std::function<bool(std::string_view)>& on_body) {
    Result<Exchange> exchange = begin(url, request);
    if (!exchange) return exchange.error();
    if (exchange->response.status != 200) return finish(*std::move(exchange), request.timeout_ms);
    if (Status read = read_body(*exchange, request.timeout_ms, on_body); !read) return read.error();
    return std::move(exchange->response);
}

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
    if (client.reader_.feed(rest, client)) return gone();
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
