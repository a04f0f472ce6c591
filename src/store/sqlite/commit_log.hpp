// The commits of the embedded store: what the journal thread owns. It knows the end of each log
// that is written and the operations that may be in it, and nothing of the tables.
//
// Group commit: whatever was submitted while the last sync ran becomes one record of the journal,
// with one write and one sync. What has to be asked of the tables first, the end of a log that it
// does not know, or whether an operation that may be in it is, waits aside with all that is behind
// it of the same user, and holds nobody else up.
//
//     submit()*  commit()   commits what it can: `answered` and `committed`, and `questions`
//     learn(), filter(), settle(), room()   give the answers; what waited is committed next
//
// A log      what is known                leaves it
// unknown    nothing                      the first append: asked, its end and its operations
// asked      nothing; appends are parked  learn(): unfiltered
// unfiltered its end                      each append is asked about; filter(): known
// known      its end, and a filter of     room is needed for others' filters: unknown
//            its operations
//
// Errors: of the single appends, in their results. A failed sync ends the process.
// Threads: one owner.
#pragma once

#include "driver/caller.hpp"
#include "store/sqlite/journal.hpp"
#include "store/sqlite/tables.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace dyad::sqlite {

// An append, who waits for it, and in the end its result.
struct PendingAppend {
    AppendRequest request;
    driver::CallerPtr caller{};
    std::function<void(AppendResult)> done{};
    AppendResult result{};
    bool is_new = false;  // none of its operations is in the log: the tables said so
};

class CommitLog {
  public:
    CommitLog(std::unique_ptr<Journal> journal, StoreOptions options)
        : options_(std::move(options)), journal_(std::move(journal)) {}

    // Of the tables.
    struct Question {
        enum class Kind : std::uint8_t {
            head,        // where the user's log ends: learn()
            operations,  // all that may be in it: filter()
            duplicates,  // which of these events' operations are in it: settle()
        };
        Kind kind;
        std::string user_id;
        std::uint64_t serial = 0;  // for filter()
        EventBatchPtr batch{};     // nobody changes it
        std::vector<std::size_t> events{};
    };
    // What one commit led to. The batches are to be taken by the tables before any result is known
    // to whoever waits for it.
    struct Round {
        std::vector<Committed> committed;
        std::uint64_t sequence = 0;  // of the record, where something was committed
        std::vector<PendingAppend> answered;
        std::vector<Question> questions;
        // The journal is full: the tables are to apply all that they took, and room() is to be
        // called. Until then nothing is committed.
        bool wants_room = false;
    };

    void submit(PendingAppend append) { queue_.push_back(std::move(append)); }
    // What has its answer without a commit.
    std::vector<PendingAppend> take_answered() { return std::exchange(answered_, {}); }
    // Commits the first of what waits. Requires: can_commit().
    Round commit();
    bool can_commit() const noexcept { return !queue_.empty() && !waits_for_room_; }
    // Nothing was submitted that has no answer yet.
    bool is_idle() const noexcept { return answered_.empty() && queue_.empty() && parked_ == 0; }

    void learn(const std::string& user_id, const Result<LogHead>& head);
    // `serial`: the question's. Errors: it is asked again at the next append.
    void filter(const std::string& user_id, std::uint64_t serial, Result<KeyFilter> operations);
    void settle(const std::string& user_id, const Result<std::vector<Duplicate>>& duplicates);
    // `applied`: why there is none, where there is none.
    void room(const Status& applied);
    // Everything up to this record is durable in the tables.
    void set_applied(std::uint64_t sequence) noexcept;

    // Retention's part, see Tables::Expiry: goes on in the other file with an empty record, so that
    // what the files have of records that are applied can be erased.
    Status turn_over() { return or_stop(journal_->turn_over()); }
    // One piece of that, about as long as a commit. False once nothing is left.
    Result<bool> erase_some() { return or_stop(journal_->erase_some()); }

    const Journal& journal() const noexcept { return *journal_; }

  private:
    struct Log {
        LogHead head;
        KeyFilter operations;                // until it is whole, of what was committed since
        bool is_known = false;               // its end is
        bool is_whole = false;               // the filter is
        std::uint64_t serial = 0;            // of the question for it; 0: it was not asked
        bool is_asked = false;               // the tables are, for what holds up its appends
        std::deque<PendingAppend> parked{};  // until they answer
    };
    struct Accepted {
        PendingAppend append;
        Log* log;
        LogHead before;
    };

    [[noreturn]] void stop(const Error& error) { stop_store(options_, error); }
    // The result of a write; ends the process where it failed, but for want of space.
    template <class Outcome>
    Outcome or_stop(Outcome outcome) {
        if (!outcome && outcome.error().code != Errc::storage_full) stop(outcome.error());
        return outcome;
    }
    // Takes the first of the queue into the record, or does with it what is to be done instead;
    // false where the record is full, or the journal.
    bool take_one(Round& round);
    void decide(PendingAppend append, Log& log, Round& round);
    static std::vector<std::size_t> may_be_known(const EventBatch& batch, const Log& log);
    void park(PendingAppend append, Log& log);
    void ask_head(PendingAppend append, Log& log, Round& round);
    void ask_operations(const std::string& user_id, Log& log, Round& round);
    void ask_duplicates(PendingAppend append, Log& log, std::vector<std::size_t> events,
                        Round& round);
    void answer(PendingAppend append, AppendResult result);
    void refuse(PendingAppend append, const Error& error);
    void release(Log& log);
    void release_idle_logs();
    void write(Round& round);

    StoreOptions options_;
    std::unique_ptr<Journal> journal_;
    std::unordered_map<std::string, Log> logs_;
    std::size_t filter_bytes_ = 0;  // of all logs, about
    std::deque<PendingAppend> queue_;
    std::vector<PendingAppend> answered_;  // for the next round
    std::size_t parked_ = 0;
    std::uint64_t serial_ = 0;
    bool waits_for_room_ = false;
    std::optional<Error> no_room_;  // why the tables made none
    std::vector<Accepted> accepted_;
    std::string encoded_;
};

}  // namespace dyad::sqlite
