// The checks of `dyad-memory doctor`, of this machine and of the running server. Each says what it
// found and the next thing to do. Blocking.
#pragma once

#include "cli/rest_client.hpp"
#include "store/store.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace dyad::cli {

// `note`: nothing is wrong, but worth knowing. `skipped`: could not be checked.
enum class Verdict : std::uint8_t { ok, note, warn, fail, skipped };

struct Finding {
    Verdict verdict = Verdict::ok;
    std::string check;   // a few words
    std::string text;    // what was found
    std::string advice;  // what to do; empty where nothing needs to be done
};
using OnProgress = std::function<void(std::size_t done, std::size_t of)>;

// The folder exists or can be made, its owner's alone, writable, space left. Changes nothing.
std::vector<Finding> check_folder(const std::string& folder);

// Everything in the store, checked against itself: every file, page, record, event and row. It is
// opened as a start of the server would open it, with what a start puts in order kept in memory:
// no byte of the folder changes. Where a server runs it finds the store in use; one that is started
// meanwhile is refused. Requires: check_folder did not fail.
std::vector<Finding> check_store(const std::string& folder, const OnProgress& on_progress);

// What a check found, as findings: one where all is good, or else one for each damage.
// `advice`: what to do about damage.
std::vector<Finding> describe_check(const CheckReport& report, const std::string& good,
                                    const std::string& advice);

// MongoDB and Redis, where the settings switch them on: asked from here, whatever runs. Changes
// nothing. Requires: the settings have no fatal problem.
std::vector<Finding> check_backends(const Resolved& settings);

// Whether anybody can be connected to there.
bool can_connect(const Url& url);

// Says whose server it is, whether it works, and lets it check its store. Only reads, and only once
// it is known to be one of ours: of another there is one finding.
std::vector<Finding> check_server(RestClient& client, const OnProgress& on_progress);

// Writes, reads, removes, and lets two clients see each other's switch of mode, as a user of its
// own, whom nobody else has. Requires: check_server did not fail.
std::vector<Finding> test_writing(RestClient& client);

}  // namespace dyad::cli
