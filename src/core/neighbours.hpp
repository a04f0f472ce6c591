// What a heart and the other nodes tell each other over the bus beside what was committed: whom a
// node follows, who is present there, and that it lives.
//
// A heartbeat does three things: it names the heads of the logs that the node wrote to of late, so
// that a lost announcement is found, the last one, too; it says that the node lives; and it comes
// back to its sender, which proves the sender's own subscription. Where that fails, the node
// subscribes anew, and polls fast until it hears itself again.
//
// A node that shares its store with nobody has no neighbours and says nothing.
#pragma once

#include "bus/bus.hpp"
#include "core/attendance.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace dyad::core {

struct NeighbourConfig {
    std::string server;                 // the instance id of the server that the node is part of
    std::int64_t beat_ms = 2'000;       // between heartbeats, while somebody is there
    std::int64_t presence_ms = 30'000;  // between renewals of a report, and else of heartbeats
    std::int64_t report_ms = 250;       // between reports of what changes; the first goes at once
    int beats_missed = 3;               // in a row: then something is wrong; one more: it is dead
    int renewals_missed = 3;            // in a row: then a report is over
};

class Neighbours {
  public:
    struct Local {
        std::size_t sessions = 0;
        std::vector<Presence> instances;
    };
    using LocalFn = std::function<Local(const std::string& user_id)>;
    using ChangedFn = std::function<void(const std::string& user_id)>;

    // `local`: who is present here. `changed`: somebody has come or gone elsewhere.
    Neighbours(const NeighbourConfig& config, Bus& bus, NodeId self, LocalFn local,
               ChangedFn changed);

    void follow(const std::string& user_id, std::int64_t now_ms);
    void unfollow(const std::string& user_id);
    // A subscription to the user has begun late, or again.
    void subscribed(const std::string& user_id);
    // Somebody has come or gone here. Requires: the user is followed.
    void presence_changed(const std::string& user_id);
    void clients_changed(std::size_t count, std::int64_t now_ms);
    void wrote(const std::string& user_id, const Position& head);

    // At once.
    void tell(SessionNote note);
    void take(const PresenceReport& report, std::int64_t now_ms);
    void take(const Heartbeat& beat, std::int64_t now_ms);
    // Publishes the reports and the heartbeat that are due. At the end of each turn.
    void flush(std::int64_t now_ms);
    std::int64_t next_ms() const;

    // As far as can be told, what others publish arrives here.
    bool hears() const { return bus_.connected() && !deaf_; }
    // When the others have had time to say who is present there; 0: the user is not followed.
    std::int64_t known_ms(const std::string& user_id) const;
    const Attendance& elsewhere() const noexcept { return elsewhere_; }
    std::size_t clients_elsewhere() const { return elsewhere_.clients(config_.server); }

  private:
    struct Followed {
        std::int64_t since_ms = 0;
        std::int64_t renew_ms = 0;  // its place in renewals_; 0: none
    };

    // Who only keeps users in memory proves its subscription now and then: an idle server sleeps.
    bool has_something_to_tell() const { return !followed_.empty() || is_lively(); }
    // Somebody is present, here or elsewhere, or has written; or the others think so.
    bool is_lively() const {
        return clients_ > 0 || clients_told_ > 0 || !heads_.empty() || !renewals_.empty() ||
               !elsewhere_.empty() || deaf_;
    }
    void beat(std::int64_t now_ms);
    void report(std::int64_t now_ms);
    void renew_by(const std::string& user_id, Followed& followed, std::int64_t when_ms);

    const NeighbourConfig config_;
    Bus& bus_;
    const NodeId self_;
    std::uint64_t notes_ = 0;  // so far
    const LocalFn local_;
    const ChangedFn changed_;
    Attendance elsewhere_;
    std::map<std::string, Followed, std::less<>> followed_;
    std::map<std::string, bool> to_report_;                    // and whether to ask
    std::set<std::pair<std::int64_t, std::string>> renewals_;  // when
    std::map<std::string, Position> heads_;                    // for the next heartbeat
    std::size_t clients_ = 0;
    std::size_t clients_told_ = 0;  // by the last heartbeat
    std::uint64_t serial_ = 0;
    std::int64_t next_report_ms_ = 0;
    std::int64_t next_beat_ms_ = 0;
    std::int64_t last_beat_ms_ = 0;
    int unheard_ = 0;  // of its own heartbeats, the newest
    bool deaf_ = false;
};

}  // namespace dyad::core
