// Reading requests. The library's parser judges the request line and the syntax of each field; what
// it would let through or repair is refused here before, and the body is framed here.
#include "base/limits.hpp"
#include "net/chunked.hpp"
#include "net/http_fields.hpp"
#include "net/utf8.hpp"

#include <algorithm>
#include <charconv>

#include <boost/beast/http/basic_parser.hpp>

namespace dyad::net {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr auto kHeaderMax = static_cast<std::size_t>(limits::http_header_bytes_max);
constexpr auto kBodyMax = static_cast<std::uint64_t>(limits::http_body_bytes_max);
constexpr std::size_t kBodyReserveMax = 64 * 1024;

std::string to_lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return out;
}

Error refuse(std::string detail) {
    return fail(Errc::invalid_request, std::move(detail));
}

Error header_too_large() {
    return fail(Errc::header_too_large,
                "header: at most " + std::to_string(kHeaderMax) + " bytes are allowed");
}

Error body_too_large() {
    return fail(Errc::too_large,
                "body: at most " + std::to_string(kBodyMax) + " bytes are allowed");
}

bool has_bare_line_feed(std::string_view text, std::size_t from) noexcept {
    for (std::size_t at = text.find('\n', from); at != std::string_view::npos;
         at = text.find('\n', at + 1))
        if (at == 0 || text[at - 1] != '\r') return true;
    return false;
}

// RFC 9112 sections 2.2, 5.1 and 5.2: line ends, folding, and characters that have no place in a
// header. Requires: `head` ends with an empty line.
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
        // RFC 9112 section 2.2 lets a server skip an empty line before a request; this one does
        // not.
        if (line.empty() && first) return refuse("request line: must not be empty");
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

std::optional<std::string> decode_text(std::string_view text) {
    std::optional<std::string> decoded = percent_decode(text);
    if (decoded && !valid_utf8(*decoded)) return std::nullopt;
    return decoded;
}

// RFC 9112 section 3.2.2: the authority of the absolute form counts in place of Host.
Status take_authority(Request& request) {
    const std::size_t start = request.target.find("://") + 3;
    const std::string scheme = to_lower(std::string_view(request.target).substr(0, start - 3));
    if (scheme == "https")
        return fail(Errc::forbidden_host,
                    "request target: https:// was asked of a connection without TLS; use http://");
    if (scheme != "http") return refuse("request target: must begin with / or http://");
    const std::size_t end =
        std::min(request.target.find_first_of("/?", start), request.target.size());
    const std::string authority = request.target.substr(start, end - start);
    if (authority.empty() || authority.find('@') != std::string::npos)
        return refuse("request target: must name a host, and no user");
    for (auto& [name, value] : request.headers)
        if (name == "host") value = authority;
    std::string rest = request.target.substr(end);
    if (rest.empty() && request.method == "OPTIONS") rest = "*";
    if (!rest.starts_with('/') && rest != "*") rest.insert(0, 1, '/');
    request.target = std::move(rest);
    return Done{};
}

Status read_target(Request& request) {
    if (request.method == "CONNECT")
        return fail(Errc::not_implemented, "CONNECT: this server is no proxy");
    if (request.target.find("://") < request.target.find_first_of("/?"))
        if (const Status taken = take_authority(request); !taken) return taken;
    const std::string_view target = request.target;
    if (target == "*" && request.method == "OPTIONS") {
        request.path = "*";
        return Done{};
    }
    if (target.empty() || target.front() != '/')
        return refuse("request target: must begin with / or http://");
    const std::size_t question = target.find('?');
    auto path = decode_text(target.substr(0, question));
    if (!path) return refuse("request target: a percent escape is malformed or not UTF-8");
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
        auto name = decode_text(pair.substr(0, equals));
        auto value = decode_text(raw_value);
        if (!name || !value) return refuse("query: a percent escape is malformed or not UTF-8");
        request.query.emplace_back(*std::move(name), *std::move(value));
    }
    return Done{};
}

