// A fast 64-bit hash (XXH3) for tables and damage detection; never a proof against an attacker.
#pragma once

#include <cstdint>
#include <string_view>

namespace dyad {

std::uint64_t hash64(std::string_view bytes, std::uint64_t seed = 0) noexcept;

}  // namespace dyad
