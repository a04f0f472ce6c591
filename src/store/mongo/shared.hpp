// What the driver threads of one database have in common: the seed of its epochs, where logs were
// seen to end, and the barrier.
//
// An era ends when a server is found that can be written to, another one or the same again, and
// when it is lost: what was read before says nothing about what is there now. Two nodes of a set
// may both take themselves for the primary, and a server that was killed may have lost what was
// read and not in its journal yet.
//
// Threads: any.
#pragma once

#include "base/mutex.hpp"
#include "model/event.hpp"
#include "store/mongo/client.hpp"

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <unordered_map>

namespace dyad::mongo {

// Where logs durably end, as this process saw it last in this era.
class KnownHeads {
  public:
    using Clock = std::chrono::steady_clock;
    // For so long after it was seen, an end is taken for what an append may follow without a look:
    // a database that is replaced under a running server is not back sooner.
    static constexpr std::chrono::milliseconds kFresh{1000};
    static constexpr std::size_t kUsersMax = 65536;

    struct Known {
        LogHead head;
        Clock::time_point seen;
        bool is_fresh() const { return Clock::now() - seen < kFresh; }
    };

    std::optional<Known> find(const std::string& user_id) const EXCLUDES(mutex_) {
        const MutexLock held(mutex_);
        const auto at = known_.find(user_id);
        return at == known_.end() ? std::nullopt : std::optional(at->second);
    }
    // Requires: what was seen is durable, and was read in `era`; of another one it is not taken.
    void saw(const std::string& user_id, const LogHead& head, std::uint64_t era) EXCLUDES(mutex_) {
        const MutexLock held(mutex_);
        if (era != era_) return;
        if (known_.size() >= kUsersMax) known_.clear();
        known_.insert_or_assign(user_id, Known{head, Clock::now()});
    }
    void forget(const std::string& user_id) EXCLUDES(mutex_) {
        const MutexLock held(mutex_);
        known_.erase(user_id);
    }
    std::uint64_t era() const EXCLUDES(mutex_) {
        const MutexLock held(mutex_);
        return era_;
    }
    void begin_era() EXCLUDES(mutex_) {
        const MutexLock held(mutex_);
        era_ += 1;
        known_.clear();
    }

  private:
    mutable Mutex mutex_;
    std::uint64_t era_ GUARDED_BY(mutex_) = 0;
    std::unordered_map<std::string, Known> known_ GUARDED_BY(mutex_);
};

// A journaled write (on a replica set: of a majority) that began after the call: what was read
// before is durable then, and the server that it was read from was still the primary, if the era is
// the same. Whoever waits at the same time shares one, and its failure.
class Barrier {
  public:
    explicit Barrier(std::string name) : name_(std::move(name)) {}

    // Errors: those of a write.
    Status pass(Client& client) EXCLUDES(mutex_);

  private:
    const std::string name_;  // of this process: nobody else writes the same document
    Mutex mutex_;
    Condition passed_;
    std::uint64_t asked_ GUARDED_BY(mutex_) = 0;   // calls
    std::uint64_t done_ GUARDED_BY(mutex_) = 0;    // of them, the first so many have passed
    std::uint64_t failed_ GUARDED_BY(mutex_) = 0;  // of them, those up to here have failed
    std::optional<Error> failure_ GUARDED_BY(mutex_);
    std::uint64_t writes_ GUARDED_BY(mutex_) = 0;
    bool writing_ GUARDED_BY(mutex_) = false;
};

struct Shared {
    explicit Shared(std::string name) : barrier(std::move(name)) {}

    std::atomic<std::uint64_t> seed{0};  // of epochs; 0: not known yet
    KnownHeads heads;
    Barrier barrier;

    // What was read since `era` is durable, and was the latest. Errors: storage_unavailable.
    Status prove(Client& client, std::uint64_t era);
};

}  // namespace dyad::mongo
