// The names of an enumeration: an array in the order of its values, which count from 0.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string_view>

namespace dyad {

template <class Enum, std::size_t N>
constexpr std::string_view name_in(const std::string_view (&names)[N], Enum value) noexcept {
    return names[static_cast<std::size_t>(value)];
}

template <class Enum, std::size_t N>
constexpr std::optional<Enum> value_in(const std::string_view (&names)[N],
                                       std::string_view name) noexcept {
    const auto* const at = std::find(std::begin(names), std::end(names), name);
    if (at == std::end(names)) return std::nullopt;
    return static_cast<Enum>(at - names);
}

}  // namespace dyad
