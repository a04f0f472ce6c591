#include "net/utf8.hpp"

#include <cstdint>
#include <cstring>

namespace dyad::net {

// The automaton of RFC 3629 section 4, with a fast way through ASCII.
Utf8 scan_utf8(std::string_view text) noexcept {
    const auto* const begin = reinterpret_cast<const unsigned char*>(text.data());
    const auto* const end = begin + text.size();
    const unsigned char* at = begin;
    while (at < end) {
        while (end - at >= 8) {
            std::uint64_t word;
            std::memcpy(&word, at, 8);
            if (word & 0x8080808080808080u) break;
            at += 8;
        }
        if (at == end) break;
        const auto valid = static_cast<std::size_t>(at - begin);
        const unsigned char lead = *at++;
        if (lead < 0x80) continue;
        int more = 0;
        unsigned char low = 0x80;
        unsigned char high = 0xbf;
        if (lead >= 0xc2 && lead <= 0xdf) {
            more = 1;
        } else if (lead >= 0xe0 && lead <= 0xef) {
            more = 2;
            if (lead == 0xe0) low = 0xa0;
            if (lead == 0xed) high = 0x9f;
        } else if (lead >= 0xf0 && lead <= 0xf4) {
            more = 3;
            if (lead == 0xf0) low = 0x90;
            if (lead == 0xf4) high = 0x8f;
        } else {
            return {valid, false};
        }
        for (; more > 0; --more) {
            if (at == end) return {valid, true};
            if (*at < low || *at > high) return {valid, false};
            low = 0x80;
            high = 0xbf;
            ++at;
        }
    }
    return {text.size(), false};
}

bool valid_utf8(std::string_view text) noexcept {
    return scan_utf8(text).valid_bytes == text.size();
}

}  // namespace dyad::net
