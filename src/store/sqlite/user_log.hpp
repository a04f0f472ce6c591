// One user's log as the store holds it in memory: its durable end, and what is not applied yet.
#pragma once

#include "model/change.hpp"
#include "model/event.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace dyad::sqlite {

// A batch that is durable in the journal and not in the database.
struct Unapplied {
    EventBatchPtr batch;
    std::vector<Change> changes;  // empty after a restart, until they are needed
    std::size_t record_bytes = 0;

    // Fills `changes` from the events' texts. Errors: storage_damaged.
    Status decode();
};

// The newest operation keys of a log.
class RecentOperations {
  public:
    bool contains(std::uint64_t key) const noexcept {
        return std::find(keys_.begin(), keys_.end(), key) != keys_.end();
    }
    void add(std::uint64_t key) {
        if (keys_.size() < kKept) {
            keys_.push_back(key);
        } else {
            keys_[next_] = key;
            next_ = (next_ + 1) % kKept;
        }
    }
    void clear() noexcept {
        keys_.clear();
        next_ = 0;
    }

  private:
    static constexpr std::size_t kKept = 128;
    std::vector<std::uint64_t> keys_;
    std::size_t next_ = 0;
};

struct UserLog {
    std::string name;
    std::int64_t id = 0;  // users.id; 0 = none yet
    LogHead head;         // with what is not applied
    Offset first_kept = 1;
    std::vector<Unapplied> unapplied;
    RecentOperations recent;
};

}  // namespace dyad::sqlite
