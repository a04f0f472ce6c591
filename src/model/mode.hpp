// The three collaboration modes, what each is capable of, and one instance's mode.
#pragma once

#include "model/names.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dyad {

enum class Mode : std::uint8_t { inspired, didactic, parallel };
template <>
inline constexpr std::array<std::string_view, 3> kNamesOf<Mode> = {"inspired", "didactic",
                                                                   "parallel"};

struct Capabilities {
    bool local_ai;
    bool external_ai;
    bool multi_channel;
    bool offline_capable;
    bool real_time_sync;
};

constexpr Capabilities capabilities_of(Mode mode) noexcept {
    return {.local_ai = mode != Mode::didactic,
            .external_ai = mode != Mode::inspired,
            .multi_channel = mode == Mode::parallel,
            .offline_capable = mode == Mode::inspired,
            .real_time_sync = mode != Mode::inspired};
}

// The mode of one instance, and the transition that led to it.
struct ModeState {
    std::string instance_id;
    Mode current = Mode::inspired;
    std::optional<Mode> previous;
    std::optional<std::string> configuration;  // canonical JSON
    std::int64_t activated_at_ms = 0;
    std::int64_t updated_at_ms = 0;
    std::uint64_t sync_version = 0;  // counts the changes of this instance's mode
    // The transition:
    std::int64_t transition_duration_ms = 0;
    bool success = true;
    std::optional<Mode> attempted;  // where it failed: the mode that was meant
    std::optional<std::string> error_message;
    std::optional<std::string> context_snapshot;  // canonical JSON
};

}  // namespace dyad
