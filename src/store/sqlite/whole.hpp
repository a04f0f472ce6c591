// Whether the files of a store belong together, told before SQLite opens any of them. Looks only,
// changes nothing.
//
// A first start makes, each durable before the next: the empty database, its tables (through
// SQLite's rollback journal), -log0, -log1, and a note in the database that they are there. From
// then on all four files are always there. So what a broken first start leaves is never what a lost
// file leaves.
#pragma once

#include "base/result.hpp"

#include <string>

struct sqlite3_vfs;

namespace dyad::sqlite {

// What to do about a store that is not as it was written: the end of every such message.
inline constexpr const char* kDamageAdvice =
    "restore the folder from a backup, or save what is still good with dyad-memory salvage";

// The header of SQLite's rollback journal: zeros where nothing is to be rolled back.
inline constexpr std::size_t kRollbackHeaderBytes = 28;

enum class Found : std::uint8_t {
    nothing,  // a first start may make the store
    store,    // its database has content, and no file is missing that was there when it was made
};
// Errors: storage_damaged, naming the file; storage_newer; storage_unavailable.
Result<Found> look_at_files(sqlite3_vfs& vfs, const std::string& database);

}  // namespace dyad::sqlite
