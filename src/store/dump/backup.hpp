// A backup of a store, as documents of the MongoDB store whichever it is of.
//
// What is written is a prefix of every user's log with all that is derived from it, or a little
// less: a restore brings that up. Every event is held against its chain.
//
// Errors: the store's; those of DumpWriter; storage_damaged where a log does not verify.
// Threads: one owner; blocking.
#pragma once

#include "store/dump/dump_files.hpp"
#include "store/sqlite/moving.hpp"

namespace dyad::dump {

struct BackupReport {
    std::size_t users = 0;
    std::size_t events = 0;
    std::size_t documents = 0;  // of all collections
};

Result<BackupReport> backup_memory(sqlite::MemoryReader& from, const std::string& folder,
                                   const std::string& database, Random& random,
                                   const Progress& progress);
// While servers go on with it.
Result<BackupReport> backup_database(mongo::Client& client, const std::string& folder,
                                     const Progress& progress);

}  // namespace dyad::dump
