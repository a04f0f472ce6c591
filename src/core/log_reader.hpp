// Gets a user's log from the store, and knows how fresh what is held is.
//
//   phase    what is held                   leaves it
//   cold     nothing                        when_fresh: loading
//   loading  nothing, or another log        the state came: ready; an error: cold
//   ready    the log up to UserLog::head    catch_up: reading
//   reading  the same                       the log's end was reached, or an error: ready, or
//   reading
//                                           once more for who came meanwhile; the log in the store
//                                           does not continue what is held: loading
//
// Announcements are taken in ready and reading only.
#pragma once

#include "bus/bus.hpp"
#include "core/freshness.hpp"
#include "store/log.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace dyad::core {

class UserLog;

class LogReader {
  public:
    using StatusFn = std::function<void(Status)>;

    explicit LogReader(UserLog& user) : user_(user) {}

    // There is a state to decide on and to show.
    bool ready() const noexcept { return phase_ == Phase::ready || phase_ == Phase::reading; }
    // Nothing is under way, nobody waits.
    bool idle() const noexcept {
        return (phase_ == Phase::cold || phase_ == Phase::ready) && fresh_waiters_.empty();
    }
    // Sees to it that something is held, sooner or later.
    void want() {
        if (phase_ == Phase::cold) load();
    }
    // Calls `run` once the state is as fresh as that; or with the error. Where the log is another
    // one than `position` is of, and where it is shorter, the state is the latest.
    void when_fresh(const Freshness& wanted, StatusFn run);
    void when_latest(StatusFn run) { when_fresh({}, std::move(run)); }
    // For so long others may have written what is not held.
    std::int64_t age_ms() const;
    // Everything was held that was in the log at this steady time.
    void was_latest(std::int64_t then_ms) { latest_ms_ = std::max(latest_ms_, then_ms); }
    // Reads on to the durable end of the log, then calls `done`.
    void catch_up(StatusFn done);
    void receive(const Announcement& announcement);

  private:
    enum class Phase : std::uint8_t { cold, loading, ready, reading };

    bool is_enough(const Freshness& wanted) const;
    void load();
    void loaded(Result<LoadedLog>&& result);
    void load_again();
    void read_on();
    void read(Offset after, std::int64_t asked_ms, const Result<LogSlice>& slice);
    // Everything that was in the log at `asked_ms` is held.
    void reached_end(std::int64_t asked_ms);
    Status adopt_slice(const LogSlice& slice);
    void caught_up(const Status& status);

    UserLog& user_;
    Phase phase_ = Phase::cold;
    std::int64_t latest_ms_ = 0;           // steady; when what is held was all there was
    std::vector<StatusFn> fresh_waiters_;  // for the load
    std::vector<StatusFn> waiters_;        // for the read under way
    std::vector<StatusFn> next_waiters_;   // came after it began
};

}  // namespace dyad::core
