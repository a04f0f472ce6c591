// The names of the model's enumerations, as they stand on the wire and in the store. Each has its
// table beside it, in the order of its values, which count from 0:
//
//     template <>
//     inline constexpr std::array<std::string_view, 3> kNamesOf<Mode> = {"inspired", …};
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace dyad {

template <class Enum>
inline constexpr std::nullptr_t kNamesOf = nullptr;

template <class Enum>
concept NamedEnum = requires { kNamesOf<Enum>.size(); };

template <NamedEnum Enum>
constexpr std::string_view name_of(Enum value) noexcept {
    return kNamesOf<Enum>[static_cast<std::size_t>(value)];
}

template <NamedEnum Enum>
constexpr std::optional<Enum> by_name(std::string_view name) noexcept {
    const auto at = std::find(kNamesOf<Enum>.begin(), kNamesOf<Enum>.end(), name);
    if (at == kNamesOf<Enum>.end()) return std::nullopt;
    return static_cast<Enum>(at - kNamesOf<Enum>.begin());
}

// "inspired, didactic or parallel": what a field that takes one must be.
template <NamedEnum Enum>
std::string any_of_names() {
    std::string list;
    for (const std::string_view& name : kNamesOf<Enum>) {
        const bool last = &name == &kNamesOf<Enum>.back();
        list.append(list.empty() ? "" : last ? " or " : ", ").append(name);
    }
    return list;
}

}  // namespace dyad
