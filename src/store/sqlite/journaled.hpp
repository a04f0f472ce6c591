// The embedded store without its thread: the journal in front, the database behind.
//
// A commit is one record of the journal: one write and one sync for everything in it. What is in
// the journal is put into the database later ("applied"), in one transaction with the number of the
// last record it covers; only then may the journal reuse the record's place. Reads of a user's
// state and log join both; the other reads apply first.
//
// The database holds its lock for as long as this lives: there is one of these per folder.
// Threads: one owner.
#pragma once

#include "base/clock.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/expired_operations.hpp"
#include "store/sqlite/journal.hpp"
#include "store/sqlite/log_tables.hpp"
#include "store/sqlite/projections.hpp"
#include "store/sqlite/queries.hpp"
#include "store/sqlite/search.hpp"
#include "store/sqlite/store_check.hpp"
#include "store/store.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace dyad::sqlite {

struct JournaledOptions {
    std::string database;                      // path; the two journals stand beside it
    std::string vfs;                           // empty: SQLite's own
    std::size_t journal_file_bytes = 8 << 20;  // of a new journal; a multiple of 4096
    std::size_t group_bytes_max = 2 << 20;     // of one commit, unless one batch alone is larger
    std::size_t apply_bytes = 4 << 20;         // so much in the journal is worth applying
    bool commits_meanwhile = false;            // while the database syncs what was applied
    std::int64_t page_bytes = 4096;
    SegmentLimits segments{};
    std::string extra_pragmas;                  // tests weaken the store with it
    std::optional<std::uint64_t> epoch_seed{};  // tests know it
    // A sync failed: what is durable is unknown, and only a restart can tell. Must not return.
    std::function<void(const std::string&)> on_fatal;  // default: log and exit with code 74
};

class Journaled {
  public:
    // Errors: storage_unavailable, storage_damaged, storage_newer, storage_locked, storage_full.
    static Result<std::unique_ptr<Journaled>> open(JournaledOptions options, Random& random);
    ~Journaled();
    Journaled(const Journaled&) = delete;
    Journaled& operator=(const Journaled&) = delete;

    // Commits the first requests as one record and puts a result for each into `results`. Returns
    // how many: at least one, where there is one. What is `committed` is durable on return.
    std::size_t commit(std::span<AppendRequest> requests, std::vector<AppendResult>& results);

    bool wants_apply() const noexcept {
        return applying_.has_value() || unapplied_bytes_ >= options_.apply_bytes;
    }
    bool is_applying() const noexcept { return applying_.has_value(); }
    // It is committed on a thread of its own; only commits to the journal go on meanwhile.
    bool is_ending() const noexcept { return applying_ && applying_->ending.valid(); }
    bool has_unapplied() const noexcept { return applying_.has_value() || !dirty_.empty(); }
    // Puts everything in the journal into the database. After an error nothing has changed.
    Status apply();
    // The same in slices of about `bytes_max`, at least one batch, for between two commits. False
    // once what was in the journal when it began is durable in the database. Returns at once while
    // it is ending.
    Result<bool> apply_some(std::size_t bytes_max);
    // In the journal, without what is being applied.
    std::size_t unapplied_bytes() const noexcept { return unapplied_bytes_; }
    // Work for when there is no other: true where it should be called again.
    bool tidy();
    // Why the last apply failed; nothing where it did not.
    const std::optional<Error>& apply_problem() const noexcept { return apply_problem_; }

    Result<LoadedLog> load(const std::string& user_id);
    // A walk through the operations of a log, newest first, in pieces, so that commits need not
    // wait for it.
    struct OperationsWalk {
        std::vector<std::uint64_t> keys;
        Offset before = 0;  // the walk is finished with those from here on; 0 = not begun
        bool finished = false;
    };
    Status read_operations(const std::string& user_id, OperationsWalk& walk);
    Result<LogSlice> read_log(const std::string& user_id, Offset after, std::size_t bytes_max);
    Result<Offset> find_operation(const std::string& user_id, std::uint64_t operation_key);
    Result<std::vector<Position>> heads(const std::vector<std::string>& user_ids);
    Result<std::vector<HistoryItem>> history(const std::string& user_id, const std::string& key,
                                             PageRequest page);
    Result<ContextPtr> read_version(const std::string& user_id, const std::string& key,
                                    Version version);
    Result<std::vector<Transition>> transitions(const std::string& user_id,
                                                const std::optional<std::string>& instance_id,
                                                PageRequest page);
    Result<std::vector<ResponseRecord>> responses(const std::string& user_id,
                                                  const ResponseFilter& filter, PageRequest page);
    Result<std::vector<SearchHit>> search(const std::string& user_id, const std::string& query,
                                          std::size_t limit);
    Result<ClockMark> load_clock();
    void save_clock(const ClockMark& mark);  // where it cannot be kept, the older one stays
    Result<std::vector<std::string>> users_with_expired(std::int64_t now_ms, std::size_t limit);
    Result<std::vector<std::string>> list_users();
    // Checks a user's whole log, hash by hash. Errors: storage_damaged, not_found.
    Status verify(const std::string& user_id);

    // A check of all of it, for check_some(). Lifetime: this store's.
    StoreCheck begin_check(bool thorough) { return {*db_, *journal_, thorough}; }
    // One piece; false once it is finished.
    bool check_some(StoreCheck& check);

