// The simulated database that the nodes of a simulation share: a log per user, and what is derived
// from it, all in memory.
//
// It has two levels of durability. An inserted event is visible at once (it guards its offset and
// its operation id) and durable once `journal` has run; `crash` drops what is not. Readers are
// given durable events only. Projections lag behind: they move on with `project`, and before events
// expire. Nothing is ever forgotten, so that a backup can be restored and a checker can know the
// whole truth.
#pragma once

#include "sim_store/sim_documents.hpp"
#include "store/store.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace dyad::sim {

struct StoredEvent {
    EventBatchPtr batch;
    Offset offset = 0;
    Change change;

    const EventEntry& entry() const { return batch->entry(offset); }
    std::string_view text() const { return batch->text(offset); }
};

// The events [from, to] of `batch`, as a batch of their own.
EventBatchPtr slice_batch(const EventBatchPtr& batch, Offset from, Offset to);

struct UserRecord {
    Epoch epoch = 0;                  // of the first event on; 0 before
    std::vector<StoredEvent> events;  // from offset 1 on; expired ones too
    Offset journaled = 0;             // durable up to here
    Offset first_kept = 1;
    Offset deposed = 0;  // where it ended at the last crash, for the flaw
    // Derived from the events up to `projected`:
    Offset projected = 0;
    State state;
    std::map<std::pair<std::string, std::string>, ResponseRecord> responses;  // by chat, message
    std::vector<std::pair<Offset, ModeState>> transitions;
    // For the unique index: of every kept event, the newest with the key; and 0 for what is known
    // of expired ones, whose keys `expired` has by instance, the oldest first.
    std::unordered_map<std::uint64_t, Offset> operations;
    struct Expired {
        std::deque<std::uint64_t> keys;
        Offset newest = 0;
    };
    std::map<std::string, Expired, std::less<>> expired;

    // The hash of the event at `offset`; of nothing where offset is 0.
    Hash hash_at(Offset offset) const {
        return offset == 0 ? Hash{} : events[offset - 1].entry().hash;
    }
    LogHead head_at(const std::string& user_id, Offset offset) const;
};

class SimDatabase {
  public:
    // What a simulation wants to know of every event, when it becomes so.
    struct Observer {
        std::function<void(const std::string& user_id, const UserRecord&, const StoredEvent&)>
            journaled;
        std::function<void(const std::string& user_id, const StoredEvent&)> lost;  // by a restore
        std::function<void(const std::string& user_id, const StoredEvent&)> expired;
    };
    // What the database is built without, for variants that must be caught.
    struct Flaws {
        // Writing
        bool no_offset_index = false;     // an append moves to the log's end, wherever that is
        bool no_operation_index = false;  // an operation id may repeat
        bool serves_unjournaled = false;  // readers see what a crash can still drop
        bool reads_deposed = false;  // a while after a failover the old primary still answers reads
        bool commits_unjournaled = false;   // `committed` does not wait for the journal
        bool forgets_expired = false;       // the operation ids of expired events
        bool epoch_by_node = false;         // each node chooses the epoch of an empty log
        bool commits_on_send = false;       // `committed` is said when the append is sent
        bool commits_unknown = false;       // ... where there was no answer
        bool commits_losers = false;        // ... where another event was first
        bool retries_blindly = false;       // what got no answer is sent again, to the new end
        bool moves_losers = false;          // what lost its place is written behind the winner
        bool announces_to_self = false;     // what is appended is announced to its node at once
        bool announces_to_others = false;   // ... to all the others
        bool misplaces_duplicates = false;  // `duplicate` names the event before
        // Reading
        bool fails_heads = false;         // heads are never had
        bool compares_lengths = false;    // two logs of one epoch and length have one head
        bool finds_nothing = false;       // no operation is ever found
        bool finds_kept_only = false;     // ... that has expired
        bool keeps_deleted = false;       // projections do not apply deletions
        bool drops_expired = false;       // ... lose contexts when their time is over
        bool reuses_versions = false;     // ... are a version behind
        bool forgets_timestamps = false;  // a log that is read has no newest date
        bool forgets_clock = false;       // the mark of the proved time is lost
        bool forgets_claims = false;      // a log that is read has none
        bool forgets_renewals = false;    // ... has them as they were granted
        bool revives_claims = false;      // ... has those that ended, too
        bool refuses_claim_ends = false;  // no claim can be ended by the server
    };

    Observer observer;
    Flaws flaws;
    SimDocuments documents;
    ClockMark clock;
    std::uint64_t epoch_seed = 1;  // of the epochs of logs without events
    std::int64_t now_ms = 0;       // for drops_expired and reads_deposed

    // Inserts one event of `batch`: committed, or what a unique index said.
    AppendOutcome insert(const std::string& user_id, const EventBatchPtr& batch, Offset offset,
                         const Change& change);
    // Appends the events of `request` to the log's end, whatever they were decided on.
    void write_at_end(const AppendRequest& request);
    // Of an operation that the log has, durable or not, or had; nothing: it is not known.
    std::optional<Offset> offset_of(const std::string& user_id, std::uint64_t operation_key) const;
    // Makes everything that was inserted durable.
    void journal();
    // Drops everything that is not.
    void crash();
    bool durable(const std::string& user_id, Offset offset, const Hash& hash) const;
    // Brings the projections of one user up to the journaled events, or at most `events` of them.
    void project(UserRecord& record, std::size_t events) const;
    // Drops the durable events older than `before_ms`, up to the first that `keep` wants kept;
    // projects them first.
    std::size_t expire(
        std::int64_t before_ms,
        const std::function<bool(const std::string&, const StoredEvent&)>& keep = {});

    struct Backup {
        std::map<std::string, Offset> users;
    };
    Backup backup() const;
    // Puts an older backup of this log in place, under epochs of `new_epoch` where there is one.
    // Backups taken after it are of no use any more.
    void restore(const Backup& backup, const std::function<Epoch()>& new_epoch);

    // The end of what readers are given of a log. `node_seed`: for the flaw.
    LogHead head(const std::string& user_id, std::uint64_t node_seed = 0) const;
    // The user's record; null where there is nothing durable of this user (visible, if flawed).
    const UserRecord* find(const std::string& user_id) const;
    std::map<std::string, UserRecord, std::less<>>& users() noexcept { return users_; }
    // The end of what readers are given.
    Offset readable(const UserRecord& record) const noexcept {
        if (flaws.reads_deposed && now_ms < deposed_until_ms_)
            return std::min(record.journaled,
                            std::max({record.deposed, record.projected, record.first_kept - 1}));
        return flaws.serves_unjournaled ? record.events.size() : record.journaled;
    }

  private:
    LogHead head_of_all(const std::string& user_id) const;  // not durable ones, too

    std::map<std::string, UserRecord, std::less<>> users_;
    std::set<std::string> unjournaled_;
    std::int64_t deposed_until_ms_ = 0;
};

}  // namespace dyad::sim
