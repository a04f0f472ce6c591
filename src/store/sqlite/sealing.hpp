// How a database of a version before seals gets them.
#pragma once

#include "base/result.hpp"
#include "store/sqlite/connection.hpp"

namespace dyad::sqlite {

// Checks it as far as it can be checked, puts one with seals in its place, and closes it.
// Errors: storage_damaged, storage_unavailable, storage_full.
Status seal_database(Connection& db, std::uint64_t store_id);

}  // namespace dyad::sqlite
