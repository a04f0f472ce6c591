// A backup put into a store that is empty.
//
// Every log is held against its chain before anything of it is written. It is written anew, in an
// epoch of its own, so that whoever has seen what came after the backup notices; or, where it only
// moves from one store to the other, as it is, so that nobody has to.
//
// In a folder that a tool wrote while servers went on, what is derived from the log may be ahead of
// it: that becomes an event behind the log's end. What existing instances wrote is kept: MongoDB
// takes it as it is, and a server adopts it; for the embedded store, which nobody else writes, the
// contexts and modes among it become events of the instance `foreign`.
//
// Errors: those of Dump and of the stores; invalid_field where the target is not empty.
// Threads: one owner; blocking.
#pragma once

#include "store/dump/dump_files.hpp"
#include "store/sqlite/moving.hpp"

namespace dyad::dump {

struct RestoreOptions {
    bool same_log = false;  // as it is
    Progress progress;      // users
};

struct RestoreReport {
    std::size_t users = 0;      // with a log
    std::size_t events = 0;     // of the backup
    std::size_t adopted = 0;    // events that were made of what else stood there
    std::size_t documents = 0;  // of existing instances, that were written as they are
    std::size_t left = 0;       // that stay in the backup only: the target has them, or no place
    std::size_t beyond = 0;     // events that follow a hole
};

// `folder`: empty, locked by the caller.
Result<RestoreReport> restore_to_folder(const Dump& from, const std::string& folder,
                                        const RestoreOptions& options, Random& random);

// Whether the database has logs; and whether a restore into it was broken off, which the next one
// may take away. Errors: the client's.
enum class Target : std::uint8_t { empty, others, logs, broken_off };
Result<Target> look_at_target(mongo::Client& client);
// Removes all collections that the store has. Errors: the client's.
Status drop_all(mongo::Client& client);
// Requires: look_at_target() is not `logs`.
Result<RestoreReport> restore_to_database(const Dump& from, mongo::Client& client,
                                          const RestoreOptions& options, Random& random);

}  // namespace dyad::dump
