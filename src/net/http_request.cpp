// Reading requests (RFC 9112):
//
//     head         := request-line CRLF (field CRLF)* CRLF
//     request-line := token SP target SP "HTTP/1." ("0" | "1")
//     field        := token ":" OWS value OWS        value: no control character but tabs
//
// Nothing else passes: no empty line before it (HttpSession takes one off), no folding, no bare CR
// or LF, no second space.
#include "base/limits.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"
#include "net/chunked.hpp"
#include "net/http_fields.hpp"

#include <algorithm>
#include <charconv>

namespace dyad::net {
namespace {

constexpr auto kHeaderMax = static_cast<std::size_t>(limits::http_header_bytes_max);
constexpr auto kBodyMax = static_cast<std::uint64_t>(limits::http_body_bytes_max);
constexpr std::size_t kBodyReserveMax = 64 * 1024;

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

// RFC 9112 section 3. What stands in the places of method and target is kept, good or bad.
Status read_request_line(std::string_view line, Request& request) {
    const std::size_t first = std::min(line.find(' '), line.size());
    const std::size_t second = std::min(line.find(' ', first + 1), line.size());
    request.method = line.substr(0, first);
    request.target = line.substr(std::min(first + 1, second), second - std::min(first + 1, second));
    const std::string_view version = line.substr(std::min(second + 1, line.size()));
    if (line.empty()) return refuse("request line: must not be empty");
    if (has_control(line)) return refuse("header: control characters are not allowed");
    if (std::any_of(line.begin(), line.end(), [](char c) { return (c & 0x80) != 0; }))
        return refuse("request line: must be ASCII");
    if (!is_token(request.method))
        return refuse("request line: must begin with a method, such as GET");
    if (request.target.empty() || request.target.find('\t') != std::string::npos)
        return refuse(
            "request line: must be a method, a target and a version, with one space each");
    // RFC 9110 section 2.5: a later minor version is read as the latest that is known.
    const bool known = version.size() == 8 && version.starts_with("HTTP/1.") && version[7] >= '0' &&
                       version[7] <= '9';
    if (!known) return refuse("request line: must end with HTTP/1.1 or HTTP/1.0");
    request.version = version[7] == '0' ? 10 : 11;
    return Done{};
}

// The lines of a head, without the empty one. Reads on behind what it refuses: for whom a refusal
// is meant, and where it is read, may stand there.
Status read_lines(std::string_view head, Request& request) {
    Status good = Done{};
    std::int64_t lines = -1;  // the request line is no header line
    do {
        const std::size_t end = std::min(head.find("\r\n"), head.size());
        const std::string_view line = head.substr(0, end);
        head.remove_prefix(std::min(end + 2, head.size()));
        Status read = Done{};
        if (++lines == 0)
            read = read_request_line(line, request);
        else if (auto field = read_field(line))
            request.headers.push_back(*std::move(field));
        else
            read = field.error();
        if (lines > limits::http_header_lines_max)
            read = fail(Errc::header_too_large, "header: at most " +
                                                    std::to_string(limits::http_header_lines_max) +
                                                    " lines are allowed");
        if (good && !read) good = read;
    } while (!head.empty());
    return good;
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
        TRY(take_authority(request));
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
    if (state_ == State::header) TRY(read_head(bytes));
    if (state_ == State::body) TRY(read_body(bytes));
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
        if (text.starts_with("\r\n")) return refuse("request line: must not be empty");
        if (has_bare_line_feed(text.substr(0, kHeaderMax), before))
            return refuse("header: lines must end with CR LF");
        if (text.size() >= kHeaderMax) {
            request_ = Request{};
            // Whose page the refusal is for stands behind a long line, too, as far as it has come.
            std::string all(text);
            if (before > 0) all.append(bytes.substr(std::min(kHeaderMax - before, bytes.size())));
            all.resize(std::min({all.find("\r\n\r\n"), all.rfind("\r\n"), all.size()}));
            static_cast<void>(read_lines(all, request_));
            return header_too_large();
        }
        if (before == 0) head_.assign(text);
        bytes = {};
        return Done{};
    }
    bytes.remove_prefix(end + 4 - before);
    TRY(begin(text.substr(0, end)));
    head_ = std::string();
    if (!bytes.empty()) expects_continue_ = false;  // its body is coming already
    return Done{};
}

Status RequestReader::begin(std::string_view head) {
    request_ = Request{};
    request_.headers.reserve(16);
    TRY(read_lines(head, request_));
    const auto options = list_of(request_.headers, "connection");
    if (!std::all_of(options.begin(), options.end(), is_token))
        return refuse("Connection: must be a list of names");
    const bool version_11 = request_.version == 11;
    const auto connection_has = [&options](std::string_view option) {
        return std::any_of(options.begin(), options.end(), [option](std::string_view one) {
            return same_ignoring_case(one, option);
        });
    };
    request_.keep_alive = version_11 && !connection_has("close");
    // RFC 6455 section 4.2.1: HTTP/1.1 or later.
    request_.upgrade = version_11 && connection_has("upgrade") &&
                       list_has(request_.headers, "upgrade", "websocket");
    TRY(frame_body(version_11));
    return read_target(request_);
}

// RFC 9112 section 6.3, without any of its leniency.
Status RequestReader::frame_body(bool version_11) {
    for (const auto& [name, shown] : {std::pair("content-length", "Content-Length"),
                                      {"transfer-encoding", "Transfer-Encoding"}})
        if (count_of(request_.headers, name) > 1)
            return refuse(std::string(shown) + ": must not be repeated");
    // RFC 9112 section 3.2: HTTP/1.0 has none, as balancers' probes show; no browser speaks it.
    const std::size_t hosts = count_of(request_.headers, "host");
    if (hosts == 0 && !version_11)
        request_.headers.emplace_back("host", "localhost");
    else if (hosts != 1)
        return refuse("Host: must be there exactly once");
    const auto length = request_.header("content-length");
    const auto encoding = request_.header("transfer-encoding");
    const auto expect = request_.header("expect");
    if (length && encoding)
        return refuse("Transfer-Encoding: must not stand beside Content-Length");
    body_left_ = 0;
    chunks_.reset();
    if (encoding) {
        TRY(check_codings(request_.headers, version_11));
        chunks_ = std::make_unique<ChunkedReader>(kBodyMax);
    } else if (length) {
        const char* const end = length->data() + length->size();
        const auto read = std::from_chars(length->data(), end, body_left_);
        if (read.ec != std::errc() || read.ptr != end)
            return refuse("Content-Length: must be a whole number");
        if (body_left_ > kBodyMax) return body_too_large();
        request_.body.reserve(std::min<std::size_t>(body_left_, kBodyReserveMax));
    }
    const bool has_body = chunks_ != nullptr || body_left_ > 0;
    if (request_.upgrade && has_body) return refuse("an upgrade request must have no body");
    if (expect && !same_ignoring_case(*expect, "100-continue"))
        return fail(Errc::expectation_failed, "Expect: only 100-continue is understood");
    expects_continue_ = expect && has_body && version_11;
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
