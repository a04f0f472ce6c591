// Time and randomness as ports, so that the heart can be run inside a simulator.
#pragma once

#include "base/bytes.hpp"

#include <cstdint>
#include <string>

namespace dyad {

// Threads: the implementations in this folder may be shared.
class Clock {
  public:
    virtual ~Clock() = default;
    // Milliseconds since the Unix epoch. May jump either way.
    virtual std::int64_t wall_ms() const = 0;
    // Milliseconds since some fixed point. Never goes back; a sleep of the machine counts.
    virtual std::int64_t steady_ms() const = 0;
    // True where a time source keeps the wall clock right, as far as the machine knows.
    virtual bool synchronised() const { return false; }
};

class Random {
  public:
    virtual ~Random() = default;
    virtual void fill(std::span<std::uint8_t> out) = 0;

    std::uint64_t next_u64();
    // Uniform in [0, bound). Requires: bound > 0.
    std::uint64_t below(std::uint64_t bound);
    // A random UUID, version 4 (RFC 9562 section 5.4).
    std::string uuid4();
};

// The machine's clocks.
class SystemClock final : public Clock {
  public:
    std::int64_t wall_ms() const override;
    std::int64_t steady_ms() const override;
    bool synchronised() const override;
};

// The kernel's generator, read in blocks. Threads: one owner.
class SystemRandom final : public Random {
  public:
    void fill(std::span<std::uint8_t> out) override;

  private:
    std::array<std::uint8_t, 256> block_{};
    std::size_t left_ = 0;
};

}  // namespace dyad
