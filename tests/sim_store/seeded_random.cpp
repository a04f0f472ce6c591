#include "sim_store/seeded_random.hpp"

#include <algorithm>
#include <cstring>

namespace dyad::sim {
namespace {

std::uint64_t rotate_left(std::uint64_t value, int count) noexcept {
    return (value << count) | (value >> (64 - count));
}

}  // namespace

SeededRandom::SeededRandom(std::uint64_t seed) noexcept {
    for (std::uint64_t& word : state_) {
        seed += 0x9e3779b97f4a7c15;
        std::uint64_t mixed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
        word = mixed ^ (mixed >> 31);
    }
}

std::uint64_t SeededRandom::draw() noexcept {
    const std::uint64_t drawn = rotate_left(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotate_left(state_[3], 45);
    return drawn;
}

void SeededRandom::fill(std::span<std::uint8_t> out) {
    while (!out.empty()) {
        const std::uint64_t drawn = draw();
        const std::size_t count = std::min(out.size(), sizeof(drawn));
        std::memcpy(out.data(), &drawn, count);
        out = out.subspan(count);
    }
}

std::int64_t SeededRandom::between(std::int64_t low, std::int64_t high) noexcept {
    const auto range = static_cast<std::uint64_t>(high - low) + 1;
    return low + static_cast<std::int64_t>(range == 0 ? draw() : draw() % range);
}

}  // namespace dyad::sim