    // After a restore: every log goes on with another epoch, so that clients that have seen
    // what came after the backup notice.
    Status renew_epochs(Random& random);

    // What retention does, in pieces, so that commits need not wait for it: drops the events older
    // than `before_ms`, and then sees to it that no file has anything of them any more. One at a
    // time. Requires: calls until `finished` or an error; between two, anything else. While
    // is_ending() a call does nothing.
    struct Expiry {
        std::int64_t before_ms = 0;
        std::size_t dropped = 0;
        bool finished = false;
        // The store's own:
        enum class Step : std::uint8_t { begin, drop, purge, turn_over, erase };
        Step step = Step::begin;
        std::uint64_t apply_to = 0;  // a record: first everything up to it is applied
        bool one_by_one = false;     // because a log is damaged
        LogTables::DuePlace after;   // those that are
        std::optional<Error> problem;
        std::uint64_t purge_pieces = 0;
        std::uint64_t removals = 0;  // from the search index, when it began to be purged
    };
    Status expire_some(Expiry& expiry);

  private:
    struct Accepted {
        std::size_t request;
        UserLog* log;
        LogHead before;
    };

    // A transaction that has begun to put the journal, up to `last_sequence`, into the database.
    struct Applying {
        struct Part {
            UserLog* log;
            std::size_t left;                  // batches, at the front of log->unapplied
            std::vector<Unapplied> applied{};  // before them, in the transaction
            bool is_new = false;               // its number is
        };
        explicit Applying(Connection& connection) : transaction(connection) {}

        Transaction transaction;
        std::vector<Part> parts;
        std::size_t next = 0;  // the parts before are finished
        std::uint64_t last_sequence = 0;
        std::size_t bytes = 0;       // of unapplied_bytes_
        std::future<Status> ending;  // its commit; nobody else uses the connection meanwhile
        std::vector<std::pair<std::string, Offset>> first_kept;  // of logs that were cut in it
    };

    explicit Journaled(JournaledOptions options) : options_(std::move(options)) {}
    Status open_files(Random& random);
    // Checks a database of before there were seals as far as it can be checked, and puts one with
    // seals in its place. Afterwards the files are to be opened anew.
    Status seal_database();
    Status write_sealed(const std::string& path);
    Status know_store_id();
    Status settle_rollback_journal();
    Status has_no_user();
    Status open_database(Random& random);
    Status open_journal();
    Status replay(std::string_view payload, std::size_t record_bytes);
    [[noreturn]] void stop(const Error& error);
    void stop_if_sync_failed(const Error& error);

    // The log in memory, read from the database where it is not; null where there is none yet.
    Result<UserLog*> find_log(const std::string& user_id);
    Result<UserLog*> find_or_make_log(const std::string& user_id);
    Result<bool> accept(const AppendRequest& request, std::size_t index, std::size_t& group_bytes);
    void refuse_accepted(const Error& error, std::vector<AppendResult>& results);
    Status make_room();
    void keep(UserLog& log, Unapplied unapplied);
    Status begin_to_apply();
    Status apply_slice(std::size_t bytes_max);
    Result<bool> end_applying();
    Error give_up_applying(const Error& error);
    // Waits for the end of an apply that is in its commit. To be called before the database is
    // read, or its part in the logs. True where an apply goes on, an error where it failed now.
    Result<bool> settle();
    // A transaction for something else than applying, in its place.
    Status begin_change();
    Status end_change(const Status& done);
    Status drop_some(Expiry& expiry);
    // Takes from `segments_left`; all of it where the log needs another piece.
    Result<std::size_t> drop_of(const LogTables::Due& due, std::int64_t before_ms,
                                std::size_t& segments_left);
    Status pass_over(Expiry& expiry, const LogTables::DuePlace& place, const Error& error);
    Status purge_some(Expiry& expiry);
    Status turn_over(Expiry& expiry);
    Status erase_some(Expiry& expiry);
    Status empty_rollback_journal();
    void release_idle_logs();
    Result<LogSlice> whole_slice(const UserLog& log, Offset after, LogSlice slice) const;
    // The stored log of a user, everything applied; nothing where there is none.
    Result<std::optional<StoredHead>> applied_log(const std::string& user_id);
    Status index_all(std::int64_t user);

    JournaledOptions options_;
    std::uint64_t store_id_ = 0;
    std::uint64_t epoch_seed_ = 0;  // the store's id, until a restore
    std::unique_ptr<Connection> db_;
    std::unique_ptr<Journal> journal_;
    std::optional<LogTables> log_;
    std::optional<ExpiredOperations> expired_;
    std::optional<Projections> projections_;
    std::optional<Queries> queries_;
    std::optional<Search> search_;

    std::unordered_map<std::string, std::unique_ptr<UserLog>> logs_;
    std::vector<UserLog*> dirty_;  // with batches that are not applied
    std::size_t unapplied_bytes_ = 0;
    std::set<std::int64_t> to_index_;  // users whose contexts may have changed
    bool to_erase_ = true;  // a file may have what was dropped, also by an earlier process
    std::chrono::steady_clock::time_point purge_again_;  // the search index: not before
    std::optional<Applying> applying_;
    std::optional<Error> apply_problem_;
    std::vector<Accepted> accepted_;  // of the commit that is being made
    std::string encoded_;
};

}  // namespace dyad::sqlite
