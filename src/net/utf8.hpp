// Whether text is UTF-8, also where it has come in part only. Pure.
#pragma once

#include <cstddef>
#include <string_view>

namespace dyad::net {

// How far a text is UTF-8.
struct Utf8 {
    std::size_t valid_bytes;  // of whole characters
    bool cut;                 // what follows is the beginning of a character and nothing else
};
Utf8 scan_utf8(std::string_view text) noexcept;

bool valid_utf8(std::string_view text) noexcept;

}  // namespace dyad::net
