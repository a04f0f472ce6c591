// What all users of one engine share: settings, ports, times, and what is bounded for all of them
// together.
#pragma once

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "bus/bus.hpp"
#include "core/deadlines.hpp"
#include "core/feed.hpp"
#include "core/kept_time.hpp"
#include "core/neighbours.hpp"
#include "core/session.hpp"
#include "store/archive.hpp"
#include "store/documents.hpp"
#include "store/log.hpp"

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace dyad::core {

struct Config {
    std::int64_t context_ttl_ms = 30LL * 24 * 3600 * 1000;  // 0 = for ever
    std::int64_t event_ttl_ms = 7LL * 24 * 3600 * 1000;     // 0 = for ever
    std::int64_t poll_ms = 5000;          // for what others wrote, while the bus is up
    std::int64_t poll_down_ms = 250;      // while it is down
    std::int64_t retry_ms = 50;           // first pause after an unknown outcome; doubles
    std::int64_t command_ms = 10000;      // a command gets its answer by then
    std::int64_t sweep_ms = 30'000;       // for contexts of users whom nobody is connected for
    std::int64_t retention_ms = 600'000;  // for events that are over; the first one sooner
    ProofConfig proof;
    NeighbourConfig neighbours;
    std::size_t feeds_bytes_max = limits::feeds_bytes_max;
    std::size_t commands_bytes_max = limits::commands_queued_bytes_max;
    bool push_events = true;  // false: sessions are sent states that they ask for, and no events
    std::size_t instances_max = limits::instances_per_user_max;
    std::size_t private_instances_max = limits::private_instances_per_user_max;
};

struct Ports {
    Clock& clock;
    Random& random;
    Log& log;
    Archive& archive;
    Bus& bus;
    const Renderer& renderer;
    Documents* documents = nullptr;  // where others write beside the log
};

// Lifetime: the engine's; outlives its users.
struct Heart {
    // `local`: who is present here, of a user.
    Heart(Config from, Ports to, Neighbours::LocalFn local);

    const Config config;
    Ports ports;
    FeedBudget feeds;
    KeptTime time;
    Neighbours neighbours;
    Deadlines looks;     // by the steady clock: at every user, sooner or later
    Deadlines expiries;  // by the time that is proved: of their contexts
    RunBuffers run;
    std::vector<UserLog*> dirty;       // with something to decide or to deliver
    std::set<std::string> to_look_at;  // users whose documents somebody may have written
    std::size_t commands = 0;          // without an answer
    std::size_t commands_bytes = 0;
    std::function<void(const std::string& user_id)> on_presence;

    bool shared() const { return ports.log.shared(); }
    std::int64_t steady_ms() const { return ports.clock.steady_ms(); }
    // Never used twice in a process.
    std::uint64_t next_serial() noexcept { return ++serial_; }
    // A session has come or gone; and, `presence_changed`, one that others are told of.
    void sessions_changed(const std::string& user_id);
    void presence_changed(const std::string& user_id);
    // Has the documents of the user looked at, soon.
    void look_at_documents(UserLog& user);
    // Tells the other nodes.
    void announce(const std::string& user_id, const EventBatchPtr& batch);

  private:
    std::uint64_t serial_ = 0;
};

}  // namespace dyad::core
