// The deliberately broken variants by name: those of the heart (core/mutation.hpp), and those of
// the store and the bus, which break the laws of their ports.
#pragma once

#include "core/mutation.hpp"
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
    BusFlaws bus_flaws;
};

// Every variant but the correct one.
const std::vector<Variant>& all_variants();
std::optional<Variant> variant_by_name(std::string_view name);

}  // namespace dyad::sim
