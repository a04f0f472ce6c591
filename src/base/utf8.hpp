// Whether text is UTF-8 (RFC 3629), also where it has come in part only: the one check of the
// product. Pure.
#pragma once

#include <cstddef>
#include <string_view>

namespace dyad {

// How far a text is UTF-8.
struct Utf8 {
    std::size_t valid_bytes;  // of whole characters
    bool cut;                 // what follows is the beginning of a character and nothing else
};
Utf8 scan_utf8(std::string_view text) noexcept;

bool valid_utf8(std::string_view text) noexcept;

}  // namespace dyad
