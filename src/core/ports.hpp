// What the heart of a cell is made with: its settings, and the ports to the world outside.
#pragma once

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "bus/bus.hpp"
#include "core/neighbours.hpp"
#include "core/proven_time.hpp"
#include "store/archive.hpp"
#include "store/documents.hpp"
#include "store/log.hpp"

#include <cstddef>
#include <cstdint>

namespace dyad::core {

class Renderer;

struct Config {
    std::int64_t context_ttl_ms = 30LL * 24 * 3600 * 1000;  // 0 = for ever
    std::int64_t event_ttl_ms = 7LL * 24 * 3600 * 1000;     // 0 = for ever
    std::int64_t poll_ms = 5000;          // for what others wrote, while the bus is up
    std::int64_t poll_down_ms = 200;      // while it is down: delivered within 250
    std::int64_t retry_ms = 50;           // first pause after an unknown outcome; doubles
    std::int64_t command_ms = 10000;      // a command gets its answer by then
    std::int64_t sweep_ms = 30'000;       // for contexts of users whom nobody is connected for
    std::int64_t retention_ms = 600'000;  // for events that are over; the first one sooner
    ProofConfig proof;
    NeighbourConfig neighbours;
    std::size_t feeds_bytes_max = limits::feeds_bytes_max;
    std::size_t commands_bytes_max = limits::commands_queued_bytes_max;
    bool others_listen = false;  // on the bus, also where nobody else writes the log: they are told
    bool push_events = true;     // false: sessions are sent states that they ask for, and no events
    std::size_t instances_max = limits::instances_per_user_max;
    std::size_t private_instances_max = limits::private_instances_per_user_max;
};

struct Ports {
    Clock& clock;
    Random& random;
    Log& log;
    Archive& archive;
    Bus& bus;
    const Renderer& renderer;
    Documents* documents = nullptr;  // where others write beside the log
};

}  // namespace dyad::core
