// One live client of one user, as the heart sees it: an instance, a dialect and a position.
#pragma once

#include "base/check.hpp"
#include "core/feed.hpp"
#include "core/own_writes.hpp"
#include "model/change.hpp"
#include "model/presence.hpp"

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dyad::core {

class UserLog;

// A consistent picture of a user's memory at a position. Cheap to take: contexts are shared.
struct Snapshot {
    Position position;
    std::vector<ContextPtr> contexts;  // live ones, by key
    std::vector<ModeState> modes;
    std::vector<Conflict> conflicts;
    std::vector<Claim> claims;  // by resource
};

// The port to the connection. Threads: the cell's. Calls never re-enter the heart.
class Peer {
  public:
    virtual ~Peer() = default;
    // Takes a run of events, whole: what the socket does not accept at once is kept (at most
    // output_held_bytes_max). False: take no more until the peer calls Engine::writable().
    // `pieces`: plain dialect: complete frames; negotiated: event texts, to be joined as they
    // stand into one `events` message.
    virtual bool deliver(Offset first, Offset last,
                         const std::vector<std::string_view>& pieces) = 0;
    // The session's position is not in the log any more: here is the state instead. The same
    // return value as deliver. Plain clients get a `state-response`.
    virtual bool reset(std::shared_ptr<const Snapshot> snapshot) = 0;
    virtual void close(Errc why) = 0;
};

struct SessionRequest {
    std::string user_id;
    std::string instance_id;  // nothing is pushed while it is in inspired mode
    bool listed = true;       // it is present as long as the session lasts
    Dialect dialect = Dialect::plain;
    // Negotiated: where to resume. Absent: from the end of the log.
    std::optional<Position> resume;
    bool snapshot = false;  // negotiated, without `resume`: begin with a snapshot
};

struct Session {
    Peer* peer = nullptr;
    UserLog* user = nullptr;
    std::uint64_t serial = 0;            // never used twice in a process
    Offset next = 0;                     // the offset it receives next; 0: a snapshot comes first
    std::array<std::uint8_t, 8> hash{};  // of the event before `next`, as a Position has it
    std::int64_t connected_at_ms = 0;
    std::int64_t last_seen_ms = 0;
    std::string instance_id;
    OwnWritesPtr own;         // of a plain one that has written
    std::uint32_t index = 0;  // in its user's list
    Dialect dialect = Dialect::plain;
    bool ready = false;    // its start was checked; it takes part in delivery
    bool blocked = false;  // its socket is full
    bool reading = false;  // a read of the log is under way for it
    bool paused = false;   // its instance is private
    bool listed = true;    // it is present as long as it is ready and not private
};
using SessionId = Session*;

// The room for the run that is being handed out, kept so that it need not be had anew. One run at a
// time.
struct RunBuffers {
    std::vector<Block*> blocks;
    std::vector<std::string_view> pieces;
    bool in_use = false;
};

// What a session gets at once. Most sessions of a user stand at the same place: the first of them
// makes it, for all. Lifetime: within one call that feeds sessions, while the feed does not change.
struct Run {
    explicit Run(RunBuffers& room) : blocks(room.blocks), pieces(room.pieces), buffers(room) {
        CHECK(!std::exchange(buffers.in_use, true));
        blocks.clear();
    }
    ~Run() { buffers.in_use = false; }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    // Whether it is what `session` gets.
    bool fits(const Session& session) const;

    Offset first = 0;
    Offset last = 0;  // 0: there is none
    std::array<std::uint8_t, 8> hash{};
    Dialect dialect = Dialect::plain;
    bool whole = false;  // nothing was left out for the session that it was made for
    std::vector<Block*>& blocks;
    std::vector<std::string_view>& pieces;
    RunBuffers& buffers;
};

}  // namespace dyad::core
