// The sync indicator, as Dyad shows it: how many of the enabled systems work. Pure.
#pragma once

#include "cli/terminal.hpp"
#include "model/json.hpp"

#include <string>
#include <vector>

namespace dyad::cli {

struct SystemLine {
    std::string name;
    bool enabled = false;
    bool works = false;
    std::string text;  // "connected, 1.4 ms (sqlite)"
};

struct Indicator {
    std::size_t working = 0;
    std::size_t enabled = 3;
    std::vector<SystemLine> systems;

    // "[📡 Sync] [✓ 3/3 Sync]"
    std::string text() const;
    // Green where all work, amber where some do, dim where none does.
    Colour colour() const noexcept;
};

// `status`: the answer of /api/v1/status; null where no server answers.
Indicator indicator_of(const json::Value& status);

}  // namespace dyad::cli
