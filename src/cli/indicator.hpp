// The sync indicator, as Dyad shows it: connected / enabled of storage, bus and WebSocket; the
// first two are called MongoDB and Redis where they are these. Pure.
#pragma once

#include "cli/terminal.hpp"
#include "model/json.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace dyad::cli {

struct SystemState {
    std::string name;
    bool enabled = false;
    bool healthy = false;
    std::string note;

    const char* mark() const;
    Colour colour() const;
};

struct Indicator {
    std::size_t healthy = 0;
    std::size_t enabled = 0;
    bool draining = false;
    Colour colour = Colour::dim;  // green: all; amber: some, or it is about to stop; dim: none
    std::vector<SystemState> systems;

    // "[📡 Sync] [✓ 3/3 Sync]"
    std::string text() const;
    std::string painted() const { return paint(colour, text()); }
};

// Of the answer of GET /status.
Indicator indicator_of(const json::Value& status);
// Where no server answers.
Indicator indicator_offline();
// Of an item of GET /instances: "connected", "private" or "away".
std::string presence_of(const json::Value& instance);
// Dyad hides it from an instance in this mode.
bool hides_indicator(std::string_view mode) noexcept;

}  // namespace dyad::cli
