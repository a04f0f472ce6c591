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

using Flaws = SimDatabase::Flaws;

// In the order of core::Mutation.
constexpr const char* kHeart[] = {
    "none",
    "version_greater_suffices",
    "forget_corrections",
    "skip_gap",
    "trust_announcement_offset",
    "chain_not_verified",
    "resume_without_hash",
    "resume_without_epoch",
    "forget_paused_position",
    "private_once_durable",
};
static_assert(std::size(kHeart) == core::kMutationCount);

template <class Flags>
struct Flag {
    const char* name;
    bool Flags::* flaw;
};
constexpr Flag<Flaws> kStore[] = {
    {"store_without_offset_index", &Flaws::no_offset_index},
    {"store_serves_unjournaled", &Flaws::serves_unjournaled},
    {"store_reads_deposed_primary", &Flaws::reads_deposed},
    {"store_commits_unjournaled", &Flaws::commits_unjournaled},
    {"store_forgets_expired", &Flaws::forgets_expired},
    {"epoch_by_node", &Flaws::epoch_by_node},
    {"acknowledge_before_commit", &Flaws::commits_on_send},
    {"acknowledge_unknown", &Flaws::commits_unknown},
    {"drop_conflict_loser", &Flaws::commits_losers},
    {"retry_unknown_blindly", &Flaws::retries_blindly},
    {"decide_on_stale_state", &Flaws::moves_losers},
    {"deliver_before_commit", &Flaws::announces_to_self},
    {"announce_before_commit", &Flaws::announces_to_others},
    {"no_poll", &Flaws::fails_heads},
    {"heads_ignore_hash", &Flaws::compares_lengths},
    {"store_without_operation_index", &Flaws::no_operation_index},
    {"misplace_duplicates", &Flaws::misplaces_duplicates},
    {"reject_repeats", &Flaws::finds_nothing},
    {"reject_expired_repeats", &Flaws::finds_kept_only},
    {"fold_skips_delete", &Flaws::keeps_deleted},
    {"expiry_without_event", &Flaws::drops_expired},
    {"reuse_version", &Flaws::reuses_versions},
    {"timestamps_from_clock", &Flaws::forgets_timestamps},
    {"believe_at_start", &Flaws::forgets_clock},
    {"forget_claims", &Flaws::forgets_claims},
    {"forget_renewals", &Flaws::forgets_renewals},
    {"revive_claims", &Flaws::revives_claims},
    {"claims_never_end", &Flaws::refuses_claim_ends},
};
constexpr Flag<SimDocuments::Flaws> kDocuments[] = {
    {"overwrite_foreign_unseen", &SimDocuments::Flaws::overwrites_foreign},
    {"ignore_foreign", &SimDocuments::Flaws::hides_foreign},
    {"ignore_foreign_version", &SimDocuments::Flaws::hides_versions},
    {"adopt_twice", &SimDocuments::Flaws::takes_each_look_for_new},
    {"project_backwards", &SimDocuments::Flaws::goes_back},
    {"ignore_foreign_modes", &SimDocuments::Flaws::hides_transitions},
    {"adopt_modes_twice", &SimDocuments::Flaws::renames_transitions},
};
constexpr Flag<BusFlaws> kBus[] = {
    {"bus_follows_nobody", &BusFlaws::follows_nobody},
    {"bus_follows_silently", &BusFlaws::follows_silently},
    {"bus_echoes_without_probe", &BusFlaws::echoes_without_probe},
    {"bus_drops_hints", &BusFlaws::drops_hints},
    {"bus_drops_heads", &BusFlaws::drops_heads},
    {"bus_drops_reports", &BusFlaws::drops_reports},
    {"ignore_announcement_gap", &BusFlaws::stops_at_gaps},
};
constexpr Flag<EdgeFlaws> kEdge[] = {
    {"ignore_expected_version", &EdgeFlaws::strips_conditions},
    {"deliver_to_wrong_user", &EdgeFlaws::confuses_users},
    {"resume_one_late", &EdgeFlaws::loses_first},
    {"resume_one_early", &EdgeFlaws::repeats_first},
    {"lose_session_behind_feed", &EdgeFlaws::drops_when_full},
    {"snapshot_of_older_state", &EdgeFlaws::hurries_snapshots},
    {"read_what_is_at_hand", &EdgeFlaws::reads_at_hand},
    {"hide_the_age", &EdgeFlaws::hides_age},
    {"late_holder_accepted", &EdgeFlaws::strips_fences},
    {"grant_to_both_sessions", &EdgeFlaws::strips_sessions},
};

std::vector<Variant> make_variants() {
    std::vector<Variant> variants;
    for (int i = 1; i < core::kMutationCount; ++i)
        variants.push_back({.name = kHeart[i], .mutation = static_cast<core::Mutation>(i)});
    const auto add = [&](const auto& flags, auto Variant::* part) {
        for (const auto& [name, flaw] : flags) {
            variants.push_back({.name = name});
            variants.back().*part.*flaw = true;
        }
    };
    add(kStore, &Variant::flaws);
    add(kDocuments, &Variant::document_flaws);
    add(kBus, &Variant::bus_flaws);
    add(kEdge, &Variant::edge_flaws);
    for (Variant& variant : variants) {
        // Who sends it again blindly has no index of operations either.
        if (variant.flaws.retries_blindly) variant.flaws.no_operation_index = true;
        // Nor do the other nodes tell of their heads' hashes.
        if (variant.flaws.compares_lengths) variant.bus_flaws.drops_heads = true;
    }
    variants.push_back({.name = "trust_wall_clock",
                        .adjust = [](core::Config& config) { config.proof.hold_max_ms = 0; }});
    variants.push_back({.name = "dead_stay_present", .adjust = [](core::Config& config) {
                            config.neighbours.beats_missed = 1'000'000;
                            config.neighbours.renewals_missed = 1'000'000;
                        }});
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
