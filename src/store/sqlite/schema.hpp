// The tables, and how a database of an older version becomes one of this version.
#pragma once

#include "base/result.hpp"
#include "store/sqlite/connection.hpp"

#include <cstdint>

namespace dyad::sqlite {

inline constexpr std::int64_t kApplicationId = 0x44594144;  // "DYAD", in the file's header
// Databases of this version and later have sealed pages (seal.hpp).
inline constexpr std::int64_t kSealedSince = 6;
std::int64_t schema_version() noexcept;
// Errors: storage_newer, naming `path`.
Status check_version(const std::string& path, std::int64_t version);

// Brings the database to `target`, step by step, in one transaction; an empty one from nothing.
// Errors: storage_newer, storage_damaged where it is another product's, and the connection's.
Status migrate(Connection& connection, std::int64_t target = schema_version());

}  // namespace dyad::sqlite
