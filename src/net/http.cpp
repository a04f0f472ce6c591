#include "net/http.hpp"

#include "base/limits.hpp"

#include <algorithm>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace dyad::net {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

bool is_unreserved(char c) noexcept {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

int hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

std::string to_lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), lower);
    return out;
}

bool same_ignoring_case(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                              [](char x, char y) { return lower(x) == lower(y); });
}

bool list_has(std::string_view list, std::string_view token) noexcept {
    while (!list.empty()) {
        const std::size_t comma = list.find(',');
        std::string_view item = list.substr(0, comma);
        list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
        while (!item.empty() && (item.front() == ' ' || item.front() == '\t'))
            item.remove_prefix(1);
        while (!item.empty() && (item.back() == ' ' || item.back() == '\t'))
            item.remove_suffix(1);
        if (same_ignoring_case(item, token)) return true;
    }
    return false;
}

Error refuse(std::string detail) {
    return fail(Errc::invalid_request, std::move(detail));
}

// What the parser would let through or repair (RFC 9112 sections 2.2, 5.1 and 5.2): line ends,
// folding, and characters that have no place in a header.
Status check_lines(std::string_view head) {
    std::int64_t lines = 0;
    bool first = true;
    while (!head.empty()) {
        const std::size_t end = head.find("\r\n");
        const std::string_view line = head.substr(0, end);
        head.remove_prefix(end + 2);
        for (const char c : line) {
            const auto u = static_cast<unsigned char>(c);
            if ((u < 0x20 && c != '\t') || u == 0x7f)
                return refuse("header: control characters are not allowed");
            if (first && u >= 0x80) return refuse("request line: must be ASCII");
        }
        if (line.empty()) break;
        if (!first) {
            if (++lines > limits::http_header_lines_max)
                return fail(Errc::header_too_large,
                            "header: at most " + std::to_string(limits::http_header_lines_max) +
                                " lines are allowed");
            if (line.front() == ' ' || line.front() == '\t')
                return refuse("header: folded lines are not allowed");
            const std::size_t colon = line.find(':');
            if (colon == std::string_view::npos || colon == 0)
                return refuse("header: a line has no name");
            if (line[colon - 1] == ' ' || line[colon - 1] == '\t')
                return refuse("header: white space before a colon is not allowed");
        }
        first = false;
    }
    return Done{};
}

Status read_target(Request& request) {
    const std::string_view target = request.target;
    if (target.empty() || target.front() != '/') return refuse("request target: must begin with /");
    const std::size_t question = target.find('?');
    auto path = percent_decode(target.substr(0, question));
    if (!path) return refuse("request target: a percent escape is malformed");
    request.path = *std::move(path);
    if (question == std::string_view::npos) return Done{};
    std::string_view query = target.substr(question + 1);
    while (!query.empty()) {
        const std::size_t amp = query.find('&');
        const std::string_view pair = query.substr(0, amp);
        query.remove_prefix(amp == std::string_view::npos ? query.size() : amp + 1);
        if (pair.empty()) continue;
        const std::size_t equals = pair.find('=');
        std::string raw_value(equals == std::string_view::npos ? "" : pair.substr(equals + 1));
        std::replace(raw_value.begin(), raw_value.end(), '+', ' ');
        auto name = percent_decode(pair.substr(0, equals));
        auto value = percent_decode(raw_value);
        if (!name || !value) return refuse("query: a percent escape is malformed");
        request.query.emplace_back(*std::move(name), *std::move(value));
    }
    return Done{};
}

std::string response_head(const Response& response) {
    std::string out = "HTTP/1.1 " + std::to_string(response.status) + " ";
    out.append(status_text(response.status)).append("\r\n");
    if (!response.content_type.empty())
        out.append("Content-Type: ").append(response.content_type).append("\r\n");
    for (const auto& [name, value] : response.headers)
        out.append(name).append(": ").append(value).append("\r\n");
    return out;
}

}  // namespace

struct RequestReader::Parser {
    http::request_parser<http::string_body> parser;
};

RequestReader::RequestReader() = default;
RequestReader::~RequestReader() = default;

std::optional<std::string_view> Request::header(std::string_view name) const {
    for (const auto& [key, value] : headers)
        if (key == name) return value;
    return std::nullopt;
}

std::optional<std::string_view> Request::query_value(std::string_view name) const {
    for (const auto& [key, value] : query)
        if (key == name) return value;
    return std::nullopt;
}

Result<RequestReader::State> RequestReader::feed(std::string_view& bytes) {
    if (state_ == State::header) {
        constexpr auto kMax = static_cast<std::size_t>(limits::http_header_bytes_max);
        const std::size_t before = head_.size();
        head_.append(bytes.substr(0, kMax + 4 - std::min(before, kMax + 4)));
        // RFC 9112 section 2.2 lets a server skip an empty line before a request; this one does
        // not.
        const std::size_t end = head_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
        const std::size_t line_feed = head_.find('\n', before);
        if (line_feed != std::string::npos && (line_feed == 0 || head_[line_feed - 1] != '\r'))
            return refuse("header: lines must end with CR LF");
        if (end == std::string::npos) {
            if (head_.size() > kMax)
                return fail(Errc::header_too_large,
                            "header: at most " + std::to_string(kMax) + " bytes are allowed");
            bytes.remove_prefix(bytes.size());
            return state_;
        }
        bytes.remove_prefix(end + 4 - before);
        head_.resize(end + 4);
        if (head_.size() > kMax)
            return fail(Errc::header_too_large,
                        "header: at most " + std::to_string(kMax) + " bytes are allowed");
        if (Status begun = begin(head_); !begun) return begun.error();
    }
    if (state_ == State::body) {
        beast::error_code error;
        const std::size_t used =
            parser_->parser.put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
        bytes.remove_prefix(used);
        if (error == http::error::body_limit)
            return fail(Errc::too_large, "body: at most " +
                                             std::to_string(limits::http_body_bytes_max) +
                                             " bytes are allowed");
        if (error && error != http::error::need_more)
            return refuse("body: its framing is malformed: " + error.message());
        if (parser_->parser.is_done()) {
            request_.body = std::move(parser_->parser.get().body());
            state_ = State::complete;
        }
    }
    return state_;
}

