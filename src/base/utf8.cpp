#include "base/utf8.hpp"

#include <cstdint>
#include <cstring>

namespace dyad {
namespace {

bool is_ascii(unsigned char byte) noexcept {
    return byte < 0x80;
}

// The first byte that is not ASCII, or one less than eight bytes before it or the end.
const unsigned char* skip_ascii(const unsigned char* at, const unsigned char* end) noexcept {
    for (; end - at >= 8; at += 8) {
        std::uint64_t word;
        std::memcpy(&word, at, sizeof word);
        if (word & 0x8080808080808080u) break;
    }
    return at;
}

// What may follow a lead byte (RFC 3629 section 4).
struct Tails {
    int count = 0;  // 0: no character begins so
    unsigned char low = 0x80;
    unsigned char high = 0xbf;  // of the first one
};
Tails tails_after(unsigned char lead) noexcept {
    if (lead < 0xc2 || lead > 0xf4) return {};
    if (lead < 0xe0) return {.count = 1};
    if (lead == 0xe0) return {.count = 2, .low = 0xa0};
    if (lead == 0xed) return {.count = 2, .high = 0x9f};
    if (lead < 0xf0) return {.count = 2};
    if (lead == 0xf0) return {.count = 3, .low = 0x90};
    if (lead == 0xf4) return {.count = 3, .high = 0x8f};
    return {.count = 3};
}

}  // namespace

Utf8 scan_utf8(std::string_view text) noexcept {
    const auto* const begin = reinterpret_cast<const unsigned char*>(text.data());
    const auto* const end = begin + text.size();
    for (const unsigned char* at = begin; at != end;) {
        if (is_ascii(*at)) at = skip_ascii(at, end);
        if (at == end) break;
        const auto valid = static_cast<std::size_t>(at - begin);
        const unsigned char lead = *at++;
        if (is_ascii(lead)) continue;
        Tails tails = tails_after(lead);
        if (tails.count == 0) return {valid, false};
        for (; tails.count > 0; tails = {.count = tails.count - 1}) {
            if (at == end) return {valid, true};
            if (*at < tails.low || *at > tails.high) return {valid, false};
            ++at;
        }
    }
    return {text.size(), false};
}

bool valid_utf8(std::string_view text) noexcept {
    return scan_utf8(text).valid_bytes == text.size();
}

}  // namespace dyad
