// The heart of one cell: the users it holds in memory, their logs, their live sessions.
//
// Single-threaded, no I/O: commands, reads, messages of other nodes and ticks come in; appends,
// reads, messages and deliveries go out through ports.
#pragma once

#include "core/freshness.hpp"
#include "core/heart.hpp"
#include "core/pending.hpp"
#include "core/session.hpp"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dyad::core {

class Engine {
  public:
    using ReplyFn = core::ReplyFn;
    using SnapshotFn = std::function<void(Result<std::shared_ptr<const Snapshot>>)>;
    using ContextFn = std::function<void(Result<ContextPtr>, Position)>;
    using PresenceFn = std::function<void(const std::vector<Presence>&)>;

    Engine(Config config, Ports ports);
    ~Engine();

    // Answers once the command is durable, rejected, or its outcome cannot be had in time.
    // Requires: validate(command) succeeded.
    void submit(const std::string& user_id, Command&& command, ReplyFn done);
    // The same, of a session: a plain one is not sent what it wrote through it.
    void submit(SessionId session, Command&& command, ReplyFn done);
    // Reads of the durable state, after everything this node has acknowledged, and as fresh as
    // that. Errors: invalid_field where the log does not have the position.
    void snapshot(const std::string& user_id, SnapshotFn done, const Freshness& fresh = {});
    void context(const std::string& user_id, const std::string& key, ContextFn done,
                 const Freshness& fresh = {});
    // For how long others may have written what a read of what is at hand does not show.
    std::int64_t age_ms(const std::string& user_id) const;

    // Sessions. `peer` lives until detach. `ready` gets the position the session starts from.
    SessionId attach(SessionRequest request, Peer& peer, std::function<void(Position)> ready);
    void detach(SessionId session);
    // The peer's socket takes bytes again.
    void writable(SessionId session);
    // The end of the log, where the session takes part and was given everything up to it.
    std::optional<Position> caught_up(SessionId session) const;
    // A sign of life from the session's instance.
    void seen(SessionId session);
    // The instances with sessions at any node, by id, but those that are private. A session without
    // an instance takes part as nobody. Those at other nodes as of their last report: see
    // core/attendance.hpp. `done` is called once the others had time to report, mostly at once.
    void presence(const std::string& user_id, PresenceFn done);
    std::vector<Presence> presence(const std::string& user_id) const;
    // `changed` is called when the answer may be another one; never re-enters the heart.
    void on_presence(std::function<void(const std::string& user_id)> changed);
    // Somebody asked for inspired mode in a way that no command can carry out: the instance is
    // private until it says another mode.
    void keep_private(const std::string& user_id, const std::string& instance_id);
    std::size_t session_count() const noexcept { return session_count_; }
    // Of all nodes: those here exactly, the others as of their last reports, so that a limit that
    // is kept by this number is exceeded by what they took since at most.
    std::size_t session_count(const std::string& user_id) const;
    // The live clients of this node, whoever they are; and those of the other nodes of its server,
    // as of their last heartbeats.
    void set_client_count(std::size_t count);
    std::size_t clients_elsewhere() const { return heart_.neighbours.clients_elsewhere(); }
    // What this node knows of an agent's session, for all other nodes, as far as the bus reaches
    // them. Where nobody else has this store, nothing happens.
    bool has_others() const { return heart_.ports.log.shared() && heart_.config.others_listen; }
    void tell(SessionNote note);
    // Calls `done` when what was told is where they have it from, so that they know it before the
    // session's next request. At once where there is nothing to wait for; Bus::when_sent.
    void when_told(std::function<void()> done);
    // `take` is given what the nodes of other servers tell so.
    void on_note(std::function<void(const SessionNote&)> take) { take_note_ = std::move(take); }
    // As far as can be told, the bus brings what other nodes publish.
    bool hears_others() const { return heart_.neighbours.hears(); }

    // Delivers what was committed since the last call. After every turn of the cell.
    void flush();
    // Timers: expiry, polls, retries, stalled sessions, users to let go. To be called by next_ms()
    // at the latest. Costs what is due, however many users there are.
    void tick();
    // The steady time by which something is due. Any call may move it up.
    std::int64_t next_ms() const noexcept;
    const ProvenTime& time() const noexcept { return *heart_.time; }
    // True where no command waits for an answer.
    bool idle() const noexcept { return heart_.commands == 0; }

  private:
    struct PresenceQuestion {
        std::int64_t due_ms;
        std::string user_id;
        PresenceFn done;
    };

    UserLog& user(const std::string& user_id);
    // The same; and the bus brings what is of the user until it is let go.
    UserLog& followed(const std::string& user_id);
    UserLog* find(const std::string& user_id) const;
    void submit(UserLog& user, Command&& command, ReplyFn done, OwnWritesPtr own);
    // `run(log, status)`
    template <class Run>
    void read(const std::string& user_id, const Freshness& fresh, Run run);
    // Messages of other nodes (engine_neighbours.cpp)
    void hear(const Announcement& announcement);
    void hear(const Hint& hint);
    void hear(const PresenceReport& report);
    void hear(const Heartbeat& beat);
    void hear(const SessionNote& note);
    void hear(const Foreign& foreign);
    void answer_presence(std::int64_t now_ms);
    void poll();
    void look_at_documents();
    std::int64_t next_poll_ms() const;
    void sweep_expired();
    void expire_events();
    void tick_due_users();
    void let_go(UserLog& user);
    void release_when_crowded();

    Heart heart_;
    std::map<std::string, std::unique_ptr<UserLog>, std::less<>> users_;
    std::vector<UserLog*> flushing_;  // those of this round, while it lasts
    std::size_t session_count_ = 0;
    std::int64_t last_poll_ms_ = 0;
    std::int64_t next_sweep_ms_ = 0;
    std::int64_t next_expiry_ms_ = 0;
    std::int64_t next_release_ms_ = 0;
    bool polling_ = false;
    bool looking_ = false;
    std::function<void(const SessionNote&)> take_note_;
    std::deque<PresenceQuestion> presence_questions_;  // of users who were not followed
    std::shared_ptr<bool> alive_;  // callbacks of ports that outlive the engine do nothing
};

}  // namespace dyad::core
