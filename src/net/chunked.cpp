#include "net/chunked.hpp"

#include "base/limits.hpp"

#include <algorithm>

namespace dyad::net {
namespace {

constexpr std::uint8_t kDigitsMax = 16;  // all that fit into 64 bits
constexpr auto kExtraMax = static_cast<std::uint16_t>(limits::http_header_bytes_max);

bool is_text(char c) noexcept {
    const auto u = static_cast<unsigned char>(c);
    return (u >= 0x20 && u != 0x7f) || c == '\t';
}

// RFC 9110 section 5.6.2.
bool is_token(char c) noexcept {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

}  // namespace

bool ChunkedReader::digit(char c) noexcept {
    unsigned value = 0;
    if (c >= '0' && c <= '9')
        value = static_cast<unsigned>(c - '0');
    else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
        value = static_cast<unsigned>((c | 0x20) - 'a') + 10;
    else
        return false;
    if (++digits_ > kDigitsMax) return false;
    size_ = size_ << 4 | value;
    at_ = At::digits;
    return true;
}

bool ChunkedReader::line_end() noexcept {
    digits_ = 0;
    at_ = size_ == 0 ? At::trailer : At::data;
    return true;
}

bool ChunkedReader::step(char c) noexcept {
    const auto go = [this](At next) {
        at_ = next;
        return true;
    };
    switch (at_) {
        case At::size:
            return digit(c);
        case At::digits:
            if (c == ';') return go(At::extension);
            return c == '\r' ? go(At::size_end) : digit(c);
        case At::extension:
            ++extra_bytes_;
            return c == '\r' ? go(At::size_end) : is_text(c);
        case At::size_end:
            return c == '\n' && line_end();
        case At::data_return:
            return c == '\r' && go(At::data_end);
        case At::data_end:
            return c == '\n' && go(At::size);
        case At::trailer:
            if (c == '\r') return go(At::body_end);
            ++extra_bytes_;
            return is_token(c) && go(At::trailer_name);
        case At::trailer_name:
            ++extra_bytes_;
            return c == ':' ? go(At::trailer_value) : is_token(c);
        case At::trailer_value:
            ++extra_bytes_;
            return c == '\r' ? go(At::trailer_end) : is_text(c);
        case At::trailer_end:
            return c == '\n' && go(At::trailer);
        case At::body_end:
            return c == '\n' && go(At::done);
        case At::data:
        case At::done:
            break;
    }
    return false;
}

Error ChunkedReader::refused() const {
    if (at_ >= At::trailer) return fail(Errc::invalid_request, "body: a trailer is malformed");
    return fail(Errc::invalid_request, "body: the chunked coding is malformed");
}

Result<bool> ChunkedReader::feed(std::string_view& bytes, std::string& out) {
    while (!bytes.empty() && at_ != At::done) {
        if (at_ == At::data) {
            const std::size_t take = std::min<std::uint64_t>(size_, bytes.size());
            out.append(bytes.data(), take);
            bytes.remove_prefix(take);
            size_ -= take;
            if (size_ == 0) at_ = At::data_return;
            continue;
        }
        const bool was_size = at_ == At::size_end;
        if (!step(bytes.front())) return refused();
        bytes.remove_prefix(1);
        if (extra_bytes_ > kExtraMax)
            return fail(Errc::header_too_large, "body: chunk extensions and trailers may have " +
                                                    std::to_string(limits::http_header_bytes_max) +
                                                    " bytes together");
        if (!was_size) continue;
        if (size_ > data_left_) return fail(Errc::too_large, "body: it is larger than the limit");
        data_left_ -= size_;
    }
    return at_ == At::done;
}

}  // namespace dyad::net
