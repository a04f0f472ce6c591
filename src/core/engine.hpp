// The heart of one cell: the users it holds in memory, their logs, their live sessions.
//
// Single-threaded, no I/O: commands, reads, announcements and ticks come in; appends, reads,
// announcements and deliveries go out through ports. shared/log.md is its specification.
#pragma once

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "bus/bus.hpp"
#include "core/deadlines.hpp"
#include "core/neighbours.hpp"
#include "core/proven_time.hpp"
#include "core/session.hpp"
#include "model/command.hpp"
#include "store/store.hpp"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
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
    Store& store;
    Bus& bus;
    const Renderer& renderer;
};

class UserLog;

class Engine {
  public:
    using ReplyFn = std::function<void(const std::variant<Reply, Rejection>&)>;
    using SnapshotFn = std::function<void(Result<std::shared_ptr<const Snapshot>>)>;
    using ContextFn = std::function<void(Result<ContextPtr>, Position)>;
    using PresenceFn = std::function<void(const std::vector<Presence>&)>;

    Engine(Config config, Ports ports);
    ~Engine();

    // Answers once the command is durable, rejected, or its outcome cannot be had in time.
    void submit(const std::string& user_id, Command&& command, ReplyFn done);
    // The same, of a session: a plain one is not sent what it wrote through it.
    void submit(SessionId session, Command&& command, ReplyFn done);
    // Reads of the durable state, after everything this node has acknowledged.
    void snapshot(const std::string& user_id, SnapshotFn done);
    void context(const std::string& user_id, const std::string& key, ContextFn done);

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
    std::size_t clients_elsewhere() const { return neighbours_.clients_elsewhere(); }
    // As far as can be told, the bus brings what other nodes publish.
    bool hears_others() const { return neighbours_.hears(); }

    // Delivers what was committed since the last call. After every turn of the cell.
    void flush();
    // Timers: expiry, polls, retries, users to let go. To be called by next_ms() at the latest.
    // Costs what is due, however many users there are.
    void tick();
    // The steady time by which something is due. Any call may move it up.
    std::int64_t next_ms() const noexcept;
    const ProvenTime& time() const noexcept { return time_; }
    // True where no command waits for an answer.
    bool idle() const noexcept;

  private:
    friend class UserLog;
    friend class Delivery;

    UserLog& user(const std::string& user_id);
    // The same; and the bus brings what is of the user until it is let go.
    UserLog& followed(const std::string& user_id);
    UserLog* find(const std::string& user_id);
    void hear(const Announcement& announcement);
    void hear(const Hint& hint);
    void hear(const PresenceReport& report);
    void hear(const Heartbeat& beat);
    void committed(const std::string& user_id, const EventBatchPtr& batch);
    void answer_presence(std::int64_t now_ms);
    void submit(UserLog& user, Command&& command, ReplyFn done, OwnWritesPtr own);
    void mark_dirty(UserLog& user);
    void poll();
    std::int64_t next_poll_ms() const;
    void sweep_expired();
    void expire_events();
    ProvenTime::Reading clocks() const;
    void read_clocks();
    void load_clock();
    void save_clock();
    void tick_due_users();
    void let_go(UserLog& user);
    void sessions_changed(const std::string& user_id);
    void presence_changed(const std::string& user_id);
    void release_when_crowded();

    Config config_;
    Ports ports_;
    FeedBudget feed_budget_;
    std::map<std::string, std::unique_ptr<UserLog>, std::less<>> users_;
    std::vector<UserLog*> dirty_;     // with something to deliver
    std::vector<UserLog*> flushing_;  // those of this round, while it lasts
    Run run_;                         // of the user that is being fed
    Deadlines looks_;                 // by the steady clock: at every user, sooner or later
    Deadlines expiries_;              // by the time that is proved: of their contexts
    std::size_t session_count_ = 0;
    std::size_t waiting_ = 0;  // commands without an answer
    std::size_t waiting_bytes_ = 0;
    std::int64_t last_poll_ms_ = 0;
    std::int64_t next_sweep_ms_ = 0;
    std::int64_t next_expiry_ms_ = 0;
    std::int64_t next_release_ms_ = 0;
    std::int64_t next_mark_ms_ = 0;
    ProvenTime time_;
    bool synchronised_ = false;
    std::uint64_t next_serial_ = 0;
    bool polling_ = false;
    std::function<void(const std::string&)> presence_changed_;
    Neighbours neighbours_;
    struct PresenceQuestion {
        std::int64_t due_ms;
        std::string user_id;
        PresenceFn done;
    };
    std::deque<PresenceQuestion> presence_questions_;  // of users who were not followed
    std::shared_ptr<bool> alive_;  // callbacks of ports that outlive the engine do nothing
};

}  // namespace dyad::core
