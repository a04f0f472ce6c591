// The operation ids of what is taken into a log from beside it: the same at every node.
#pragma once

#include "base/hash64.hpp"
#include "base/limits.hpp"

#include <array>
#include <charconv>
#include <string>
#include <string_view>

namespace dyad::core {

inline std::string as_hex(std::uint64_t number) {
    std::array<char, 16> hex;
    const auto end = std::to_chars(hex.data(), hex.data() + hex.size(), number, 16).ptr;
    return {hex.data(), end};
}

// "<from>:<name>"; of a name that is too long for that, its hash.
inline std::string adoption_id(std::string_view from, std::string_view name) {
    std::string id = std::string(from) + ":" + std::string(name);
    if (id.size() <= static_cast<std::size_t>(limits::operation_id_bytes_max)) return id;
    return std::string(from) + ":#" + as_hex(hash64(name)) + as_hex(hash64(name, 1));
}

}  // namespace dyad::core
