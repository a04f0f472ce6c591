// Checks of the running server for `dyad-memory doctor`. They write as a user of their own, whom
// nobody else has. Blocking.
#pragma once

#include "cli/rest_client.hpp"
#include "ops/doctor.hpp"

#include <vector>

namespace dyad::cli {

// Requires: something answers at the client's URL. `server_ms` becomes the server's time, if it
// says it.
std::vector<ops::Finding> check_server(RestClient& client, std::int64_t& server_ms);

}  // namespace dyad::cli
