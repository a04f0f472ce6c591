// The live sessions of one user: each has a position in the log, and is fed from the feed, then
// from the log, then by a snapshot. Nothing here waits for a slow session.
#pragma once

#include "core/session.hpp"
#include "store/log.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace dyad::core {

class UserLog;

class Delivery {
  public:
    explicit Delivery(UserLog& user) : user_(user) {}

    SessionId add(SessionRequest request, Peer& peer, std::function<void(Position)> ready);
    void remove(SessionId session);
    void writable(SessionId session);
    std::size_t size() const noexcept { return sessions_.size(); }
    bool has_plain() const noexcept { return plain_ > 0; }
    std::vector<Presence> presence() const;

    // Starts what waits to start and feeds every session that is behind.
    void flush();
    // The log is another one now, or nobody knows what is missing: every session starts again.
    void reset_all();
    // An instance may have become private, or open: it pauses its sessions.
    void privacy_changed(const std::string& instance_id);
    bool has_session(std::string_view instance_id) const;
    std::set<std::string> instances() const;  // of all sessions

  private:
    using ReadyFn = std::function<void(Position)>;
    // A session that has not begun yet.
    struct Start {
        std::uint64_t serial;
        std::optional<Position> resume;
        bool snapshot;
        ReadyFn ready;
    };

    void start(const Start& start, const Status& fresh);
    void check_resume(Session& session, Position resume, const ReadyFn& ready);
    void begin_to_take_part(Session& session);
    void begin(Session& session, Position after, const ReadyFn& ready);
    void begin_with_reset(Session& session, const ReadyFn& ready);
    void feed(Session& session, Run& run);
    void feed_alone(Session& session);
    // What `run` has blocks for, from session.next on, as far as one run goes. False: the blocks
    // are damaged.
    bool make_run(const Session& session, Run& run);
    // Requires: it fits.
    void hand_over(Session& session, const Run& run);
    void close_damaged(Session& session);
    void feed_from_log(Session& session);
    void feed_slice(Session& session, const LogSlice& slice);
    void reset(Session& session);
    void set_paused(Session& session);
    Session* find(std::uint64_t serial) const;

    UserLog& user_;
    std::vector<std::unique_ptr<Session>> sessions_;
    std::vector<Start> starts_;
    std::size_t plain_ = 0;       // sessions that speak the plain protocol
    std::int64_t delivered_ = 0;  // events since the last flush, not counted yet
    Offset fed_to_ = 0;           // the log's end when all sessions were fed last
    bool behind_ = true;  // since then, a session may have come to need it for another reason
};

}  // namespace dyad::core
