#include "net/http_client.hpp"

#include "base/clock.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>

#include <poll.h>
#include <sys/socket.h>

namespace dyad::net {
namespace {

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
    if (!head.starts_with("HTTP/1.") || head.size() < 12)
        return fail(Errc::unavailable, "what answers there does not speak HTTP");
    std::from_chars(head.data() + 9, head.data() + 12, response.status);
    head.remove_prefix(std::min(head.find("\r\n") + 2, head.size()));
    while (!head.empty()) {
        const std::string_view line = head.substr(0, head.find("\r\n"));
        head.remove_prefix(std::min(line.size() + 2, head.size()));
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) continue;
        std::string_view value = line.substr(colon + 1);
        while (!value.empty() && value.front() == ' ')
            value.remove_prefix(1);
        response.headers.emplace_back(lower(line.substr(0, colon)), std::string(value));
    }
    return response;
}

// Undoes the chunked coding of a body (RFC 9112 section 7.1) that this server or a proxy sent.
Result<std::string> unchunk(std::string_view body) {
    std::string out;
    for (;;) {
        std::size_t size = 0;
        const std::size_t end = body.find("\r\n");
        if (end == std::string_view::npos) return gone();
        if (std::from_chars(body.data(), body.data() + end, size, 16).ec != std::errc())
            return gone();
        body.remove_prefix(end + 2);
        if (size == 0) return out;
        if (body.size() < size + 2) return gone();
        out.append(body.substr(0, size));
        body.remove_prefix(size + 2);
    }
}

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
    if (Status sent = send_all(fd->get(), out, request.timeout_ms); !sent) return sent.error();
    std::string buffer;
    std::size_t end = std::string::npos;
    while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
        const Result<std::size_t> got = receive_more(fd->get(), buffer, request.timeout_ms);
        if (!got) return got.error();
        if (*got == 0) return gone();
    }
    Result<ClientResponse> response = parse_head(std::string_view(buffer).substr(0, end + 2));
    if (!response) return response.error();
    return Exchange{*std::move(fd), *std::move(response), buffer.substr(end + 4)};
}

Result<ClientResponse> finish(Exchange exchange, std::int64_t timeout_ms) {
    ClientResponse& response = exchange.response;
    std::size_t wanted = SIZE_MAX;
    if (const auto length = response.header("content-length"))
        std::from_chars(length->data(), length->data() + length->size(), wanted);
    if (response.status == 204 || response.status == 304) wanted = 0;
    while (exchange.rest.size() < wanted) {
        const Result<std::size_t> got = receive_more(exchange.fd.get(), exchange.rest, timeout_ms);
        if (!got) return got.error();
        if (*got == 0) break;
    }
    if (wanted != SIZE_MAX && exchange.rest.size() < wanted) return gone();
    if (lower(response.header("transfer-encoding").value_or("")) == "chunked") {
        Result<std::string> body = unchunk(exchange.rest);
        if (!body) return body.error();
        response.body = *std::move(body);
    } else {
        response.body = std::move(exchange.rest);
    }
    return std::move(response);
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
    for (;;) {
        if (!exchange->rest.empty() && !on_body(exchange->rest))
            return std::move(exchange->response);
        exchange->rest.clear();
        const Result<std::size_t> got =
            receive_more(exchange->fd.get(), exchange->rest, request.timeout_ms);
        if (!got) return got.error();
        if (*got == 0) return std::move(exchange->response);
    }
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
    std::string buffer;
    std::size_t end = std::string::npos;
    while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
        const Result<std::size_t> got = receive_more(fd->get(), buffer, timeout_ms);
        if (!got) return got.error();
        if (*got == 0) return gone();
    }
    const Result<ClientResponse> response = parse_head(std::string_view(buffer).substr(0, end + 2));
    if (!response) return response.error();
    const Result<std::string> accept = accept_key(key);
    if (response->status != 101 || !accept ||
        response->header("sec-websocket-accept").value_or("") != *accept)
        return fail(Errc::unavailable, "the server refused the WebSocket: HTTP status " +
                                           std::to_string(response->status));
    WebSocketClient client(*std::move(fd));
    std::string rest = buffer.substr(end + 4);
    if (client.reader_.feed(rest, client)) return gone();
    return client;
}

Status WebSocketClient::send(std::string_view text) {
    static thread_local SystemRandom random;
    std::string frame;
    append_masked_frame(frame, Opcode::text, text, static_cast<std::uint32_t>(random.next_u64()));
    return send_all(fd_.get(), frame, 10'000);
}

Result<std::string> WebSocketClient::receive(std::int64_t timeout_ms) {
    std::string buffer;
    while (taken_ == messages_.size()) {
        messages_.clear();
        taken_ = 0;
        if (closed_) return fail(Errc::unavailable, *closed_);
        buffer.clear();
        const Result<std::size_t> got = receive_more(fd_.get(), buffer, timeout_ms);
        if (!got) return got.error();
        if (*got == 0) {
            closed_ = "the server closed the connection";
            continue;
        }
        if (reader_.feed(buffer, *this)) closed_ = "the server broke the WebSocket protocol";
    }
    return std::move(messages_[taken_++]);
}

void WebSocketClient::close() {
    std::string frame;
    append_masked_frame(frame, Opcode::close, close_payload(1000, ""), 0);
    static_cast<void>(send_all(fd_.get(), frame, 1000));
    fd_.reset();
    if (!closed_) closed_ = "closed";
}

bool WebSocketClient::on_message(Opcode, std::string_view payload) {
    messages_.emplace_back(payload);
    return true;
}

bool WebSocketClient::on_ping(std::string_view payload) {
    std::string frame;
    append_masked_frame(frame, Opcode::pong, payload, 0);
    static_cast<void>(send_all(fd_.get(), frame, 1000));
    return true;
}

bool WebSocketClient::on_close(std::uint16_t code, std::string_view reason) {
    closed_ = "the server closed the connection with code " + std::to_string(code);
    if (!reason.empty()) closed_->append(": ").append(reason);
    return true;
}

}  // namespace dyad::net
