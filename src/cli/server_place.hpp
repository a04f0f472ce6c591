// Where the server of this machine is, for clients that were told nothing: a running server says it
// in a file, `server.json` in the folder of its store, or in $XDG_RUNTIME_DIR/dyad-memory where it
// has no such folder. Only its owner reads the file.
//
//     {"dataDir":"/home/ada/.local/share/dyad-memory","pid":4711,"started":81234,
//      "url":"http://localhost:8765","version":"0.1.0"}
//
// A file whose process is gone, or was followed by another one with its number (`started`: the
// kernel's ticks), or that came here with a copy of the folder, says nothing.
#pragma once

#include "cli/settings.hpp"

#include <optional>
#include <string>

#include <sys/types.h>

namespace dyad::cli {

// Lifetime: the server's. What cannot be written is a warning in the log.
class PlaceNotice {
  public:
    explicit PlaceNotice(const Resolved& settings);
    ~PlaceNotice();
    PlaceNotice(const PlaceNotice&) = delete;
    PlaceNotice& operator=(const PlaceNotice&) = delete;

  private:
    std::string path_;
    std::string text_;
};

// The file's place; empty where there is none.
std::string place_file(const Resolved& settings);
// The URL of the server that runs; empty where none says that it does.
std::string read_place(const Resolved& settings);

// A server in a session of its own, which outlives this process.
struct StartedServer {
    pid_t process = 0;
    std::string log_path;
    std::int64_t log_at = 0;  // where in the log its lines begin

    // Of a server that has ended: the last lines that it wrote.
    std::string last_words() const;
};
// `dyad-memory serve` with the same flags and settings. Errors: unavailable.
Result<StartedServer> start_server(const Resolved& settings, const Flags& flags,
                                   const std::string& env_file);

}  // namespace dyad::cli
