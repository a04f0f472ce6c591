// What the driver threads of one database have in common: the seed of its epochs, where logs were
// seen to end, and the barrier.
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

// Where logs end, as this process saw it last: where to look first, and nothing more.
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
    void saw(const std::string& user_id, const LogHead& head) EXCLUDES(mutex_) {
        const MutexLock held(mutex_);
        if (known_.size() >= kUsersMax) known_.clear();
        known_.insert_or_assign(user_id, Known{head, Clock::now()});
    }
    void forget(const std::string& user_id) EXCLUDES(mutex_) {
        const MutexLock held(mutex_);
        known_.erase(user_id);
    }
    void clear() EXCLUDES(mutex_) {
        const MutexLock held(mutex_);
        known_.clear();
    }

  private:
    mutable Mutex mutex_;
    std::unordered_map<std::string, Known> known_ GUARDED_BY(mutex_);
};

// A journaled write (on a replica set: of a majority) that began after the call: what was read
// before is durable then, and the server that it was read from was still the primary. Whoever
// waits at the same time shares one.
class Barrier {
  public:
    explicit Barrier(std::string name) : name_(std::move(name)) {}

    // Errors: those of a write.
    Status pass(Client& client) EXCLUDES(mutex_);

  private:
    const std::string name_;  // of this process: nobody else writes the same document
    Mutex mutex_;
    Condition passed_;
    std::uint64_t asked_ GUARDED_BY(mutex_) = 0;  // calls
    std::uint64_t done_ GUARDED_BY(mutex_) = 0;   // of them, the first so many have passed
    std::uint64_t writes_ GUARDED_BY(mutex_) = 0;
    bool writing_ GUARDED_BY(mutex_) = false;
};

struct Shared {
    explicit Shared(std::string name) : barrier(std::move(name)) {}

    std::atomic<std::uint64_t> seed{0};  // of epochs; 0: not known yet
    KnownHeads heads;
    Barrier barrier;
};

}  // namespace dyad::mongo
