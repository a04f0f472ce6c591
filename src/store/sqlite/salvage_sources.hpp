// Where the parts of each user's memory stand in a damaged store.
#pragma once

#include "base/result.hpp"
#include "model/event.hpp"
#include "store/sqlite/log_tables.hpp"
#include "store/sqlite/raw_rows.hpp"
#include "store/sqlite/untouched.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace dyad::sqlite {

struct SegmentPlace {
    Offset first = 0;
    Offset last = 0;
    Epoch epoch = 0;
    std::int64_t user = 0;  // as its row says
    RawPlace place;
};

// A batch in a record of the journal.
struct JournalBatch {
    EventBatchPtr batch;
    std::uint64_t sequence = 0;  // of the record
    bool sound = true;           // its record is whole
};

struct UserSources {
    std::string name;
    bool name_known = false;
    std::int64_t number = 0;  // users.id; 0: not in the database
    std::optional<StoredHead> head;
    bool head_sound = false;
    std::vector<SegmentPlace> segments;      // by their first event
    std::map<Offset, JournalBatch> journal;  // by each event's offset
    std::uint64_t last_sequence = 0;         // the last record that has events of this user
    std::vector<RawPlace> contexts, conflicts_and_modes, claims, transitions, responses, expired;
    std::set<std::string> searchable;  // keys of live contexts

    std::vector<Epoch> epochs() const;
};

struct Sources {
    // Outlives `rows`.
    std::unique_ptr<UntouchedVfs> disk;
    std::unique_ptr<RawRows> rows;  // null where there is no database
    std::vector<UserSources> users;
    std::vector<std::string> damages;
    std::size_t records_whole = 0;
    std::vector<std::uint64_t> records_lost;
    bool tail_unsure = false;  // of journals that are missing or cannot be read
    std::optional<std::uint64_t> applied;
    std::string clock;  // its mark; empty: none

    // Whether events of the user may be lost behind those that are there.
    bool tail_may_be_lost(const UserSources& user) const;
};

using Progress = std::function<void(std::size_t done, std::size_t of)>;
// Errors: storage_unavailable; storage_damaged where nothing of this product is there.
Result<Sources> find_sources(const std::string& database, const std::string& vfs,
                             const Progress& progress);

}  // namespace dyad::sqlite
