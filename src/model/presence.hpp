// An instance of a user as it takes part now.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

namespace dyad {

struct Presence {
    std::string instance_id;
    std::size_t connections = 0;
    std::int64_t connected_at_ms = 0;  // the oldest of its connections
    std::int64_t last_seen_ms = 0;     // the newest sign of life

    // More connections of the same instance.
    void add(const Presence& other) {
        connections += other.connections;
        connected_at_ms = std::min(connected_at_ms, other.connected_at_ms);
        last_seen_ms = std::max(last_seen_ms, other.last_seen_ms);
    }
};

}  // namespace dyad