Status RequestReader::begin(std::string_view head) {
    if (Status lines = check_lines(head); !lines) return lines.error();
    parser_ = std::make_unique<Parser>();
    auto& parser = parser_->parser;
    parser.eager(true);
    parser.header_limit(static_cast<std::uint32_t>(limits::http_header_bytes_max));
    parser.body_limit(static_cast<std::uint64_t>(limits::http_body_bytes_max));
    beast::error_code error;
    parser.put(boost::asio::const_buffer(head.data(), head.size()), error);
    if (error == http::error::body_limit)
        return fail(
            Errc::too_large,
            "body: at most " + std::to_string(limits::http_body_bytes_max) + " bytes are allowed");
    if (error && error != http::error::need_more)
        return refuse("the request is malformed: " + error.message());
    if (!parser.is_header_done()) return refuse("the request's header is malformed");
    const auto& message = parser.get();
    request_ = Request{};
    request_.method = std::string(message.method_string());
    request_.target = std::string(message.target());
    request_.keep_alive = message.version() == 11;
    for (const auto& field : message)
        request_.headers.emplace_back(to_lower(field.name_string()), std::string(field.value()));
    if (message.version() != 11 && message.version() != 10)
        return refuse("the version must be HTTP/1.1");
    if (Status checked = finish_head(); !checked) return checked.error();
    // RFC 6455 section 4.2.1: HTTP/1.1 or later.
    request_.upgrade = request_.upgrade && message.version() == 11;
    head_.clear();
    head_.shrink_to_fit();
    state_ = parser.is_done() ? State::complete : State::body;
    if (state_ == State::complete) request_.body = std::move(parser.get().body());
    return Done{};
}

Status RequestReader::finish_head() {
    std::size_t hosts = 0;
    std::size_t lengths = 0;
    std::size_t encodings = 0;
    for (const auto& [name, value] : request_.headers) {
        hosts += name == "host";
        lengths += name == "content-length";
        encodings += name == "transfer-encoding";
    }
    if (hosts != 1) return refuse("Host: must be there exactly once");
    if (lengths > 1) return refuse("Content-Length: must not be repeated");
    if (encodings > 1 || (encodings == 1 && lengths == 1))
        return refuse("Transfer-Encoding: must not be repeated or stand beside Content-Length");
    if (encodings == 1 && !same_ignoring_case(*request_.header("transfer-encoding"), "chunked"))
        return refuse("Transfer-Encoding: only chunked is understood");
    const std::string_view connection = request_.header("connection").value_or("");
    if (list_has(connection, "close")) request_.keep_alive = false;
    request_.upgrade = list_has(connection, "upgrade") &&
                       same_ignoring_case(request_.header("upgrade").value_or(""), "websocket");
    const bool has_body =
        encodings == 1 || (lengths == 1 && *request_.header("content-length") != "0");
    if (request_.upgrade && has_body) return refuse("an upgrade request must have no body");
    if (const auto expect = request_.header("expect")) {
        if (!same_ignoring_case(*expect, "100-continue"))
            return refuse("Expect: only 100-continue is understood");
        expects_continue_ = has_body;
    }
    return read_target(request_);
}

Request RequestReader::take() {
    CHECK(state_ == State::complete);
    state_ = State::header;
    parser_.reset();
    return std::exchange(request_, Request{});
}

std::string_view status_text(int status) noexcept {
    const auto text = http::obsolete_reason(static_cast<http::status>(status));
    return {text.data(), text.size()};
}

std::string serialize(const Response& response, bool keep_alive, bool head_only) {
    std::string out = response_head(response);
    const bool bodiless = response.status == 204 || response.status == 304;
    if (!bodiless)
        out.append("Content-Length: ").append(std::to_string(response.body.size())).append("\r\n");
    if (!keep_alive) out.append("Connection: close\r\n");
    out.append("\r\n");
    if (!head_only && !bodiless) out.append(response.body);
    return out;
}

std::string stream_head(const Response& response) {
    return response_head(response).append("Connection: close\r\n\r\n");
}

std::optional<std::string> percent_decode(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        if (i + 2 >= text.size()) return std::nullopt;
        const int high = hex_value(text[i + 1]);
        const int low = hex_value(text[i + 2]);
        if (high < 0 || low < 0 || high + low == 0) return std::nullopt;
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return out;
}

std::string percent_encode(std::string_view text) {
    static constexpr char kDigits[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        if (is_unreserved(c)) {
            out += c;
        } else {
            out += '%';
            out += kDigits[static_cast<unsigned char>(c) >> 4];
            out += kDigits[static_cast<unsigned char>(c) & 15];
        }
    }
    return out;
}

}  // namespace dyad::net
