#include "sim/mutations.hpp"

#include <iterator>

namespace dyad::core {

Mutation& active_mutation() noexcept {
    static Mutation active = Mutation::none;
    return active;
}

}  // namespace dyad::core

namespace dyad::sim {
namespace {

// In the order of core::Mutation.
constexpr std::string_view kNames[] = {
    "none",
    "skip_operation_lookup",
    "acknowledge_before_commit",
    "acknowledge_unknown",
    "retry_unknown_blindly",
    "drop_conflict_loser",
    "decide_on_stale_state",
    "ignore_expected_version",
    "version_greater_suffices",
    "reuse_version",
    "timestamps_from_clock",
    "trust_wall_clock",
    "believe_at_start",
    "forget_corrections",
    "operations_unknown",
    "fold_before_commit",
    "skip_gap",
    "trust_announcement_offset",
    "ignore_announcement_gap",
    "no_poll",
    "heads_ignore_hash",
    "resume_without_hash",
    "resume_without_epoch",
    "resume_one_late",
    "resume_one_early",
    "deliver_before_commit",
    "deliver_to_wrong_user",
    "snapshot_of_older_state",
    "lose_session_behind_feed",
    "forget_paused_position",
    "dead_stay_present",
    "private_once_durable",
    "fold_skips_delete",
    "expiry_without_event",
    "chain_not_verified",
    "repeat_expired",
};
static_assert(std::size(kNames) == core::kMutationCount);

std::vector<Variant> make_variants() {
    std::vector<Variant> variants;
    for (int i = 1; i < core::kMutationCount; ++i) {
        Variant variant{.name = std::string(kNames[i]), .mutation = static_cast<core::Mutation>(i)};
        // Designs that never look for an operation have no index of them either.
        variant.flaws.no_operation_index =
            variant.mutation == core::Mutation::skip_operation_lookup ||
            variant.mutation == core::Mutation::retry_unknown_blindly;
        variants.push_back(std::move(variant));
    }
    using Flaws = SimDatabase::Flaws;
    const auto flawed = [&](const char* name, bool Flaws::* flaw) {
        Variant variant{.name = name};
        variant.flaws.*flaw = true;
        variants.push_back(std::move(variant));
    };
    flawed("store_without_offset_index", &Flaws::no_offset_index);
    flawed("store_serves_unjournaled", &Flaws::serves_unjournaled);
    flawed("store_commits_unjournaled", &Flaws::commits_unjournaled);
    flawed("store_forgets_expired", &Flaws::forgets_expired);
    flawed("epoch_by_node", &Flaws::epoch_by_node);
    const auto broken_bus = [&](const char* name, bool BusFlaws::* flaw) {
        Variant variant{.name = name};
        variant.bus_flaws.*flaw = true;
        variants.push_back(std::move(variant));
    };
    broken_bus("bus_follows_nobody", &BusFlaws::follows_nobody);
    broken_bus("bus_follows_silently", &BusFlaws::follows_silently);
    broken_bus("bus_echoes_without_probe", &BusFlaws::echoes_without_probe);
    broken_bus("bus_drops_hints", &BusFlaws::drops_hints);
    broken_bus("bus_drops_heads", &BusFlaws::drops_heads);
    broken_bus("bus_drops_reports", &BusFlaws::drops_reports);
    return variants;
}

}  // namespace

const std::vector<Variant>& all_variants() {
    static const std::vector<Variant> variants = make_variants();
    return variants;
}

std::optional<Variant> variant_by_name(std::string_view name) {
    if (name == "none") return Variant{.name = "none"};
    for (const Variant& variant : all_variants())
        if (variant.name == name) return variant;
    return std::nullopt;
}

}  // namespace dyad::sim
