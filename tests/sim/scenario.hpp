// How large a run is and what goes wrong in it: drawn from the seed alone.
#pragma once

#include "core/engine.hpp"
#include "sim/sim_bus.hpp"
#include "sim_store/sim_store.hpp"

#include <cstdint>

namespace dyad::sim {

// What the nodes' edge (the codecs and the connections) does against the contract of
// core/engine.hpp and core/session.hpp, for variants that must be caught.
struct EdgeFlaws {
    bool strips_conditions = false;  // expected versions are lost on their way in
    bool confuses_users = false;     // every session is of the first user
    bool loses_first = false;        // of what a connection that resumed is sent
    bool repeats_first = false;      // ... and has it again, as the next
    bool drops_when_full = false;    // what does not fit is dropped
    bool hurries_snapshots = false;  // a snapshot says a later position than it has
    bool reads_at_hand = false;      // whatever a read asks for
    bool hides_age = false;          // what is at hand is said to be new
    bool strips_fences = false;      // the claims that writes are made under are lost on their way
    bool strips_sessions = false;    // ... and the sessions of an instance that claim
};

struct Scenario {
    int nodes = 1;
    int users = 1;
    int clients_per_user = 1;
    int operations_per_client = 8;
    int keys_per_user = 2;
    std::int64_t active_us = 2'000'000;  // then everything heals

    int foreign_writes = 0;  // by existing instances, into the documents
    bool calm = false;       // nothing goes wrong
    bool beats = true;       // heartbeats come within the run, and help

    core::Config config;
    StoreFaults store;
    BusFaults bus;
    SimDatabase::Flaws flaws;
    SimDocuments::Flaws document_flaws;
    BusFlaws bus_flaws;
    EdgeFlaws edge_flaws;

    // In thousandths:
    std::int64_t plain_clients = 250;
    std::int64_t shared_instances = 50;  // two connections of one instance
    std::int64_t slow_sockets = 100;
    std::int64_t lost_answers = 0;  // from a node to its client
    std::int64_t half_open = 300;   // disconnects that the node does not notice at once
    std::int64_t lazy_flush = 0;    // turns that end without a flush
    std::int64_t expiring = 0;      // writes with an expiry soon
    std::int64_t bursts = 200;      // several operations at once
    std::int64_t claims = 0;        // operations that claim, release, or are made under a claim
    std::int64_t clock_skew_ms = 0;

    // How many of each incident, at random times:
    int node_crashes = 0;
    int database_crashes = 0;
    int database_cuts = 0;       // of one node
    int bus_cuts = 0;            // of one node
    int lost_subscriptions = 0;  // of one node, which is not told
    int clock_jumps = 0;
    int sleeps = 0;           // a machine suspended for minutes
    int wrong_moments = 0;    // a clock that is far off, and right again before it is believed
    int wrong_starts = 0;     // ... when its node starts
    bool slow_clock = false;  // the only node starts months behind, and learns the time later
    int disconnects = 0;
    int expiries = 0;  // of old events
    int restores = 0;  // of an older backup
    bool restore_new_epoch = false;
    bool restore_live = false;    // the nodes run on, and only find the database gone for a while
    bool regrow_exactly = false;  // nobody writes any more once a log is as long as before it

    bool has_right_clocks() const {
        return clock_skew_ms == 0 && clock_jumps + sleeps + wrong_moments + wrong_starts == 0 &&
               !slow_clock && restores == 0;
    }
};

Scenario draw_scenario(std::uint64_t seed);

}  // namespace dyad::sim
