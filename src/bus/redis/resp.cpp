#include "bus/redis/resp.hpp"

#include "base/bytes.hpp"
#include "base/limits.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace dyad::bus {
namespace {

constexpr std::size_t kLineBytesMax = 65536;
constexpr std::size_t kReserveMax = 64;
constexpr std::string_view kVerbatimPrefix = "txt:";

Error not_resp(std::string_view what) {
    return fail(Errc::invalid_field, "this is not the protocol of Redis: " + std::string(what));
}

std::optional<std::int64_t> signed_number(std::string_view text) {
    std::int64_t value = 0;
    if (text.starts_with('+')) text.remove_prefix(1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace

Status ReplyReader::feed(std::string_view bytes, const Take& take) {
    while (!bytes.empty()) {
        if (missing_ > 0) {
            TRY(read_string(bytes, take));
            continue;
        }
        const std::size_t end = bytes.find('\n');
        const std::string_view part = bytes.substr(0, end);
        if (line_.size() + part.size() > kLineBytesMax) return not_resp("a line has no end");
        if (end == std::string_view::npos) {
            line_.append(part);
            return Done{};
        }
        bytes.remove_prefix(end + 1);
        if (line_.empty()) {
            TRY(read_line(part, take));
        } else {
            const std::string line = std::move(line_.append(part));
            line_.clear();
            TRY(read_line(line, take));
        }
    }
    return Done{};
}

Status ReplyReader::read_line(std::string_view line, const Take& take) {
    if (line.size() < 2 || line.back() != '\r') return not_resp("a line is too short");
    const char type = line.front();
    line = line.substr(1, line.size() - 2);
    Reply reply;
    switch (type) {
        case '+':
        case '-':
        case ',':
        case '(':
            reply.kind = type == '-' ? Reply::Kind::error : Reply::Kind::text;
            reply.text = line;
            break;
        case ':': {
            const std::optional<std::int64_t> number = signed_number(line);
            if (!number) return not_resp("a number is none");
            reply.kind = Reply::Kind::integer;
            reply.integer = *number;
            break;
        }
        case '#':
            if (line != "t" && line != "f") return not_resp("a truth is none");
            reply.kind = Reply::Kind::integer;
            reply.integer = line == "t" ? 1 : 0;
            break;
        case '_':
            if (!line.empty()) return not_resp("a null says something");
            break;
        case '$':
        case '=':
        case '!':
            return begin_string(type, line, take);
        case '*':
        case '~':
        case '>':
        case '%':
        case '|':
            return begin_elements(type, line, take);
        default:
            return not_resp("a reply of no known type");
    }
    complete(std::move(reply), take);
    return Done{};
}

Status ReplyReader::begin_string(char type, std::string_view count, const Take& take) {
    if (count == "-1") {
        complete({}, take);
        return Done{};
    }
    const std::optional<std::uint64_t> size = read_number(count);
    if (!size || *size > INT32_MAX) return not_resp("a length is none");
    string_ = {};
    string_.kind = type == '!' ? Reply::Kind::error : Reply::Kind::text;
    bytes_ += *size;
    string_.cut = bytes_ > static_cast<std::size_t>(limits::redis_reply_bytes_max);
    verbatim_ = type == '=';
    missing_ = *size + 2;
    return Done{};
}

Status ReplyReader::read_string(std::string_view& bytes, const Take& take) {
    const std::string_view taken = bytes.substr(0, missing_);
    bytes.remove_prefix(taken.size());
    const std::size_t left = missing_ - taken.size();
    // Its last two bytes are none of it.
    const std::size_t content = missing_ > 2 ? std::min(taken.size(), missing_ - 2) : 0;
    if (!string_.cut) string_.text.append(taken.substr(0, content));
    for (std::size_t i = content; i < taken.size(); ++i)
        if (taken[i] != (missing_ - i == 2 ? '\r' : '\n')) return not_resp("a string has no end");
    missing_ = left;
    if (left > 0) return Done{};
    if (verbatim_) string_.text.erase(0, std::min(kVerbatimPrefix.size(), string_.text.size()));
    complete(std::move(string_), take);
    return Done{};
}

Status ReplyReader::begin_elements(char type, std::string_view count, const Take& take) {
    Reply reply;
    if (count == "-1") {
        complete(std::move(reply), take);
        return Done{};
    }
    const bool pairs = type == '%' || type == '|';
    const std::optional<std::uint64_t> number = read_number(count);
    const std::size_t elements_max = limits::redis_reply_elements_max;
    if (!number || *number > elements_max || elements_ + *number * (pairs ? 2 : 1) > elements_max)
        return not_resp("a reply of more elements than redis_reply_elements_max");
    if (open_.size() >= static_cast<std::size_t>(limits::redis_reply_depth_max))
        return not_resp("a reply deeper than redis_reply_depth_max");
    const std::size_t missing = *number * (pairs ? 2 : 1);
    elements_ += missing;
    reply.kind = type == '%'   ? Reply::Kind::map
                 : type == '>' ? Reply::Kind::push
                               : Reply::Kind::array;
    if (missing == 0) {
        if (type != '|') complete(std::move(reply), take);
        return Done{};
    }
    reply.elements.reserve(std::min(missing, kReserveMax));
    open_.push_back({std::move(reply), missing, type == '|'});
    return Done{};
}

void ReplyReader::complete(Reply&& reply, const Take& take) {
    while (!open_.empty()) {
        Open& outer = open_.back();
        outer.reply.elements.push_back(std::move(reply));
        if (--outer.missing > 0) return;
        reply = std::move(outer.reply);
        const bool attributes = outer.attributes;
        open_.pop_back();
        if (attributes) return;
    }
    bytes_ = 0;
    elements_ = 0;
    take(std::move(reply));
}

void append_command_head(std::string& out, std::size_t parts) {
    out.append("*").append(std::to_string(parts)).append("\r\n");
}

void append_command_part(std::string& out, std::string_view part) {
    out.append("$").append(std::to_string(part.size())).append("\r\n").append(part).append("\r\n");
}

void append_command(std::string& out, std::initializer_list<std::string_view> parts) {
    append_command_head(out, parts.size());
    for (const std::string_view part : parts)
        append_command_part(out, part);
}

}  // namespace dyad::bus
