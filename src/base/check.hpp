// CHECK: a condition that only a programmer's error can break. It stays on in release builds: a
// broken invariant stops the process (recovery is the tested path) rather than corrupt the log.
#pragma once

namespace dyad {

[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace dyad

#define CHECK(condition)                                          \
    do {                                                          \
        if (!(condition)) [[unlikely]]                            \
            ::dyad::check_failed(#condition, __FILE__, __LINE__); \
    } while (false)
