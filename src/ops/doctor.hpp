// Checks of this machine for `dyad-memory doctor`: the data folder and the store in it. Each says
// what it found and the next thing to do. They change nothing. Blocking.
#pragma once

#include "store/store.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace dyad::ops {

// `note`: nothing is wrong, but worth knowing. `skipped`: could not be checked.
enum class Verdict : std::uint8_t { ok, note, warn, fail, skipped };

struct Finding {
    Verdict verdict = Verdict::ok;
    std::string check;   // a few words
    std::string text;    // what was found
    std::string advice;  // what to do; empty where nothing needs to be done
};
using OnProgress = std::function<void(std::size_t done, std::size_t of)>;

// Exists or can be made, its owner's alone, writable, space left.
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

}  // namespace dyad::ops
