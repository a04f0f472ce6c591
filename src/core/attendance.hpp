// Who takes part at other nodes, as they report it over the bus.
//
// A report is whole (everybody of one user at one node) and numbered: the newest stands. It is a
// lease: it ends when its node has neither renewed it for presence_lease_ms nor been heard of for
// node_silent_ms. So what is told here is late by a message, or, where messages were lost or a node
// died, by a lease. Pure.
#pragma once

#include "bus/bus.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace dyad::core {

class Attendance {
  public:
    struct Leases {
        std::int64_t report_ms = 0;  // without a renewal
        std::int64_t node_ms = 0;    // without a heartbeat or a report
    };

    explicit Attendance(Leases leases) : leases_(leases) {}

    // True where somebody has come or gone by it.
    bool take(const PresenceReport& report, std::int64_t now_ms);
    void take(const Heartbeat& beat, std::int64_t now_ms);
    // The user is not followed any more.
    void forget(const std::string& user_id) { users_.erase(user_id); }
    // Ends what is over. Returns the users of whom somebody has gone.
    std::vector<std::string> expire(std::int64_t now_ms);

    bool empty() const noexcept { return users_.empty(); }
    std::size_t sessions(const std::string& user_id) const;
    std::vector<Presence> instances(const std::string& user_id) const;
    // Live clients of the other nodes of this server.
    std::size_t clients(const std::string& server) const;

  private:
    struct Row {
        std::uint64_t serial = 0;
        std::int64_t heard_ms = 0;
        std::size_t sessions = 0;
        std::vector<Presence> instances;
    };
    struct Node {
        std::int64_t heard_ms = 0;
        std::string server;
        std::size_t clients = 0;
    };
    using Rows = std::map<NodeId, Row>;

    const Leases leases_;
    std::map<std::string, Rows, std::less<>> users_;
    std::map<NodeId, Node> nodes_;
};

}  // namespace dyad::core
