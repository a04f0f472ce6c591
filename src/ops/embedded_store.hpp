// The embedded store as a part of the server: one database, shared by all cells.
#pragma once

#include "server/cell.hpp"

#include <functional>
#include <memory>

namespace dyad::ops {

// Opens the settings' data folder on the first call; the last cell's store closes it.
// Errors: those of sqlite::Database::open.
std::function<Result<std::unique_ptr<Store>>(const server::Settings&, server::Parts::Post)>
embedded_store();

}  // namespace dyad::ops
