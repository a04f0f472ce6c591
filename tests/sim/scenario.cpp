#include "sim/scenario.hpp"

#include <algorithm>

namespace dyad::sim {
namespace {

constexpr std::uint64_t kClocksEvery = 11;

void draw_size(SeededRandom& random, Scenario& scenario) {
    const std::int64_t size = random.between(0, 9);
    const bool tiny = size < 4;
    const bool large = size == 9;
    scenario.nodes = static_cast<int>(random.between(1, tiny ? 2 : 4));
    scenario.users = static_cast<int>(random.between(1, tiny ? 2 : 3));
    scenario.clients_per_user = static_cast<int>(random.between(1, tiny ? 2 : large ? 5 : 3));
    scenario.operations_per_client = static_cast<int>(random.between(3, tiny    ? 6
                                                                        : large ? 25
                                                                                : 12));
    scenario.keys_per_user = static_cast<int>(random.between(1, 3));
    scenario.active_us = random.between(300, tiny ? 1'500 : 4'000) * 1'000;
}

void draw_store_faults(SeededRandom& random, StoreFaults& store) {
    const auto rate = [&](std::int64_t max) {
        return random.chance(400) ? random.between(1, max) : 0;
    };
    store.refuse = rate(50);
    store.lose_request = rate(100);
    store.lose_answer = rate(150);
    store.late = rate(150);
    store.partial = rate(200);
    store.repeat = rate(100);
    store.step_by_step = rate(500);
    store.read_error = rate(80);
    store.late_max_us = random.between(1, 30) * 100'000;
}

void draw_incidents(SeededRandom& random, Scenario& scenario) {
    const auto count = [&](std::int64_t permille, std::int64_t max) {
        return random.chance(permille) ? static_cast<int>(random.between(1, max)) : 0;
    };
    scenario.node_crashes = count(400, 3);
    scenario.database_crashes = count(350, 2);
    scenario.database_cuts = count(250, 2);
    scenario.bus_cuts = count(300, 2);
    scenario.clock_jumps = count(300, 4);
    scenario.sleeps = count(80, 2);
    scenario.disconnects = count(600, 6);
    scenario.expiries = count(200, 3);
    scenario.restores = count(350, 1);
    scenario.restore_new_epoch = random.chance(250);
    scenario.restore_live = scenario.nodes > 1 && random.chance(400);
    scenario.regrow_exactly = scenario.restore_live && random.chance(600);
    if (!scenario.regrow_exactly) return;
    // Whoever connects or asks would notice: so little else happens, and there is time.
    scenario.node_crashes = scenario.database_cuts = scenario.sleeps = scenario.disconnects = 0;
    scenario.active_us += 2'000'000;
}

void draw_config(SeededRandom& random, core::Config& config) {
    config.poll_ms = random.between(200, 1'000);
    config.poll_down_ms = random.between(50, 200);
    config.retry_ms = random.between(5, 50);
    config.command_ms = random.between(500, 2'500);
    const std::int64_t life = random.between(0, 3);
    if (life == 0) config.context_ttl_ms = 0;
    if (life == 1) config.context_ttl_ms = random.between(500, 3'000);
}

// What nodes tell each other, and what becomes of it. Of its own random numbers, so that the other
// parts of the scenarios stay what they are.
void draw_neighbours(std::uint64_t seed, Scenario& scenario) {
    SeededRandom random(seed ^ 0xbea7);
    scenario.config.neighbours = {.server = "s",
                                  .beat_ms = random.between(100, 250),
                                  .presence_ms = random.between(200, 400),
                                  .report_ms = 50};
    if (!scenario.calm) {
        if (random.chance(300)) scenario.lost_subscriptions = 1;
        if (random.chance(300)) scenario.bus.strangers = random.between(10, 300);
        return;
    }
    switch (random.between(0, 3)) {  // what is found without a poll
        case 0:                      // what is announced tells of what was missed
            scenario.beats = false;
            scenario.config.neighbours.beat_ms = 60'000;
            break;
        case 1:
            scenario.lost_subscriptions = static_cast<int>(random.between(1, 2));
            break;
        case 2:
            scenario.bus.strangers = random.between(100, 1'000);
            break;
        case 3:
            scenario.bus.lose_announcements = random.between(50, 500);
            break;
        default:
            break;
    }
}

// Existing instances beside the nodes. Of its own random numbers, too.
void draw_foreign(std::uint64_t seed, Scenario& scenario) {
    SeededRandom random(seed ^ 0xf0e1);
    if (scenario.nodes > 1 && scenario.restores == 0 && random.chance(300))
        scenario.foreign_writes = static_cast<int>(random.between(1, 12));
}

// Things expire within the run, and clocks are wrong, but never for as long as it takes to be
// believed. Of its own random numbers, so that the other scenarios stay what they are.
void draw_clocks(std::uint64_t seed, Scenario& scenario) {
    SeededRandom random(seed ^ 0xc10c2);
    Scenario plain;
    plain.nodes = scenario.nodes;
    plain.users = scenario.users;
    plain.clients_per_user = scenario.clients_per_user;
    plain.operations_per_client = scenario.operations_per_client;
    plain.keys_per_user = scenario.keys_per_user;
    plain.disconnects = scenario.disconnects;
    plain.active_us = random.between(2'000, 4'000) * 1'000;
    plain.config.poll_ms = scenario.config.poll_ms;
    plain.config.context_ttl_ms = random.between(600, 3'000);
    plain.config.event_ttl_ms = random.between(600, 3'000);
    plain.config.sweep_ms = plain.config.retention_ms = random.between(50, 150);
    plain.config.proof = {.tolerance_ms = 30,
                          .hold_min_ms = 400,
                          .hold_scale_ms = 48LL * 3600'000,
                          .hold_max_ms = 800,
                          .hold_synchronised_ms = 800};
    plain.store.journal_max_us = random.between(0, 5'000);
    plain.wrong_moments = static_cast<int>(random.between(1, 4));
    plain.wrong_starts = static_cast<int>(random.between(0, 2));
    plain.slow_clock = plain.nodes == 1 && random.chance(500);
    if (plain.slow_clock) plain.wrong_moments = plain.wrong_starts = 0;
    scenario = plain;
}

// Claims, and writes under them; of its own random numbers, so that the other scenarios stay what
// they are.
void draw_claims(std::uint64_t seed, Scenario& scenario) {
    SeededRandom random(seed ^ 0xc1a1);
    if (random.chance(400)) scenario.claims = random.between(200, 700);
}

}  // namespace

Scenario draw_scenario(std::uint64_t seed) {
    SeededRandom random(seed ^ 0x5ce7a210);
    Scenario scenario;
    draw_size(random, scenario);
    draw_config(random, scenario.config);
    if (seed % 3 == 0) scenario.config.feeds_bytes_max = 4'000;     // a few events of all users
    if (seed % 5 == 1) scenario.config.commands_bytes_max = 4'000;  // a few commands of all users
    if (seed % 4 == 2) {  // so that instances have to make room
        scenario.config.instances_max = 1;
        scenario.config.private_instances_max = 2;
    }
    scenario.store.delay_min_us = random.between(0, 300);
    scenario.store.delay_max_us = random.between(300, random.chance(300) ? 30'000 : 3'000);
    scenario.store.journal_max_us = random.between(0, random.chance(300) ? 100'000 : 5'000);
    scenario.store.time_out_us = random.between(50, 600) * 1'000;
    scenario.store.waits_for_flush = seed % 2 == 0;
    scenario.bus.delay_max_us = random.between(100, random.chance(300) ? 50'000 : 3'000);
    scenario.plain_clients = random.between(0, 500);
    scenario.slow_sockets = random.chance(400) ? random.between(100, 700) : 0;
    scenario.lazy_flush = random.chance(200) ? random.between(100, 700) : 0;
    scenario.expiring = random.chance(300) ? random.between(50, 300) : 0;
    scenario.bursts = random.between(0, 500);
    scenario.clock_skew_ms = random.chance(500) ? random.between(1, 5'000) : 0;
    if (random.chance(100)) {
        // A calm one: the bus loses nothing, so nobody should have to wait for a poll.
        scenario.config.poll_ms = 60'000;
        if (seed % 2 == 0) scenario.bus.delay_max_us = 50'000;  // so that they overtake each other
        scenario.calm = true;
        draw_neighbours(seed, scenario);
        return scenario;
    }
    if (random.chance(700)) draw_store_faults(random, scenario.store);
    if (scenario.nodes == 1) scenario.store.late = 0;  // an embedded store keeps the order of calls
    if (random.chance(600)) {
        scenario.bus.lose = random.between(0, random.chance(200) ? 900 : 200);
        scenario.bus.repeat = random.between(0, 200);
        scenario.bus.late = random.between(0, 200);
    }
    scenario.lost_answers = random.chance(400) ? random.between(10, 200) : 0;
    draw_incidents(random, scenario);
    if (seed % kClocksEvery == 4 && scenario.restores == 0) draw_clocks(seed, scenario);
    draw_neighbours(seed, scenario);
    draw_foreign(seed, scenario);
    draw_claims(seed, scenario);
    return scenario;
}

}  // namespace dyad::sim