// RFC 9112 section 6.1. `chunked` has to be the last coding, or the body has no end.
Status check_codings(const Headers& headers, bool version_11) {
    const auto codings = list_of(headers, "transfer-encoding");
    if (!version_11) return refuse("Transfer-Encoding: has no place in HTTP/1.0");
    if (codings.size() == 1 && same_ignoring_case(codings.front(), "chunked")) return Done{};
    const auto chunked = [](std::string_view coding) {
        return same_ignoring_case(coding.substr(0, coding.find(';')), "chunked");
    };
    const std::size_t last = codings.empty() ? 0 : codings.size() - 1;
    for (std::size_t i = 0; i < codings.size(); ++i)
        if (chunked(codings[i]) && (i != last || codings.size() == 1))
            return refuse("Transfer-Encoding: chunked must be the last coding, once, and bare");
    if (codings.empty()) return refuse("Transfer-Encoding: must not be empty");
    return fail(Errc::not_implemented, "Transfer-Encoding: only chunked is understood");
}

// The library's parser, made to write into a Request at once.
class HeadParser final : public http::basic_parser<true> {
  public:
    explicit HeadParser(Request& request) : request_(request) {
        skip(true);  // the body is not its business
        header_limit(static_cast<std::uint32_t>(kHeaderMax) + 4);
    }
    int version() const noexcept { return version_; }

  private:
    void on_request_impl(http::verb, beast::string_view method, beast::string_view target,
                         int version, beast::error_code&) override {
        request_.method.assign(method.data(), method.size());
        request_.target.assign(target.data(), target.size());
        version_ = version;
    }
    void on_field_impl(http::field, beast::string_view name, beast::string_view value,
                       beast::error_code&) override {
        request_.headers.emplace_back(to_lower({name.data(), name.size()}),
                                      std::string_view(value.data(), value.size()));
    }
    void on_response_impl(int, beast::string_view, int, beast::error_code&) override {}
    void on_header_impl(beast::error_code&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, beast::error_code&) override {}
    std::size_t on_body_impl(beast::string_view body, beast::error_code&) override {
        return body.size();
    }
    void on_chunk_header_impl(std::uint64_t, beast::string_view, beast::error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body,
                                   beast::error_code&) override {
        return body.size();
    }
    void on_finish_impl(beast::error_code&) override {}

    Request& request_;
    int version_ = 0;
};

}  // namespace

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
    if (state_ == State::header)
        if (Status read = read_head(bytes); !read) return read.error();
    if (state_ == State::body)
        if (Status read = read_body(bytes); !read) return read.error();
    return state_;
}

Status RequestReader::read_head(std::string_view& bytes) {
    const std::size_t before = head_.size();
    // A header that comes in one piece is read where it is.
    std::string_view text = bytes;
    if (before > 0) {
        head_.append(bytes.substr(0, kHeaderMax - before));
        text = head_;
    }
    const std::size_t end =
        text.substr(0, kHeaderMax).find("\r\n\r\n", before < 3 ? 0 : before - 3);
    if (end == std::string_view::npos) {
        if (has_bare_line_feed(text.substr(0, kHeaderMax), before))
            return refuse("header: lines must end with CR LF");
        if (text.size() >= kHeaderMax) {
            salvage(text.substr(0, kHeaderMax));
            return header_too_large();
        }
        if (before == 0) head_.assign(text);
        bytes = {};
        return Done{};
    }
    bytes.remove_prefix(end + 4 - before);
    if (Status begun = begin(text.substr(0, end + 4)); !begun) {
        salvage(text.substr(0, end + 2));
        return begun;
    }
    head_ = std::string();
    if (!bytes.empty()) expects_continue_ = false;  // its body is coming already
    return Done{};
}

Status RequestReader::begin(std::string_view head) {
    if (Status lines = check_lines(head); !lines) return lines;
    request_ = Request{};
    request_.headers.reserve(16);
    HeadParser parser(request_);
    beast::error_code error;
    parser.put(boost::asio::const_buffer(head.data(), head.size()), error);
    if (error) return refuse("the request is malformed: " + error.message());
    if (!parser.is_done()) return refuse("the request's header is malformed");
    request_.version = parser.version();
    const bool version_11 = request_.version == 11;
    request_.keep_alive = version_11 && !list_has(request_.headers, "connection", "close");
    // RFC 6455 section 4.2.1: HTTP/1.1 or later.
    request_.upgrade = version_11 && list_has(request_.headers, "connection", "upgrade") &&
                       list_has(request_.headers, "upgrade", "websocket");
    if (Status framed = frame_body(version_11); !framed) return framed;
    return read_target(request_);
}

