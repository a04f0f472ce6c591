#include "net/http_response.hpp"

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "net/http_fields.hpp"

#include <algorithm>

namespace dyad::net {
namespace {

constexpr std::string_view kHeadEnd = "\r\n\r\n";

Error malformed(const char* what) {
    return fail(Errc::protocol_error, std::string("the answer is no HTTP: ") + what);
}

}  // namespace

std::optional<std::string_view> ResponseReader::header(std::string_view name) const {
    for (const auto& [key, value] : headers_)
        if (key == name) return value;
    return std::nullopt;
}

Status ResponseReader::read_head(std::string_view head) {
    const bool version_11 = head.starts_with("HTTP/1.1 ");
    const std::optional<std::uint64_t> status =
        head.size() < 12 ? std::nullopt : read_number(head.substr(9, 3));
    if ((!version_11 && !head.starts_with("HTTP/1.0 ")) || !status || *status < 100)
        return malformed("there is no status");
    headers_.clear();
    head.remove_prefix(std::min(head.find("\r\n"), head.size()));
    while (head.size() > 2) {
        head.remove_prefix(2);
        const std::string_view line = head.substr(0, head.find("\r\n"));
        Result<Headers::value_type> field = read_field(line);
        if (!field) return malformed("a header line is malformed");
        headers_.push_back(*std::move(field));
        head.remove_prefix(line.size());
    }
    if (*status < 200) return Done{};  // the final one is still to come
    status_ = static_cast<int>(*status);
    keep_alive_ = version_11 && !list_has(headers_, "connection", "close");
    const std::optional<std::string_view> length = header("content-length");
    if (status_ == 204 || status_ == 304) {
        complete_ = true;
    } else if (list_has(headers_, "transfer-encoding", "chunked")) {
        at_ = At::chunks;
    } else if (length) {
        const std::optional<std::uint64_t> bytes = read_number(*length);
        if (!bytes) return malformed("Content-Length is no number");
        at_ = At::length;
        left_ = *bytes;
        complete_ = left_ == 0;
    } else {
        at_ = At::until_end;
    }
    return Done{};
}

Result<bool> ResponseReader::feed(std::string_view& bytes, std::string& body) {
    while (at_ == At::head && !complete_) {
        const std::size_t before = head_.size();
        head_.append(bytes);
        const std::size_t end = head_.find(kHeadEnd);
        if (end == std::string::npos) {
            bytes = {};
            if (head_.size() > static_cast<std::size_t>(limits::http_header_bytes_max))
                return malformed("its head has no end");
            if (!std::string_view("HTTP/1.").starts_with(std::string_view(head_).substr(0, 7)))
                return malformed("there is no status");
            return false;
        }
        bytes.remove_prefix(end + kHeadEnd.size() - before);
        const std::string head = std::exchange(head_, {}).substr(0, end);
        TRY(read_head(head));
    }
    if (complete_) return true;
    if (at_ == At::chunks) {
        const Result<bool> complete = chunks_.feed(bytes, body);
        if (!complete) return malformed("its chunks are malformed");
        complete_ = *complete;
    } else {
        const std::string_view part = bytes.substr(
            0, at_ == At::length ? std::min<std::uint64_t>(left_, bytes.size()) : bytes.size());
        body.append(part);
        bytes.remove_prefix(part.size());
        if (at_ == At::length) {
            left_ -= part.size();
            complete_ = left_ == 0;
        }
    }
    return complete_;
}

}  // namespace dyad::net
