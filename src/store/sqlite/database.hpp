// The embedded store of a process: one folder and two threads, shared by all cells.
//
// The journal thread commits, and does nothing else (CommitLog). The tables thread takes what was
// committed, in that order, applies it, and answers every read (Tables, Reads). A batch is in the
// tables' inbox before its result is posted: whoever was told of a commit and reads, reads it.
// The journal waits for the tables only where its files are full of what is not applied.
//
// Each cell is called once per commit, however many of its requests were in it.
//
// Threads: any, except where told otherwise.
#pragma once

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "driver/backlog.hpp"
#include "store/sqlite/database_copy.hpp"
#include "store/sqlite/folder.hpp"
#include "store/sqlite/opening.hpp"
#include "store/sqlite/store_check.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace dyad::sqlite {

struct DatabaseOptions {
    std::string folder;                  // made if it does not exist
    StoreOptions store{};                // `database` is set by open
    std::size_t requests_max = 65536;    // without an answer
    std::int64_t idle_apply_ms = 100;    // nothing to do for so long: apply
    std::int64_t retry_apply_ms = 1000;  // after an apply that failed
};

class Database {
  public:
    // Errors: storage_unavailable, storage_damaged, storage_newer, storage_locked, storage_full.
    static Result<std::shared_ptr<Database>> open(DatabaseOptions options, Random& random);
    // Stops.
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    void append(std::vector<PendingAppend> appends);
    // On the tables thread; with the error, at once, where it was refused.
    using Read = std::function<void(Result<Reads*>)>;
    void read(Read read);
    void expire(std::int64_t before_ms, std::function<void(Result<std::size_t>)> done);
    // See Store::check and Store::copy; `report` is called on the tables thread.
    enum class Look : std::uint8_t { check, copy };
    void check(std::function<bool(Result<CheckReport>)> report, Look look = Look::check);
    // Where it is storage_damaged: says so in the log once, counts it, and keeps it in health().
    void note(const Error& error);
    StoreHealth health() const;

    // How many cells use it: one more, or one less.
    void count_cell(int by) noexcept { cells_.fetch_add(by, std::memory_order_relaxed); }
    int cells() const noexcept { return cells_.load(std::memory_order_relaxed); }

    // Finishes what was submitted, applies it, and closes the database. Idempotent. Not on one of
    // its threads.
    void stop();

  private:
    // One of: what was committed; a read; what is not to be done amid an apply.
    struct TablesTask {
        std::vector<Committed> committed{};
        std::uint64_t sequence = 0;
        Read read{};
        std::function<void()> alone{};
    };
    // One of: an append, and an errand of the tables thread.
    struct JournalTask {
        std::optional<PendingAppend> append{};
        std::function<void()> errand{};
    };
    struct ExpiryJob {
        Tables::Expiry walk;
        std::function<void(Result<std::size_t>)> done;
        bool is_at_journal = false;
    };
    struct CheckJob {
        std::function<bool(Result<CheckReport>)> report;
        Look look = Look::check;
        std::optional<StoreCheck> walk{};  // nothing before its first step
        std::unique_ptr<DatabaseCopy> copy{};
        std::int64_t next_report_ms = 0;
    };

    explicit Database(DatabaseOptions options)
        : options_(std::move(options)), backlog_("the store", options_.requests_max) {}

    // On the journal thread:
    void run_journal() noexcept;
    void commit();
    void answer(std::vector<PendingAppend> answered);
    void note_round(const CommitLog::Round& round);
    void ask(CommitLog::Question question);
    void ask_operations(const std::string& user_id, std::uint64_t serial,
                        const std::shared_ptr<Tables::OperationsWalk>& walk);
    void erase_some();

    // On the tables thread:
    void run_tables() noexcept;
    std::int64_t patience_ms() const;  // -1: until somebody submits something
    void do_next();
    void serve_amid_apply();
    Status apply();
    void work_while_idle();
    void expire_some();
    void end_expiry(const Status& done);
    void go_to_journal();
    void erase_journal();
    void begin_check(std::function<bool(Result<CheckReport>)> report, Look look);
    void check_some();
    Result<CheckReport> check_next();
    Result<CheckReport> copy_next();
    Result<bool> check_records(Journal::Cursor& cursor);
    void close();

    DatabaseOptions options_;
    std::atomic<int> cells_{0};
    std::unique_ptr<FolderLock> lock_;
    driver::Backlog backlog_;
    driver::Mailbox<JournalTask> to_journal_;
    driver::Mailbox<TablesTask> to_tables_;

    // The journal thread's own:
    std::unique_ptr<CommitLog> commits_;
    std::deque<JournalTask> journal_tasks_;
    std::function<void(Status)> erasing_;  // what to do once it is done
    std::size_t quiet_bytes_ = 0;          // put into the tables' inbox since it was woken
    bool commits_fail_ = false;            // the last one did, for want of space

    // The tables thread's own:
    std::unique_ptr<Tables> tables_;
    std::optional<Reads> reads_;
    std::deque<TablesTask> tasks_;
    std::deque<ExpiryJob> expiries_;
    std::optional<CheckJob> check_;   // one at a time
    std::int64_t next_apply_ms_ = 0;  // after one that failed
    bool tidying_ = true;
    SystemClock clock_;

    std::atomic<std::int64_t> latency_us_{0};
    mutable Mutex problem_mutex_;
    std::string problem_ GUARDED_BY(problem_mutex_);            // of applying
    std::string commit_problem_ GUARDED_BY(problem_mutex_);     // of the last commit
    std::string damage_ GUARDED_BY(problem_mutex_);             // the first that was found
    std::set<std::string> damages_ GUARDED_BY(problem_mutex_);  // that were noted, up to a bound
    std::once_flag stopped_;
    std::thread journal_thread_;
    std::thread tables_thread_;
};

}  // namespace dyad::sqlite
