// Puts a server together from its parts: the embedded store, the live protocol, the REST interface.
#pragma once

#include "server/server.hpp"

#include <memory>

namespace dyad::cli {

// Errors: the store's and the listener's, for people to read.
Result<std::unique_ptr<server::Server>> start_server(const server::Settings& settings);

}  // namespace dyad::cli
