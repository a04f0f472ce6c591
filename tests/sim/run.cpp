#include "sim/run.hpp"

#include "sim/world.hpp"

namespace dyad::sim {

Outcome run_seed(std::uint64_t seed, const Variant& variant, bool keep_trace) {
    core::active_mutation() = variant.mutation;
    Scenario scenario = draw_scenario(seed);
    scenario.flaws = variant.flaws;
    scenario.document_flaws = variant.document_flaws;
    scenario.bus_flaws = variant.bus_flaws;
    scenario.edge_flaws = variant.edge_flaws;
    if (variant.adjust != nullptr) variant.adjust(scenario.config);
    World world(seed, scenario, keep_trace);
    world.run();
    Outcome outcome;
    outcome.violations = check(world.history());
    outcome.trace_hash = world.trace().hash();
    outcome.steps = world.steps();
    if (keep_trace) outcome.trace = world.trace().lines();
    core::active_mutation() = core::Mutation::none;
    return outcome;
}

}  // namespace dyad::sim
