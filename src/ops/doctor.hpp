// The checks of `dyad-memory doctor`: what the setup guide's validation list and troubleshooting
// ask for, of this machine and of a running server. Each says what it found and, where that is not
// good, what to do. The server's files are never opened: everything about it is asked over the
// network.
#pragma once

#include "net/http_client.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace dyad::ops {

enum class Verdict : std::uint8_t { ok, warn, fail };

struct Check {
    std::string id;  // for programs: "port"
    Verdict verdict = Verdict::ok;
    std::string found;   // one plain sentence
    std::string advice;  // what to do; empty where it is good
};

struct DoctorSubject {
    net::Url url;
    bool on_this_machine = true;  // the server that is meant
    std::uint16_t port = 8765;    // of the settings
    std::string data_dir;         // absolute; empty: unknown
    std::string version;          // of this program
    std::int64_t timeout_ms = 5000;
};

// The port, the data folder, the limits of this machine.
std::vector<Check> check_machine(const DoctorSubject& subject);
// What a client sees of the server. Stops early where nothing answers. The round trip and the mode
// switch are made in the memory of a user of their own, whose context is deleted again.
std::vector<Check> check_server(const DoctorSubject& subject);

}  // namespace dyad::ops
