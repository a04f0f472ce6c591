// Randomness that is a function of a seed (xoshiro256**, seeded by splitmix64). Never for secrets.
#pragma once

#include "base/clock.hpp"

#include <cstdint>

namespace dyad::sim {

class SeededRandom final : public Random {
  public:
    explicit SeededRandom(std::uint64_t seed) noexcept;

    void fill(std::span<std::uint8_t> out) override;
    std::uint64_t draw() noexcept;
    // Uniform in [low, high]. Requires: low <= high.
    std::int64_t between(std::int64_t low, std::int64_t high) noexcept;
    // True `permille` times in a thousand.
    bool chance(std::int64_t permille) noexcept { return between(0, 999) < permille; }

  private:
    std::uint64_t state_[4];
};

}  // namespace dyad::sim
