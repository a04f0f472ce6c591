// Where strings, arrays and objects end, found many bytes a step. Internal to the reading of JSON.
#pragma once

#include <bit>
#include <cstddef>
#include <string_view>

#include <emmintrin.h>

namespace dyad::json {

// plain_end() for less than a step.
const char* plain_end_of_tail(const char* at, const char* end) noexcept;

// The first byte that is not a plain character of a string: ASCII from 0x20 on but for '"' and
// '\\'. 16 bytes a step.
inline const char* plain_end(const char* at, const char* end) noexcept {
    for (; end - at >= 16; at += 16) {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
        // Bytes from 0x80 on are negative here, and so below 0x20 like control characters.
        const __m128i special =
            _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)),
                         _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                      _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
        const auto found = static_cast<unsigned>(_mm_movemask_epi8(special));
        if (found != 0) return at + std::countr_zero(found);
    }
    return plain_end_of_tail(at, end);
}

// The bytes of the array or object that `text` begins with; 0 where it does not end. Only quotes,
// escapes and the count of brackets tell, whatever their kind: for JSON that is exact; other text
// may end anywhere, and is found out when it is read. 64 bytes a step, no recursion, no stack.
// Requires: `text` begins with '{' or '['.
std::size_t balanced_bytes(std::string_view text) noexcept;

}  // namespace dyad::json
