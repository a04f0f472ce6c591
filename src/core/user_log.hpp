// One active user: the fold of the log up to its durable end, the commands on their way into it,
// and the sessions that follow it.
//
// The durable end only moves by whole, chained batches (adopt): own appends that the store
// committed, announcements that follow exactly, and what catch_up reads. Everything else (replies,
// deliveries, snapshots) is derived from it, so nothing is shown that could still vanish.
//
// Lifetime: owned by the Engine; never let go while a call to a port is under way.
#pragma once

#include "core/decide.hpp"
#include "core/delivery.hpp"
#include "core/engine.hpp"
#include "core/feed.hpp"
#include "core/privacy.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

namespace dyad::core {

// A command on its way.
struct Pending {
    std::unique_ptr<Command> command;
    Engine::ReplyFn done;
    std::uint64_t fingerprint = 0;
    std::uint64_t key = 0;  // operation_key
    std::int64_t since_ms = 0;
    std::size_t bytes = 0;
    int tries = 0;
    bool sent_unknown = false;          // an append that held it got no answer
    bool fresh = false;                 // the log was read to its end after the command came
    bool is_new = false;                // its key is in the log, but for another operation
    OwnWritesPtr own;                   // of the plain session that it came through
    PrivacyAsks::Serial serial = 0;     // when it came
    PrivacyAsks::Serial asked = 0;      // the ask for privacy of its instance that stood then
    PrivacyAsks::Serial via_asked = 0;  // the same of the instance that it came through
    std::uint64_t load = 0;  // what was looked up for it is of the log as it was loaded then
#ifdef DYAD_SIMULATION
    std::shared_ptr<const Change> stale;  // Mutation::decide_on_stale_state
#endif
};

class UserLog {
  public:
    // `serial`: never used twice in a process.
    UserLog(Engine& engine, std::string user_id, std::uint64_t serial);

    const std::string& user_id() const noexcept { return user_id_; }
    bool ready() const noexcept { return phase_ == Phase::ready; }
    const LogHead& head() const noexcept { return head_; }
    // True where a log that ends at `end` has nothing that is not here, as far as that can tell.
    bool is_at(const Position& end) const noexcept;
    Offset first_kept() const noexcept { return first_kept_; }
    const State& state() const noexcept { return state_; }
    Feed& feed() noexcept { return feed_; }
    Delivery& delivery() noexcept { return delivery_; }
    const Delivery& delivery() const noexcept { return delivery_; }

    void submit(Pending&& pending);
    void keep_private(const std::string& instance_id);
    // Its mode is inspired, or it asked for that.
    bool is_private(std::string_view instance_id) const;
    // Calls `run` once the state is at least as new as everything acknowledged anywhere before.
    void when_fresh(std::function<void(Status)> run);
    void receive(const Announcement& announcement);
    // Reads on to the durable end of the log, then calls `done`.
    void catch_up(std::function<void(Status)> done);
    std::shared_ptr<const Snapshot> snapshot();
    // What is due by the steady clock; and, by the time that is proved, of contexts that expire.
    void tick(std::int64_t now_ms);
    void expire();
    // Tells the engine when this user has to be looked at next. Called when anything of that may
    // have moved up.
    void arm();
    void look_by(std::int64_t when_ms) { engine_.looks_.move_up(look_, when_ms); }
    // True where nothing is under way and nobody would miss it.
    bool releasable() const noexcept;
    std::int64_t used_ms() const noexcept { return used_ms_; }
    void touch() noexcept;

  private:
    friend class Delivery;
    friend class Engine;
    enum class Phase : std::uint8_t { cold, loading, ready };
    // A batch that is not settled: the store has not answered yet, or its answer settled nothing.
    struct Flight {
        EventBatchPtr batch;
        Changes changes;
        std::vector<Pending> writes;  // of the events, in order
        // Answers that rest on what the batch does, though they are not in it.
        std::vector<std::pair<Pending, std::variant<Reply, Rejection>>> others;
        bool answered = false;                      // else it is settled by nothing but its answer
        std::int64_t since_ms = Deadlines::kNever;  // of the oldest command without an answer
    };

    // Wraps a port's callback: it does nothing once the engine is gone, and counts as under way.
    template <class Fn>
    auto guarded(Fn fn);

