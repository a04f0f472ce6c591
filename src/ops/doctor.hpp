// Checks of this machine for `dyad-memory doctor`: the data folder, the store in it, limits of the
// process, the clock. Each says what it found and what to do. Blocking.
#pragma once

#include <cstdint>
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

// Exists or can be made, its owner's alone, writable, space left.
std::vector<Finding> check_folder(const std::string& folder);

// SQLite's own check of the file, then the hash chain of every user's log.
//
// Only a store that a server of this version has made is opened; nothing is made or converted, and
// what is stored stays as it is. It is opened as at a start of the server, under the store's lock:
// finds it locked where a server runs, and a server that is started meanwhile is refused. To be
// killed in between does no harm. Requires: check_folder did not fail.
std::vector<Finding> check_store(const std::string& folder);

// How many connections the limit of file descriptors allows.
Finding check_descriptor_limit();

// The machine's clock against the build's age and against a server's, where that is known (0: not).
Finding check_clock(std::int64_t now_ms, std::int64_t server_ms);

}  // namespace dyad::ops
