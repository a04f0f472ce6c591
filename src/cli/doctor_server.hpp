// Checks of the running server for `dyad-memory doctor`. Blocking.
#pragma once

#include "cli/rest_client.hpp"
#include "ops/doctor.hpp"

#include <vector>

namespace dyad::cli {

// Whether anybody can be connected to there.
bool can_connect(const Url& url);

// Says whose server it is, whether it works, and lets it check its store. Only reads, and only once
// it is known to be one of ours: of another there is one finding.
std::vector<ops::Finding> check_server(RestClient& client, const ops::OnProgress& on_progress);

// Writes, reads, removes, and lets two clients see each other's switch of mode, as a user of its
// own, whom nobody else has. Requires: check_server did not fail.
std::vector<ops::Finding> test_writing(RestClient& client);

}  // namespace dyad::cli
