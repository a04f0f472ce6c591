// What the load driver is told on its command line: pairs of a flag and its value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace dyad::bench {

// How the server is spoken to. Each room has `subscribers` clients that listen and one that writes.
enum class Mode : std::uint8_t {
    plain,  // a room is a path; whatever is said in it goes to all who listen
    nats,   // a room is a subject
    dyad,   // a room is a user; writes are `context-sync`, made durable and pushed to the others
    acked,  // a room is a user; its writer speaks the negotiated protocol and hears of its own
            // writes: an acknowledgement or the event, whichever is first. No other clients
};

struct Options {
    std::string host = "127.0.0.1";
    std::string label = "server";
    Mode mode = Mode::plain;
    int port = 9001;
    int pid = 0;                    // of the server, for its CPU time and memory
    std::size_t subscribers = 100;  // per room
    std::size_t rooms = 1;
    std::size_t room_base = 0;  // number of the first room
    std::size_t window = 64;    // messages in flight, over all rooms
    double rate = 0;            // messages per second instead, where not 0
    std::size_t message_bytes = 200;
    double seconds = 3;
    double warm_seconds = 1;      // before the measurement
    std::uint64_t count = 0;      // measures so many messages instead of a time, where not 0
    std::size_t sources = 1;      // addresses the clients come from: 127.0.0.2 and on
    std::size_t stalled = 0;      // further clients of the first room that never read
    double settle_seconds = 0.5;  // once all clients are there
    double idle_seconds = 0;      // measures silent connections instead of a load
    bool hold = false;            // connects, says `ready`, and stays until SIGTERM
};

// Ends the process with a message where the flags make no sense.
Options parse_options(int count, char** words);

}  // namespace dyad::bench
