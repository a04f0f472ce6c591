// `dyad-memory salvage`: a new, whole folder from what is left of a damaged one. Blocking.
#pragma once

#include "store/sqlite/salvage.hpp"

#include <string>

namespace dyad::ops {

// The damaged folder stays as it is, to the byte. `to` is there only once it is whole; until then
// the work stands beside it, in `to`.part.
// Errors: storage_locked where a server uses `from`; invalid_field where `to` is not a new or empty
// folder; those of sqlite::salvage.
Result<sqlite::SalvageAccount> salvage_folder(
    const std::string& from, const std::string& to,
    const std::function<void(std::size_t done, std::size_t of)>& on_progress);

}  // namespace dyad::ops
