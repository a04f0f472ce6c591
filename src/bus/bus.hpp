// The port to the other nodes and cells (here: nodes): what was committed, who is there. Everything
// it carries is a hint, never the truth; the log is.
//
// The law every backend keeps, and tests/conformance/bus proves:
// - What is of one user reaches the nodes that follow the user, and nobody else: nothing travels
//   for users without local clients. Heartbeats and notes on sessions reach everybody. A heartbeat
//   reaches its sender, too: that is the probe of its own subscription. Nothing else comes back to
//   its sender.
// - Messages may be lost, late, doubled or reordered. A backend passes on only what it knows to be
//   sent by a node (HMAC), and drops what it does not understand.
// - `follow` takes effect before it returns; or later, and then the receiver gets a Hint with
//   `subscribed`: what was published before was not heard. The same after each reconnection.
// - What instances that know nothing of the log publish (they have no offsets) arrives as Foreign,
//   at every node, whoever follows the user.
// - A note on a session leaves before publish() returns, and `when_sent` says when it is where the
//   others have it from: so an answer can come after it.
//
// Threads: as Store. The receiver is never called inside a call to this object.
#pragma once

#include "model/command.hpp"
#include "model/event.hpp"
#include "model/presence.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace dyad {

// A running heart: random, another one at each start.
using NodeId = std::uint64_t;

struct Announcement {
    std::string user_id;
    EventBatchPtr batch;  // committed; prev_hash says what it follows
};

// The log may hold more than was announced: look at it.
struct Hint {
    std::string user_id;
    bool subscribed = false;  // a subscription has begun; else somebody wrote
};

// Who is present at one node, all of them.
struct PresenceReport {
    std::string user_id;
    NodeId node = 0;
    std::uint64_t serial = 0;  // grows with each report of the node: a lower one is out of date
    bool asks = false;         // whoever has sessions of the user is to report, too
    std::size_t sessions = 0;  // private ones and those without an instance, too
    std::vector<Presence> instances;
};

struct Heartbeat {
    NodeId node = 0;
    std::string server;       // the instance id of the server that the node is part of
    std::size_t clients = 0;  // live clients of the node, whoever they are
    std::vector<std::pair<std::string, Position>> heads;  // of logs it wrote to of late, by user
};

// What a note on a session is about. Numbers on the bus: a topic that is not known here is passed
// on, and nobody takes it.
enum class Topic : std::uint8_t {
    session_ended = 1,    // of MCP, as the next three
    subscribed,           // to the entries
    unsubscribed,         // from them
    message,              // for what waits under this name; its text is sealed
    shown,                // the entries are what has changed: keys and versions, 0: forgotten
    shown_anew,           // the same, and whatever was shown before counts no more
    hook_event,           // the entry's number is the event's fingerprint
    compaction_announced  // the same, of the event that says it
};

// What a node that an agent's session came to tells all others, since the next request of the
// session may come to any of them. Never a value of the memory: names, keys and versions.
struct SessionNote {
    std::string server;  // the instance id of the server it comes from, of which all cells know it
    NodeId node = 0;
    std::uint64_t serial = 0;  // grows with each note of the node
    Topic topic = Topic::session_ended;
    std::string user;  // empty where the session's name is nobody else's
    std::string session;
    std::vector<std::pair<std::string, std::uint64_t>> entries;  // session_note_entries_max

    bool operator==(const SessionNote&) const = default;
};

// What an existing instance has published. The documents that it writes are the truth, where it
// writes any: `command` counts where it does not.
struct Foreign {
    std::string user_id;
    std::string instance_id;
    std::string event_id;
    std::int64_t timestamp_ms = 0;
    std::optional<CommandBody> command;  // what it says, as far as it could be read
};

using BusMessage =
    std::variant<Announcement, Hint, PresenceReport, Heartbeat, SessionNote, Foreign>;

struct BusHealth {
    std::string kind = "local";  // or "redis"
    bool connected = true;
    std::int64_t latency_us = 0;  // of the last question to the server
    std::string problem;          // empty where connected
};

// Whose followers a message is for; null: for everybody.
inline const std::string* user_of(const BusMessage& message) {
    return std::visit(
        [](const auto& one) -> const std::string* {
            if constexpr (requires { one.user_id; })
                return &one.user_id;
            else
                return nullptr;
        },
        message);
}

inline bool comes_back(const BusMessage& message) {
    return std::holds_alternative<Heartbeat>(message);
}

class Bus {
  public:
    virtual ~Bus() = default;

    virtual void publish(BusMessage message) = 0;
    // Calls `done` once the notes that were published so far are with whoever brings them to the
    // others; at once where they are or cannot be, and after bus_sent_ms in any case.
    virtual void when_sent(std::function<void()> done) { done(); }
    virtual void follow(const std::string& user_id) = 0;
    virtual void unfollow(const std::string& user_id) = 0;
    // The node does not hear itself any more: subscribes anew to everything that is followed.
    virtual void renew() = 0;
    virtual void set_receiver(std::function<void(const BusMessage&)> receive) = 0;
    // True where, as far as the backend knows, a message sent now would reach the others.
    virtual bool connected() const = 0;
    virtual BusHealth health() const { return {}; }
};

}  // namespace dyad
