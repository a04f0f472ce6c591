// The deliberately broken variants by name: of the heart (core/mutation.hpp) those that nothing
// outside of it can bring about; all others are ports, settings and an edge that break their word.
#pragma once

#include "core/mutation.hpp"
#include "sim/scenario.hpp"
#include "sim/sim_bus.hpp"
#include "sim_store/sim_database.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::sim {

struct Variant {
    std::string name;
    core::Mutation mutation = core::Mutation::none;
    SimDatabase::Flaws flaws;
    SimDocuments::Flaws document_flaws;
    BusFlaws bus_flaws;
    EdgeFlaws edge_flaws;
    void (*adjust)(core::Config& config) = nullptr;
};

// Every variant but the correct one.
const std::vector<Variant>& all_variants();
std::optional<Variant> variant_by_name(std::string_view name);

}  // namespace dyad::sim
