#include "base/clock.hpp"

#include "base/check.hpp"

#include <chrono>
#include <cstring>

#include <sys/random.h>
#include <sys/timex.h>
#include <time.h>

namespace dyad {

std::uint64_t Random::next_u64() {
    std::array<std::uint8_t, 8> bytes;
    fill(bytes);
    std::uint64_t value;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

std::uint64_t Random::below(std::uint64_t bound) {
    CHECK(bound > 0);
    // Values of the last, incomplete range would favour small results; draw again.
    const std::uint64_t usable = UINT64_MAX - UINT64_MAX % bound;
    std::uint64_t value = next_u64();
    while (value >= usable)
        value = next_u64();
    return value % bound;
}

std::string Random::uuid4() {
    std::array<std::uint8_t, 16> bytes;
    fill(bytes);
    bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);
    bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
    std::string text = to_hex(bytes);
    for (std::size_t at : {8u, 13u, 18u, 23u})
        text.insert(at, 1, '-');
    return text;
}

std::int64_t SystemClock::wall_ms() const {
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

std::int64_t SystemClock::steady_ms() const {
    timespec now{};
    CHECK(clock_gettime(CLOCK_BOOTTIME, &now) == 0);
    return now.tv_sec * std::int64_t{1000} + now.tv_nsec / 1'000'000;
}

bool SystemClock::synchronised() const {
    timex state{};  // asks, and changes nothing: adjtimex(2)
    const int result = adjtimex(&state);
    return result >= 0 && result != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
}

void SystemRandom::fill(std::span<std::uint8_t> out) {
    for (std::uint8_t& byte : out) {
        if (left_ == 0) {
            // At most 256 bytes: never interrupted, never short (getrandom(2)).
            CHECK(getrandom(block_.data(), block_.size(), 0) ==
                  static_cast<ssize_t>(block_.size()));
            left_ = block_.size();
        }
        --left_;
        byte = block_[left_];
        block_[left_] = 0;
    }
}

}  // namespace dyad