    void load();
    void loaded(Result<LoadedLog> result);
    void reload();
    // Writing (user_log_write.cpp)
    void pump();
    void read_operations();
    void operations_read(const Result<std::vector<std::uint64_t>>& keys);
    void build_batch();
    void place(Flight& flight, EventBatch& batch, LogHead& head, View& view, Pending&& pending);
    // Its instance asked for privacy before it came, and nothing on the way has ended that.
    bool is_private(const Pending& pending, const Flight& flight) const;
    void keep_private_since(const State& before);
    void cannot_note(const std::string& instance_id, PrivacyAsks::Serial ask);
    void adopt_mode(const ModeChange& change, std::uint64_t operation_key, Offset offset,
                    const Pending* own);
    void note_own(const Pending& pending, Offset offset);
    // An event of the batch under way, which was read before the store's answer came.
    void adopt_own(const EventEntry& entry, Offset offset);
    const Pending* find_pending(std::uint64_t operation_key) const;
    void decide_afresh(std::vector<std::pair<Pending, std::variant<Reply, Rejection>>> unproven);
    void forget_other_log(Pending& pending) const;
    bool is_repeat(const Pending& pending) const;
    void answer_repeat(Pending pending);
    void repeat_expired(Pending& pending);
    void refuse_repeat(Pending& pending, const Error& error);
    void repeat_mode(const Pending& pending);
    void end_repeat(const Pending& pending);
    void repeat_found(std::shared_ptr<Pending> pending, Offset offset);
    void answer_from(Pending& pending, const EventBatch& batch, Offset offset);
    void fill_version(Pending pending, const NeedsVersion& needed);
    void sent(AppendResult result);
    void committed();
    void refused(const Error& error);
    void settle(const Status& read);
    void requeue_flight();
    void finish_flight(Flight& flight);
    void reply(Pending& pending, std::variant<Reply, Rejection>&& answer);
    void give_up_old(std::int64_t now_ms);
    std::int64_t next_expiry_ms() const;  // Requires: something expires
    // Reading
    Status adopt_texts(EventBatchPtr batch);
    // Requires: the batch follows; the changes and source instances of its events.
    // `own`: their commands, where they came from here.
    void adopt(EventBatchPtr batch, std::span<const Change> changes,
               std::span<const std::string_view> sources, std::span<const Pending> own = {});
    bool follows(const EventBatch& batch) const;
    Status adopt_slice(const LogSlice& slice);
    void read_on();
    void caught_up(const Status& status);
    void retry_later();
    Ports& ports() noexcept { return engine_.ports_; }

    Engine& engine_;
    const std::string user_id_;
    Phase phase_ = Phase::cold;
    bool catching_up_ = false;
    bool dirty_ = false;  // in the engine's list
    int calls_ = 0;       // to ports, under way
    std::uint64_t loads_ = 0;
    LogHead head_;
    Offset first_kept_ = 1;
    State state_;
    // key -> offset, 0: not known which. All of the log's once they are known; until then, what
    // was adopted since the log was loaded.
    boost::unordered_flat_map<std::uint64_t, Offset> operations_;
    bool operations_known_ = false;
    bool reading_operations_ = false;
    PrivacyAsks privacy_;
    PrivacyAsks::Serial heard_ = 1;  // of commands and asks
    int repeated_modes_ = 0;         // looked up: what they mean for what follows is not known yet
    std::function<bool(std::string_view)> is_present_;
    Feed feed_;
    Delivery delivery_;
    std::deque<Pending> queue_;
    std::optional<Flight> flight_;
    std::vector<std::function<void(Status)>> fresh_waiters_;
    std::vector<std::function<void(Status)>> catch_up_waiters_;  // of the read under way
    std::vector<std::function<void(Status)>> next_waiters_;      // came after it began
    std::shared_ptr<const Snapshot> snapshot_;
    std::int64_t retry_at_ms_ = 0;  // steady; 0 = nothing to retry
    std::int64_t retry_pause_ms_ = 0;
    std::int64_t used_ms_ = 0;
    Deadlines::Slot look_;    // in engine_.looks_
    Deadlines::Slot expiry_;  // in engine_.expiries_
};

}  // namespace dyad::core
