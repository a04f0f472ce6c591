// The tables of the embedded store and what of the journal is not in them yet: what the tables
// thread owns.
//
// What was committed is taken here in its order, and read from here from then on. It is put into
// the database later ("applied"), all that waits in one transaction with the number of the last
// record it covers: only then may the journal use that record's place again. Between two pieces of
// the transaction others read: they find an event either in it or in memory.
//
// The database holds its lock for as long as this lives.
// Threads: one owner.
#pragma once

#include "store/sqlite/event_index.hpp"
#include "store/sqlite/expired_operations.hpp"
#include "store/sqlite/key_filter.hpp"
#include "store/sqlite/log_tables.hpp"
#include "store/sqlite/projections.hpp"
#include "store/sqlite/search.hpp"
#include "store/sqlite/store_options.hpp"
#include "store/sqlite/user_log.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace dyad {
class Random;
}  // namespace dyad

namespace dyad::sqlite {

// A batch that the journal has.
struct Committed {
    std::string user_id;
    EventBatchPtr batch;
    Changes changes;               // empty: the events' texts have them
    std::size_t record_bytes = 0;  // of its record, with the first batch of it
};

class Tables {
  public:
    Tables(std::unique_ptr<Connection> connection, StoreOptions options, std::uint64_t epoch_seed,
           std::uint64_t applied);
    Tables(const Tables&) = delete;
    Tables& operator=(const Tables&) = delete;

    // The start: one record that the journal had. Errors: storage_damaged.
    Status replay(std::string_view payload, std::size_t record_bytes, std::uint64_t sequence);
    // After it, before all else.
    Status prepare();

    // The batches of the records up to `sequence`, which follow those that were taken before.
    void take(std::vector<Committed> batches, std::uint64_t sequence);

    bool has_unapplied() const noexcept { return !dirty_.empty(); }
    bool wants_apply() const noexcept { return unapplied_bytes_ >= options_.apply_bytes; }
    // Puts what was taken into the database; calls `between` about every millisecond, for reads and
    // take(). After an error nothing has changed. Not inside another apply.
    Status apply(const std::function<void()>& between = {});
    // The last record of which all is durable in the database.
    std::uint64_t applied() const noexcept { return applied_; }
    // Why the last apply failed; nothing where it did not.
    const std::optional<Error>& apply_problem() const noexcept { return apply_problem_; }
    // Work for when there is no other: true where it should be called again.
    bool tidy();

    // The end of the log, as of what was taken.
    Result<LogHead> head(const std::string& user_id);
    // A walk through all operations that the log has, or had and still knows, when it begins: in
    // pieces of about a millisecond, for others to be served between them.
    struct OperationsWalk {
        KeyFilter operations{};
        bool finished = false;
        EventIndex::HashWalk stored{};
        int pieces = 0;
    };
    Status walk_operations(const std::string& user_id, OperationsWalk& walk);
    // Where the operation's event is; 0: it has expired. Nothing: it is not known.
    Result<std::optional<Offset>> find_operation(const std::string& user_id,
                                                 const OperationId& operation);
    // Which of these events of `batch`, by their index, are of an operation that the log has, or
    // had and still knows, or that another event of the batch before it is of.
    Result<std::vector<Duplicate>> duplicates(const std::string& user_id, const EventBatch& batch,
                                              std::span<const std::size_t> events);

    // What retention does, in pieces: drops the events older than `before_ms`; then no file is to
    // have anything of them any more. One at a time. Calls until `finished`, an error, or
    // step == journal: then it is the journal's turn (CommitLog::turn_over), all of what was taken
    // is to be applied, the journal's files are to be erased, and step to be set to `end`.
    struct Expiry {
        std::int64_t before_ms = 0;
        std::size_t dropped = 0;
        bool finished = false;
        enum class Step : std::uint8_t { begin, drop, purge, journal, end };
        Step step = Step::begin;
        bool one_by_one = false;    // because a log is damaged
        LogTables::DuePlace after;  // those that are
        std::optional<Error> problem;
        std::uint64_t purge_pieces = 0;
        std::uint64_t removals = 0;  // from the search index, when it began to be purged
    };
    Status expire_some(Expiry& expiry);

    // After a restore: every log goes on with another epoch, so that clients that have seen what
    // came after the backup notice. Requires: no Standing is out.
    Status renew_epochs(Random& random);
    // Checks a user's whole log, hash by hash. Errors: storage_damaged, not_found.
    Status verify(const std::string& user_id);

    Connection& connection() noexcept { return *db_; }

  private:
    friend class Reads;
    // Of the transaction that applies.
    struct Part {
        UserLog* log;
        std::size_t left;               // batches, at the front of log->unapplied
        std::vector<Unapplied> done{};  // before them, in the transaction
        bool is_new = false;            // its number is
    };

    [[noreturn]] void stop(const Error& error) { stop_store(options_, error); }
    void stop_if_sync_failed(const Error& error);
    // The log; null where there is none yet.
    Result<UserLog*> find_log(const std::string& user_id);
    Status read_log(UserLog& log);
    Status apply_piece(Part& part);
    Status apply_all(std::vector<Part>& parts, const std::function<void()>& between);
    Error give_up_applying(std::vector<Part>& parts, std::size_t bytes, const Error& error);
    void release_idle_logs();
    // `work` in a transaction of its own; in the one that applies, where there is one.
    template <class Work>
    auto change(Work work) -> decltype(work()) {
        if (applying_) return work();
        auto result = db_->transact(work);
        if (!result) stop_if_sync_failed(result.error());
        return result;
    }
    Status index_texts(std::int64_t user);  // all that the search index does not know yet
    Status drop_some(Expiry& expiry);
    using Cuts = std::vector<std::pair<std::string, Offset>>;  // where the logs begin then
    Result<std::size_t> drop_of(const LogTables::Due& due, std::int64_t before_ms,
                                std::size_t& segments_left, Cuts& cuts);
    Result<std::size_t> drop_due(Expiry& expiry, LogTables::Due due, LogTables::DuePlace& place,
                                 Cuts& cuts);
    Status pass_over(Expiry& expiry, const LogTables::DuePlace& place, const Error& error);
    Status purge_some(Expiry& expiry);
    Status empty_rollback_journal();

    StoreOptions options_;
    std::uint64_t epoch_seed_;
    std::unique_ptr<Connection> db_;
    LogTables log_;
    EventIndex index_;
    ExpiredOperations expired_;
    Projections projections_;
    Search search_;

    std::unordered_map<std::string, std::unique_ptr<UserLog>> logs_;
    std::vector<UserLog*> dirty_;  // with batches that are not applied
    std::size_t unapplied_bytes_ = 0;
    std::uint64_t taken_ = 0;  // the last record
    std::uint64_t applied_ = 0;
    bool applying_ = false;
    std::optional<Error> apply_problem_;
    std::set<std::int64_t> to_index_;  // users whose contexts may have changed since a search
    bool old_logs_ = true;             // some may not be in the event index
    bool to_erase_ = true;  // a file may have what was dropped, also by an earlier process
    std::chrono::steady_clock::time_point purge_again_;  // the search index: not before
};

}  // namespace dyad::sqlite
