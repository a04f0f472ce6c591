// One user's log as the store holds it in memory: its durable end, and what is not applied yet.
#pragma once

#include "model/event.hpp"
#include "store/store.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace dyad::sqlite {

// A batch that is durable in the journal and not in the database.
struct Unapplied {
    EventBatchPtr batch;
    Changes changes;  // empty after a restart, until they are needed
    std::size_t record_bytes = 0;

    // Fills `changes` from the events' texts. Errors: storage_damaged.
    Status decode();
};

// The newest operation keys of a log, as many as fit: each has one place.
class RecentOperations {
  public:
    bool contains(std::uint64_t key) const noexcept {
        return key != 0 && !keys_.empty() && keys_[key % kPlaces] == key;
    }
    void add(std::uint64_t key) {
        if (keys_.empty()) keys_.resize(kPlaces);
        keys_[key % kPlaces] = key;
    }
    void clear() noexcept { keys_.clear(); }

  private:
    static constexpr std::size_t kPlaces = 128;
    std::vector<std::uint64_t> keys_;  // 0: none
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
