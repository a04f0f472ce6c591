// Bytes of JSON strings looked at eight at a time, in the words that every processor has. Internal
// to the reading and the writing of JSON.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace dyad::json {

// The lowest byte of a word is the first one of the text.
static_assert(std::endian::native == std::endian::little);

inline constexpr std::uint64_t kOnes = 0x0101010101010101;
inline constexpr std::uint64_t kTops = kOnes * 0x80;

// The top bit of a byte is set where it is a quote, a backslash or a control character. It may also
// be set of any byte beyond ASCII, and of those above such a one (a borrow goes upwards only), so
// that the lowest one that is ASCII is always right.
inline std::uint64_t specials_in(std::uint64_t word) noexcept {
    return (word - kOnes * 0x20) | ((word ^ kOnes * '"') - kOnes) | ((word ^ kOnes * '\\') - kOnes);
}

inline std::uint64_t load_word(const char* from) noexcept {
    std::uint64_t word;
    std::memcpy(&word, from, sizeof word);
    return word;
}

// The first byte that is not a plain character of a string: ASCII from 0x20 on but for '"' and
// '\\'.
inline const char* plain_end(const char* at, const char* end) noexcept {
    for (; end - at >= 8; at += 8) {
        const std::uint64_t word = load_word(at);
        const std::uint64_t found = (specials_in(word) | word) & kTops;
        if (found != 0) return at + std::countr_zero(found) / 8;
    }
    while (at != end && static_cast<signed char>(*at) >= 0x20 && *at != '"' && *at != '\\')
        ++at;
    return at;
}

}  // namespace dyad::json
