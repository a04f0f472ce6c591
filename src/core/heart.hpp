// What all users of one engine share: settings, ports, times, and what is bounded for all of them
// together.
#pragma once

#include "core/deadlines.hpp"
#include "core/feed.hpp"
#include "core/kept_time.hpp"
#include "core/neighbours.hpp"
#include "core/ports.hpp"
#include "core/session.hpp"

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace dyad::core {

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

    // There are other nodes, or somebody else on the bus.
    bool shared() const { return ports.log.shared() || config.others_listen; }
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
