// One run of `dyad-memory bridge` over a project. Internal to it.
#pragma once

#include "cli/bridge_memory.hpp"

#include <map>
#include <string>
#include <vector>

namespace dyad::cli {

class BridgeRun {
  public:
    // Lifetime: all of them outlive it.
    BridgeRun(RestClient& client, const Project& project, const Records& records,
              const SyncOptions& options)
        : client_(client),
          project_(project),
          memory_(client),
          sync_(memory_, records, options),
          dry_(options.dry) {}

    // Asks the server which log it has and which files of the project. Needed first, and after a
    // change of the log.
    Status meet();
    // Those on this machine, and those that only the memory has.
    std::vector<BridgedFile> files() const;
    // Shows what became of it, where that is new. False: it is to be tried again.
    bool sync(const BridgedFile& file);
    // Makes each one until it is done, or waits too long for it.
    void sync_all();
    // What is known of them, as a table or as JSON.
    void show_all();

    // What the files that were synced ask for: 1 where one could not be, 5 where one is in
    // conflict.
    Exit status() const;

  private:
    Result<Outcome> run(const BridgedFile& file);
    void show(const BridgedFile& file, const Result<Outcome>& outcome);

    RestClient& client_;
    const Project& project_;
    ContextMemory memory_;
    FileSync sync_;
    bool dry_;
    SharedFiles shared_;
    std::map<std::string, Result<Outcome>> last_;  // of each file's name
};

// Keeps the files and the memory one until it is interrupted.
Exit keep_in_step(RestClient& client, const Project& project, BridgeRun& run);

}  // namespace dyad::cli
