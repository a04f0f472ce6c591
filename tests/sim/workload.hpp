// The commands that a simulated client sends: every kind, mostly sensible, from what it knows.
#pragma once

#include "model/command.hpp"
#include "sim_store/seeded_random.hpp"

#include <map>
#include <string>
#include <vector>

namespace dyad::sim {

// What the client has seen so far.
struct Knowledge {
    const std::map<std::string, std::pair<Version, std::string>>& contexts;
    const std::map<std::string, Version>& versions;
    const std::vector<std::string>& conflicts;
    const std::map<std::string, Token>& claims;  // by resource: that it got, ended ones too
};

struct Wish {
    std::string user_id;
    std::string instance_id;
    std::string operation_id;
    int keys = 1;
    bool expires_soon = false;
    bool is_private = false;  // its instance is in inspired mode
    std::int64_t claims = 0;  // in thousandths: commands that have to do with claims
    std::int64_t now_ms = 0;
    std::uint64_t value = 0;  // never used twice in a run
};

Command draw_command(SeededRandom& random, const Wish& wish, const Knowledge& known);

// For people who read a trace.
std::string describe(const Command& command);

}  // namespace dyad::sim
