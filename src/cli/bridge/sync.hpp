// One file and its shared text made one: the file, the shared text and what both last agreed on are
// merged by lines, and each side gets what it lacks. Every step may be the last one of the process:
// the next run goes on from what the record says, and sends a write that was under way again under
// its operation id.
//
// Rules, beside merging:
//   - Where both sides changed the same lines, each keeps its own; both stand in
//   `FILE.dyad-conflict`
//     beside the file. It is over when the sides agree, or when that file is deleted: then what the
//     file has counts, against the shared text that was shown.
//   - What is gone on one side, or is empty there, stays on the other, unless deleting was asked
//     for; and even then where the other side has changed since.
#pragma once

#include "base/clock.hpp"
#include "cli/bridge/line_merge.hpp"
#include "cli/bridge/project.hpp"
#include "cli/bridge/record.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dyad::cli {

struct SharedText {
    std::string text;
    std::int64_t version = 0;
};

// The shared memory as the bridge needs it. `version`: what must be stored; 0: nothing. Errors:
// version_conflict where something else is.
class SharedMemory {
  public:
    virtual ~SharedMemory() = default;
    virtual Result<std::optional<SharedText>> read(const std::string& key) = 0;
    virtual Status write(const std::string& key, const std::string& text, std::int64_t version,
                         const std::string& operation) = 0;
    virtual Status remove(const std::string& key, std::int64_t version) = 0;
};

// Nothing: it is not there, or has no text in it.
using Text = std::optional<std::string>;

// What both sides are to be.
struct SyncPlan {
    Text mine, theirs;
    Text base;          // what they agree on afterwards
    Text base_of_mine;  // and when the shared text is written, and the file is not yet
    std::vector<MergePart> conflicts;
};
// `unites`: where both only put lines in at one place, both stay.
SyncPlan plan_sync(const Text& mine, const Text& base, const Text& theirs, bool deletes,
                   bool unites = true);

struct SyncOptions {
    bool deletes = false;   // what is gone on one side goes on the other
    bool restores = false;  // what is gone on one side comes back
    bool adopts = false;    // a file without a block becomes one
    bool dry = false;       // changes nothing
};

enum class Verdict : std::uint8_t {
    nothing,   // neither side has anything
    no_block,  // the file has no block, and nothing is shared
    in_step,
    sent,        // to the shared memory
    received,    // from there
    merged,      // both
    conflict,    // each side keeps what it has in some places
    gone_here,   // and stays there
    gone_there,  // and stays here
};
std::string_view word_of(Verdict verdict) noexcept;

struct Outcome {
    Verdict verdict = Verdict::nothing;
    bool changed = false;                // something was written, or a conflict is new
    std::string file_diff, shared_diff;  // what was changed, or would be
};

class FileSync {
  public:
    // `log`: the epoch of the log that the memory is in. Lifetime: all of them outlive it.
    FileSync(SharedMemory& memory, const Records& records, const SyncOptions& options)
        : memory_(memory), records_(records), options_(options) {}

    // Errors: unavailable: the file is open for writing, or the server does not answer; try again.
    // Others name what is wrong with the file, and nothing was done.
    Result<Outcome> run(const BridgedFile& file, const std::string& key, const std::string& log);

  private:
    struct Sides;

    Result<Outcome> once(const BridgedFile& file, const std::string& key, const std::string& log);
    // Sends what is pending in the record. It stays pending where that may still succeed.
    Status send(const std::string& key, Record& record);
    Result<Sides> read_sides(const BridgedFile& file, const std::string& key, const Record& record);
    Status apply(const BridgedFile& file, const std::string& key, const Sides& sides,
                 const SyncPlan& plan, const std::string& bytes, Record& record);
    Status show_conflict(const BridgedFile& file, const SyncPlan& plan, Record& record);

    SharedMemory& memory_;
    const Records& records_;
    SyncOptions options_;
    SystemRandom random_;
};

// Where the conflict of a file is shown.
std::string conflict_path(const BridgedFile& file);

}  // namespace dyad::cli
