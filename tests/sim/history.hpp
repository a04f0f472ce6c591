// What happened in one simulated run, as seen from outside the heart: what was asked and answered
// at the nodes' edge, what was delivered, what the database made durable and when. The checker
// judges it; nothing in it comes from the heart's own books.
#pragma once

#include "core/freshness.hpp"
#include "core/session.hpp"
#include "model/command.hpp"

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace dyad::sim {

inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

// One process of one node: a restart is another one.
struct ProcessId {
    int node = 0;
    int run = 0;
    auto operator<=>(const ProcessId&) const = default;
};

// An event that became durable; and was lost again where a backup was restored.
struct LogEntry {
    EventBatchPtr event;  // alone in its batch
    Change change;
    std::int64_t journaled_us = 0;
    std::int64_t lost_us = kNever;
    std::int64_t expired_us = kNever;
};

struct Answer {
    ProcessId process;
    std::int64_t at_us = 0;
    std::variant<Reply, Rejection> result;
    std::size_t submission = 0;  // which one it is the answer to: an index of `submitted`
};

struct Stream;

// An operation that reached a node.
struct Submission {
    ProcessId process;
    std::int64_t at_us = 0;
    std::uint64_t order = 0;         // of all of a run
    const Stream* stream = nullptr;  // the connection that it came through, if any
};

struct Operation {
    std::string user_id;
    Command command;
    std::vector<Submission> submitted;
    bool misuse = false;  // sent with the operation id of another, different one
    std::int64_t invoked_us = 0;
    std::vector<Answer> answers;
    int submissions = 0;
    bool awaited = false;  // at the end, its client still waits for an answer
};

// Everything that one connection was told, in order.
struct Stream {
    struct Ready {
        Position position;
    };
    struct Reset {
        std::shared_ptr<const core::Snapshot> snapshot;
    };
    struct Events {
        Offset first = 0;
        Offset last = 0;
        std::vector<std::string> texts;
    };
    struct Item {
        std::int64_t at_us = 0;
        std::variant<Ready, Reset, Events> what;
    };

    core::SessionRequest request;
    ProcessId process;
    std::int64_t attached_us = 0;
    std::int64_t detached_us = kNever;
    std::vector<Item> items;
};

struct Read {
    std::string user_id;
    ProcessId process;
    std::int64_t started_us = 0;
    std::int64_t done_us = 0;
    Position position;
    // One of the two:
    std::shared_ptr<const core::Snapshot> snapshot;
    std::string key;
    ContextPtr context;
    core::Freshness fresh;
    std::int64_t age_ms = 0;  // as the node said, where what is at hand was asked for
    bool final = false;       // taken after everything had healed
};

// What a client had at the end.
struct Replica {
    std::string user_id;
    std::string instance_id;
    core::Dialect dialect = core::Dialect::plain;
    bool connected = false;
    bool complete = false;  // it started from a snapshot or from the log's beginning
    Position position;      // negotiated only
    Offset heard = 0;       // the last offset it was told of
    std::map<std::string, std::pair<Version, std::string>> contexts;  // live: version and data
};

// Who takes part in a user's memory as one node says it, and as it is. Taken after everything had
// healed, where nobody had come or gone for a while.
struct Roll {
    std::string user_id;
    ProcessId process;
    std::size_t said_sessions = 0;
    std::size_t sessions = 0;
    std::map<std::string, std::size_t> said;       // instances, and how many connections each has
    std::map<std::string, std::size_t> attending;  // the same, those that are private, too
};

// What an existing instance wrote beside the log.
struct ForeignWrite {
    std::string user_id;
    ContextPtr context;
    std::int64_t at_us = 0;
    std::int64_t gone_us = kNever;  // another one, or ours, took its place
    bool overwritten = false;       // by what was projected
};
// A change of its mode that an existing instance wrote down; its duration is its own.
struct ForeignMode {
    std::string user_id;
    ModeState state;
};
// A document as it stands at the end.
struct FinalDocument {
    std::string user_id;
    ContextPtr context;
    bool verifies = false;
};

struct Outage {
    std::int64_t from_us = 0;
    std::int64_t to_us = 0;
};

// What is judged of destruction: where clocks are wrong for a moment only.
struct Lifetimes {
    bool judged = false;
    bool punctual = false;  // what is over is gone, too
    std::int64_t event_ttl_ms = 0;
    std::int64_t context_ttl_ms = 0;
    std::int64_t early_ms = 0;  // dates are taken before an event is durable; clocks differ a bit
    std::int64_t late_ms = 0;
};

struct History {
    Lifetimes lifetimes;
    bool clocks_are_right = false;  // all of them, always: what a claim says of its end is so
    std::uint64_t submissions = 0;
    std::map<std::string, std::vector<LogEntry>> logs;  // by user, in the order of durability
    std::vector<Operation> operations;
    std::vector<std::unique_ptr<Stream>> streams;
    std::vector<Read> reads;
    std::vector<Replica> replicas;
    std::vector<Roll> rolls;
    std::vector<ForeignWrite> foreign;
    std::vector<ForeignMode> foreign_modes;
    bool has_documents = false;  // beside the log
    std::vector<FinalDocument> documents;
    std::int64_t quiet_us = kNever;      // what is durable by then, everybody has at the end
    std::vector<Outage> outages;         // of the whole store
    std::vector<std::int64_t> restores;  // when an older backup was put in place
    std::map<std::string, std::vector<std::pair<std::int64_t, Epoch>>> epochs;  // set by a restore
    std::vector<std::string> breaches;  // of the ports' contracts, seen as they happened
};

}  // namespace dyad::sim
