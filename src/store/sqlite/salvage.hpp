// Puts everything that can be proved of a damaged folder into a new one, and says exactly what
// could not be saved. (Why it does what it does: docs/decisions/0008-salvage-and-doctor.md.)
//
// The log stays dense: an event that is lost keeps its place as one of kind event-lost, and what
// follows a loss is chained anew, in an epoch of its own. The state is the fold of what is kept,
// and beyond that each row of the database that is sound and newer.
//
// Threads: one owner; blocking.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "model/event.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace dyad::sqlite {

struct SalvagedRange {
    Offset first = 0;
    Offset last = 0;
    bool kept = false;
    std::string why;  // where it is lost
};

// A context, mode, response or conflict that is not as it was.
struct SalvagedItem {
    std::string kind;        // "context", "mode", "response", "conflict"
    std::string name;        // empty where it is not known
    std::string what;        // "lost", "older", "unsure"
    std::uint64_t kept = 0;  // the version, or else the offset, that it has now
    std::uint64_t had = 0;   // that it had; 0: not known
    std::string why;
};

struct SalvagedUser {
    std::string name;
    bool name_known = true;
    std::vector<SalvagedRange> events;        // in order, without a hole between them
    std::map<std::string, std::size_t> kept;  // how many, by kind
    std::vector<SalvagedItem> items;
    std::vector<std::string> notes;  // why else its memory may be less than it was
    bool whole = true;               // nothing is missing: the log keeps its epoch

    std::size_t events_kept() const { return events_that_are(true); }
    std::size_t events_lost() const { return events_that_are(false); }

  private:
    std::size_t events_that_are(bool kept_ones) const;
};

struct SalvageAccount {
    std::vector<SalvagedUser> users;
    std::vector<std::string> damages;         // of the files, each with its place
    std::size_t records_whole = 0;            // of the journals
    std::vector<std::uint64_t> records_lost;  // their numbers, which later ones prove
    bool pages_lost = false;                  // of the database: nobody can say what stood on them
    bool whole() const;
};

struct SalvageOptions {
    std::string from;  // the damaged database's path
    std::string to;    // the new one's, in a folder that is there; no file of this name
    std::string vfs;   // below both; empty: SQLite's own
    std::size_t journal_file_bytes = 8 << 20;
    std::int64_t page_bytes = 4096;
    // How much of the work is done.
    std::function<void(std::size_t done, std::size_t of)> on_progress;
};

// Changes nothing of the damaged store. Requires: no process uses either.
// Errors: storage_unavailable, storage_full; storage_damaged where nothing of this product is
// there; storage_newer.
Result<SalvageAccount> salvage(const SalvageOptions& options, Random& random);

}  // namespace dyad::sqlite
