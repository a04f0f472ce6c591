#include "model/json_scan.hpp"

#include <bit>
#include <cstdint>
#include <cstring>

#include <emmintrin.h>

namespace dyad::json {
namespace {

constexpr std::size_t kBlockBytes = 64;

// One bit for each byte of a block, the first byte's lowest.
struct Block {
    std::uint64_t quotes = 0;
    std::uint64_t backslashes = 0;
    std::uint64_t opening = 0;
    std::uint64_t closing = 0;
};

Block block_at(const char* at) noexcept {
    Block block;
    const auto bits = [](__m128i equal) {
        return static_cast<std::uint64_t>(static_cast<unsigned>(_mm_movemask_epi8(equal)));
    };
    __m128i escapes[kBlockBytes / 16];
    for (unsigned i = 0; i < kBlockBytes; i += 16) {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + i));
        // Brackets and braces are 0x20 apart, and nothing else falls on the braces.
        const __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
        block.quotes |= bits(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'))) << i;
        block.opening |= bits(_mm_cmpeq_epi8(folded, _mm_set1_epi8('{'))) << i;
        block.closing |= bits(_mm_cmpeq_epi8(folded, _mm_set1_epi8('}'))) << i;
        escapes[i / 16] = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    }
    // Most blocks have none.
    const __m128i any =
        _mm_or_si128(_mm_or_si128(escapes[0], escapes[1]), _mm_or_si128(escapes[2], escapes[3]));
    if (bits(any) != 0)
        for (unsigned i = 0; i < kBlockBytes; i += 16)
            block.backslashes |= bits(escapes[i / 16]) << i;
    return block;
}

// What the text before a block leaves open.
struct Open {
    std::uint64_t levels = 0;
    bool escape = false;       // the block's first byte is escaped
    std::uint64_t string = 0;  // all bits are set inside a string
};

// The bytes that a backslash escapes.
std::uint64_t escaped(std::uint64_t backslashes, Open& open) noexcept {
    std::uint64_t escaped = open.escape ? 1 : 0;
    backslashes &= ~escaped;
    open.escape = false;
    while (backslashes != 0) {
        const int at = std::countr_zero(backslashes);
        if (at == 63) {
            open.escape = true;
            break;
        }
        escaped |= std::uint64_t{2} << at;
        backslashes &= ~(std::uint64_t{3} << at);
    }
    return escaped;
}

// The bytes from each opening quote up to its closing one, that one left out.
std::uint64_t strings(std::uint64_t quotes, Open& open) noexcept {
    std::uint64_t inside = quotes;
    for (int shift = 1; shift < 64; shift *= 2)
        inside ^= inside << shift;
    inside ^= open.string;
    open.string = std::uint64_t{0} - (inside >> 63);
    return inside;
}

// The bytes of the block up to the end; 0 where it does not end there.
std::size_t end_in(const Block& block, Open& open) noexcept {
    std::uint64_t quotes = block.quotes;
    if (block.backslashes != 0 || open.escape) quotes &= ~escaped(block.backslashes, open);
    if ((block.opening | block.closing) == 0) {
        if (std::popcount(quotes) % 2 != 0) open.string = ~open.string;
        return 0;
    }
    const std::uint64_t inside = strings(quotes, open);
    const std::uint64_t opening = block.opening & ~inside;
    std::uint64_t closing = block.closing & ~inside;
    const auto opened = static_cast<std::uint64_t>(std::popcount(opening));
    const auto closed = static_cast<std::uint64_t>(std::popcount(closing));
    if (closed >= open.levels) {
        // The end may be here: at the first closing bracket that no opening one pays for.
        std::uint64_t count = 0;
        for (; closing != 0; closing &= closing - 1) {
            const std::uint64_t before = (closing & (0 - closing)) - 1;
            const auto paid = static_cast<std::uint64_t>(std::popcount(opening & before));
            if (open.levels + paid == ++count)
                return static_cast<std::size_t>(std::countr_zero(closing)) + 1;
        }
    }
    open.levels += opened - closed;
    return 0;
}

}  // namespace

const char* plain_end_of_tail(const char* at, const char* end) noexcept {
    while (at != end && static_cast<signed char>(*at) >= 0x20 && *at != '"' && *at != '\\')
        ++at;
    return at;
}

std::size_t balanced_bytes(std::string_view text) noexcept {
    Open open;
    std::size_t at = 0;
    for (; text.size() - at >= kBlockBytes; at += kBlockBytes)
        if (const std::size_t end = end_in(block_at(text.data() + at), open)) return at + end;
    char last[kBlockBytes];
    std::memset(last, ' ', sizeof last);
    std::memcpy(last, text.data() + at, text.size() - at);
    const std::size_t end = end_in(block_at(last), open);
    return end == 0 ? 0 : at + end;
}

}  // namespace dyad::json
