// What the bridge remembers of each file between two runs, one small file of JSON for each in a
// folder of its own, written as a whole. One bridge at a time has the folder.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace dyad::cli {

// A write that was about to be sent.
struct PendingWrite {
    std::string text;
    std::int64_t version = 0;  // that it expects
    std::string base;          // what both sides have in common once it is stored
    std::string operation;     // its id
};

// A conflict that was shown.
struct ShownConflict {
    std::string mine, theirs;
    std::string file;  // what was written beside the file
};

struct Record {
    std::optional<std::string> base;  // what both sides last agreed on
    std::string log;                  // the epoch of the log that this was in
    std::optional<PendingWrite> pending;
    std::optional<ShownConflict> conflict;
};

class Records {
  public:
    // `alone`: makes the folder, readable by its owner only, and errors with unavailable where
    // another process has it. Otherwise it is only read.
    static Result<Records> open(const std::string& folder, bool alone);
    Records(Records&& other) noexcept;
    Records& operator=(Records&&) = delete;
    ~Records();

    // An empty one where there is none. Errors: invalid_json for one that is damaged.
    Result<Record> load(const std::string& key) const;
    Status save(const std::string& key, const Record& record) const;
    Status forget(const std::string& key) const;

  private:
    explicit Records(std::string folder) : folder_(std::move(folder)) {}
    std::string path_of(const std::string& key) const;

    std::string folder_;
    int lock_ = -1;
};

}  // namespace dyad::cli
