#include "net/http_client.hpp"

#include "net/blocking_io.hpp"
#include "net/chunked.hpp"
#include "net/socket.hpp"

#include <charconv>

namespace dyad::net {
namespace {

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

// One value must not become two lines of the head.
Status check_head(const ClientRequest& request) {
    const auto is_line = [](std::string_view text) {
        return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
    };
    bool good = is_line(request.method) && is_line(request.target);
    for (const auto& [name, value] : request.headers)
        good = good && is_line(name) && is_line(value);
    if (good) return Done{};
    return fail(Errc::invalid_field, "a line break or NUL stands in the head of the request");
}

Result<Exchange> begin(const Url& url, const ClientRequest& request) {
    if (const Status good = check_head(request); !good) return good.error();
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
        if (*got == 0) return reader.may_end() ? Status(Done{}) : Status(connection_broke());
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
                                   std::string_view content_type, std::int64_t silence_ms,
                                   const std::function<bool(std::string_view)>& on_body) {
    Result<Exchange> exchange = begin(url, request);
    if (!exchange) return exchange.error();
    const auto type = exchange->response.header("content-type");
    if (exchange->response.status != 200 || !type || !type->starts_with(content_type))
        return finish(*std::move(exchange), request.timeout_ms);
    if (Status read = read_body(*exchange, silence_ms, on_body); !read) return read.error();
    return std::move(exchange->response);
}

}  // namespace dyad::net
