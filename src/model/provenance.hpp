// Who a value is of, and how far it may be believed: said by whoever writes it, kept with it. The
// server orders nothing by it and interprets no content; readers treat memory as data.
#pragma once

#include "model/names.hpp"

#include <cstdint>
#include <string>

namespace dyad {

// Where the content comes from.
enum class Author : std::uint8_t { user, model, tool, web, import };
template <>
inline constexpr std::array<std::string_view, 5> kNamesOf<Author> = {"user", "model", "tool", "web",
                                                                     "import"};

// From the most to the least.
enum class Trust : std::uint8_t { trusted, unverified, quarantined };
template <>
inline constexpr std::array<std::string_view, 3> kNamesOf<Trust> = {"trusted", "unverified",
                                                                    "quarantined"};

struct Provenance {
    Author kind = Author::user;
    std::string model;  // which one; empty: not said
    Trust trust = Trust::unverified;

    bool operator==(const Provenance&) const = default;
};

}  // namespace dyad
