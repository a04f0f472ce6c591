// One active user: the fold of the log up to its durable end, and, around it, a part for each job.
//
//   part         file           its job
//   LogReader    log_reader     loads the log, reads on to its end, knows how fresh that is
//   LogWriter    log_writer     queues commands, decides them in batches, settles their outcome;
//                               has Repeats, which answers what was applied before
//   Expiry       expiry         makes the end of contexts and claims an event
//   Projector    projector      keeps the documents beside the log in step with it
//   UserPrivacy  user_privacy   who is private: by the log, and by what was asked for
//   Delivery     delivery       the sessions, each with its position
//
// The durable end only moves by whole, chained batches (adopt): own appends that the store
// committed, announcements that follow exactly, and what the reader reads. Everything else
// (replies, deliveries, snapshots) is derived from it, so nothing is shown that could still vanish.
//
// What may be under way at once, by the reader's phase (log_reader.hpp) and the writer's batch
// (log_writer.hpp):
//
//   reader            batch       what a command does
//   cold, loading     none        waits for the load
//   cold, loading     any other   waits; the log is another one now, or the same anew: the batch is
//                                 settled once that was read
//   ready, reading    none        is decided; but for a mode that came again, which is looked up,
//                                 and all that came behind it
//   ready, reading    any other   waits for the batch
//
// Lifetime: owned by the Engine; never let go while a call to a port is under way.
#pragma once

#include "core/delivery.hpp"
#include "core/expiry.hpp"
#include "core/heart.hpp"
#include "core/log_reader.hpp"
#include "core/log_writer.hpp"
#include "core/port_calls.hpp"
#include "core/projector.hpp"
#include "core/user_privacy.hpp"

#include <memory>
#include <span>
#include <string>

namespace dyad::core {

class UserLog {
  public:
    UserLog(Heart& heart, std::string user_id);
    ~UserLog();

    // For the engine
    LogReader& reader() noexcept { return reader_; }
    const LogReader& reader() const noexcept { return reader_; }
    LogWriter& writer() noexcept { return writer_; }
    Projector& projector() noexcept { return projector_; }
    UserPrivacy& privacy() noexcept { return privacy_; }
    const UserPrivacy& privacy() const noexcept { return privacy_; }
    Feed& feed() noexcept { return feed_; }
    Delivery& delivery() noexcept { return delivery_; }
    const Delivery& delivery() const noexcept { return delivery_; }
    // The end of a turn, of those that are dirty: first all of them decide what waits, then all
    // feed their sessions.
    void write();
    void deliver();
    // What is due by the steady clock; and, by the time that is proved, of contexts that expire.
    void tick(std::int64_t now_ms);
    void expire() { expiry_.expire(); }
    // Tells the heart when this user has to be looked at next. Called when anything of that may
    // have moved up.
    void arm();
    void look_by(std::int64_t when_ms) { heart_.looks.move_up(look_, when_ms); }
    // True where nothing is under way and nobody would miss it.
    bool releasable() const noexcept;
    std::int64_t used_ms() const noexcept { return used_ms_; }
    void touch() noexcept { used_ms_ = heart_.steady_ms(); }

    // For everybody
    const std::string& user_id() const noexcept { return user_id_; }
    bool ready() const noexcept { return reader_.ready(); }
    const LogHead& head() const noexcept { return head_; }
    Offset first_kept() const noexcept { return first_kept_; }
    const State& state() const noexcept { return state_; }
    std::shared_ptr<const Snapshot> snapshot();
    // True where a log that ends at `end` has nothing that is not here, as far as that can tell.
    bool is_at(const Position& end) const noexcept;

    // For the parts
    Heart& heart() noexcept { return heart_; }
    PortCalls& calls() noexcept { return calls_; }
    // How often another log, or the same one anew, has taken the place of what was held.
    std::uint64_t loads() const noexcept { return loads_; }
    void replace(LoadedLog&& loaded);
    void keep_from(Offset first_kept) { first_kept_ = std::max(first_kept_, first_kept); }
    bool follows(const EventBatch& batch) const;
    // Moves the durable end. Requires: the batch follows; the changes and source instances of its
    // events. `own`: their commands, where they came from here.
    void adopt(EventBatchPtr batch, std::span<const Change> changes,
               std::span<const std::string_view> sources, std::span<const Pending> own = {});
    // The same of what others wrote. Errors: storage_damaged.
    Status adopt_texts(EventBatchPtr batch);
    void mark_dirty();
    // Reads the log again after a pause, which doubles until retried() ends it: a batch that is not
    // settled, commands and sessions that wait for a store that fails.
    void retry_later();
    void retried() noexcept { retry_pause_ms_ = 0; }

  private:
    Heart& heart_;
    const std::string user_id_;
    PortCalls calls_;
    bool dirty_ = false;  // in the heart's list
    std::uint64_t loads_ = 0;
    LogHead head_;
    Offset first_kept_ = 1;
    State state_;
    Feed feed_;
    std::shared_ptr<const Snapshot> snapshot_;  // of the state as it is; made when asked for
    LogReader reader_;
    UserPrivacy privacy_;
    Delivery delivery_;
    LogWriter writer_;
    Expiry expiry_;
    Projector projector_;
    std::int64_t retry_at_ms_ = 0;  // steady; 0 = nothing to retry
    std::int64_t retry_pause_ms_ = 0;
    std::int64_t used_ms_ = 0;
    Deadlines::Slot look_;      // in heart_.looks
    Deadlines::Slot next_end_;  // in heart_.expiries
};

}  // namespace dyad::core
