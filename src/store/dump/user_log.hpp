// What a backup has of one user's log, and how it is to be written.
#pragma once

#include "base/clock.hpp"
#include "model/change.hpp"
#include "store/dump/dump_files.hpp"
#include "store/dump/log_walk.hpp"

#include <set>
#include <string>
#include <vector>

namespace dyad::dump {

struct DumpedLog {
    std::string user;
    bool exists = false;  // or there is only what existing instances wrote
    Offset first_kept = 1;
    LogHead old_end;    // as it is in the backup
    LogHead end;        // as it is written, as far as it was
    LogHead projected;  // what the documents have everything up to, as it is written
    Version forgotten = 0;
    std::optional<Epoch> epoch;  // that its events are written anew in
    std::vector<Change> ahead;   // what the documents have beyond the end
    std::size_t beyond = 0;      // events after a hole
    std::size_t events = 0;
    std::set<std::string> adopted{};  // the operations of events that were made of documents

    bool is_after_end(std::int64_t offset) const noexcept {
        return offset > static_cast<std::int64_t>(old_end.offset);
    }
};

// Reads all of it and holds it against its chain. `new_seed`: of the epochs; 0: it keeps its own.
// Errors: storage_damaged; those of Dump.
Result<DumpedLog> survey(const Dump& from, const std::string& user, std::uint64_t new_seed);

// Gives `take` the events as they are to be written, and moves log.end, log.projected on.
Status write_events(const Dump& from, DumpedLog& log, const LogWalk::Take& take);

// An event behind the log's end, of what was found beside the log. Moves log.end on.
EventBatchPtr append_adopted(DumpedLog& log, const Change& change, const std::string& operation,
                             Random& random);

}  // namespace dyad::dump