// What a refusal needs: for whom it is meant, and where it is read.
void RequestReader::salvage(std::string_view head) {
    Request known;
    std::string_view line = head.substr(0, head.find("\r\n"));
    const std::size_t space = std::min(line.find(' '), line.size());
    known.method = line.substr(0, space);
    line.remove_prefix(std::min(space + 1, line.size()));
    known.target = line.substr(0, line.find(' '));
    constexpr std::string_view kName = "origin:";
    for (std::size_t at = head.find("\r\n"); at != std::string_view::npos;
         at = head.find("\r\n", at + 2)) {
        line = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
        if (!same_ignoring_case(line.substr(0, kName.size()), kName)) continue;
        line.remove_prefix(std::min(line.find_first_not_of(" \t", kName.size()), line.size()));
        line = line.substr(0, line.find_last_not_of(" \t") + 1);
        known.headers.emplace_back("origin", line);
    }
    request_ = std::move(known);
}

// RFC 9112 section 6.3, without any of its leniency.
Status RequestReader::frame_body(bool version_11) {
    std::size_t hosts = 0;
    const std::string* length = nullptr;
    const std::string* encoding = nullptr;
    const std::string* expect = nullptr;
    for (const auto& [name, value] : request_.headers) {
        hosts += name == "host";
        if (name == "content-length") {
            if (length != nullptr) return refuse("Content-Length: must not be repeated");
            length = &value;
        } else if (name == "transfer-encoding") {
            if (encoding != nullptr) return refuse("Transfer-Encoding: must not be repeated");
            encoding = &value;
        } else if (name == "expect") {
            expect = &value;
        }
    }
    if (hosts != 1) return refuse("Host: must be there exactly once");
    if (length != nullptr && encoding != nullptr)
        return refuse("Transfer-Encoding: must not stand beside Content-Length");
    body_left_ = 0;
    chunks_.reset();
    if (encoding != nullptr) {
        if (const Status known = check_codings(request_.headers, version_11); !known) return known;
        chunks_ = std::make_unique<ChunkedReader>(kBodyMax);
    } else if (length != nullptr) {
        const char* const end = length->data() + length->size();
        const auto read = std::from_chars(length->data(), end, body_left_);
        if (read.ec != std::errc() || read.ptr != end)
            return refuse("Content-Length: must be a whole number");
        if (body_left_ > kBodyMax) return body_too_large();
        request_.body.reserve(std::min<std::size_t>(body_left_, kBodyReserveMax));
    }
    const bool has_body = chunks_ != nullptr || body_left_ > 0;
    if (request_.upgrade && has_body) return refuse("an upgrade request must have no body");
    if (expect != nullptr && !same_ignoring_case(*expect, "100-continue"))
        return fail(Errc::expectation_failed, "Expect: only 100-continue is understood");
    expects_continue_ = expect != nullptr && has_body && version_11;
    state_ = has_body ? State::body : State::complete;
    return Done{};
}

Status RequestReader::read_body(std::string_view& bytes) {
    if (chunks_) {
        const Result<bool> complete = chunks_->feed(bytes, request_.body);
        if (!complete)
            return complete.error().code == Errc::too_large ? body_too_large() : complete.error();
        if (*complete) state_ = State::complete;
        return Done{};
    }
    const std::size_t take = std::min<std::uint64_t>(body_left_, bytes.size());
    request_.body.append(bytes.substr(0, take));
    bytes.remove_prefix(take);
    body_left_ -= take;
    if (body_left_ == 0) state_ = State::complete;
    return Done{};
}

Request RequestReader::take() {
    CHECK(state_ == State::complete);
    state_ = State::header;
    expects_continue_ = false;
    chunks_.reset();
    return std::exchange(request_, Request{});
}

}  // namespace dyad::net
