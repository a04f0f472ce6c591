// One seed: run and judged.
#pragma once

#include "sim/checker.hpp"
#include "sim/mutations.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace dyad::sim {

struct Outcome {
    Violations violations;
    std::uint64_t trace_hash = 0;
    std::uint64_t steps = 0;
    std::vector<std::string> trace;  // where it was asked for
};

Outcome run_seed(std::uint64_t seed, const Variant& variant, bool keep_trace);

}  // namespace dyad::sim
