// The embedded store of a process: one folder, one writer thread, shared by all cells.
//
// Group commit: whatever arrived while the last sync ran goes into the next record; there is no
// timer on the way. Commits go before reads, and completions leave before anything is applied.
// Each cell is called once per commit, however many of its requests were in it.
//
// Threads: any, except where told otherwise.
#pragma once

#include "store/sqlite/folder.hpp"
#include "store/sqlite/journaled.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace dyad::sqlite {

struct DatabaseOptions {
    std::string folder;                  // made if it does not exist
    JournaledOptions store{};            // `database` is set by open
    std::size_t requests_max = 65536;    // waiting for the writer
    std::int64_t idle_apply_ms = 100;    // nothing to do for so long: apply
    std::int64_t retry_apply_ms = 1000;  // after an apply that failed
};

// One cell's end of the database. Holds what is posted to the cell for as long as the cell wants
// it.
class Cell {
  public:
    using Post = std::function<void(std::function<void()>)>;

    explicit Cell(Post post) : post_(std::move(post)) {}
    // Runs `work` on the cell's thread; not at all once the cell is closed.
    void post(std::function<void()> work);
    // On the cell's thread: nothing is posted, and nothing that was posted runs, from now on.
    void close();
    // On the cell's thread.
    bool is_open() const noexcept { return open_; }

  private:
    std::mutex mutex_;
    Post post_;
    bool open_ = true;  // written on the cell's thread only
};

class Database {
  public:
    // Errors: storage_unavailable, storage_damaged, storage_newer, storage_locked, storage_full.
    static Result<std::shared_ptr<Database>> open(DatabaseOptions options, Random& random);
    // Stops.
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    struct Append {
        std::shared_ptr<Cell> cell;
        AppendRequest request;
        std::function<void(AppendResult)> done;
    };
    // Work for the writer thread. With null it was refused: the writer is stopping or overloaded.
    using Read = std::function<void(Journaled*)>;

    void append(Append append);
    void read(Read read);
    void expire(std::int64_t before_ms, std::function<void(Result<std::size_t>)> done);
    // See Store::check; `report` is called on the writer's thread.
    void check(std::function<bool(Result<CheckReport>)> report);
    // Where it is storage_damaged: says so in the log once, counts it, and keeps it in health().
    // On the writer's thread.
    void note(const Error& error);
    StoreHealth health() const;

    // How many cells use it: one more, or one less.
    void count_cell(int by) noexcept { cells_.fetch_add(by, std::memory_order_relaxed); }
    int cells() const noexcept { return cells_.load(std::memory_order_relaxed); }

    // Finishes what was submitted, applies it, and closes the database. Idempotent. Not on the
    // writer's thread.
    void stop();

  private:
    struct ExpiryJob {
        Journaled::Expiry walk;
        std::function<void(Result<std::size_t>)> done;
    };

    struct CheckJob {
        std::optional<StoreCheck> walk;  // nothing before it begins
        std::function<bool(Result<CheckReport>)> report;
        std::int64_t next_report_ms = 0;
    };

    struct Waiting {
        std::shared_ptr<Cell> cell;
        std::function<void(AppendResult)> done;
    };

    explicit Database(DatabaseOptions options) : options_(std::move(options)) {}
    std::optional<Error> why_refused() const;  // with mutex_ held
    void wake(std::unique_lock<std::mutex> held);

    // On the writer's thread:
    void run() noexcept;
    bool take_submitted();  // false: stopping, and nothing is left to do
    bool is_busy() const noexcept;
    std::int64_t patience_ms() const;  // -1: until somebody submits something
    void commit_some();
    void note_commit();
    void post_results(std::size_t first);
    void read_one();
    void expire_some();
    void check_some();
    void apply_some();
    void work_while_idle();

    DatabaseOptions options_;
    std::atomic<int> cells_{0};
    std::unique_ptr<FolderLock> lock_;
    std::unique_ptr<Journaled> store_;

    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<AppendRequest> submitted_requests_;
    std::vector<Waiting> submitted_waiting_;
    std::vector<Read> submitted_reads_;
    std::vector<ExpiryJob> submitted_expiries_;
    std::vector<CheckJob> submitted_checks_;
    bool waiting_ = false;  // the writer is: the next submission wakes it
    bool stopping_ = false;

    // The writer's own:
    std::vector<AppendRequest> requests_;
    std::vector<Waiting> waiting_for_;  // as many
    std::size_t next_request_ = 0;
    std::vector<AppendResult> results_;
    std::deque<Read> reads_;
    std::deque<ExpiryJob> expiries_;
    std::deque<CheckJob> checks_;
    std::int64_t next_apply_ms_ = 0;  // after one that failed
    bool idle_ = false;
    bool tidying_ = true;
    std::set<std::string> damages_;  // that were noted, up to a bound
    bool commits_fail_ = false;      // the last one did, for want of space
    SystemClock clock_;

    std::atomic<bool> checking_{false};
    std::atomic<std::int64_t> latency_us_{0};
    mutable std::mutex problem_mutex_;
    std::string problem_;         // of applying
    std::string commit_problem_;  // of the last commit
    std::string damage_;          // the first that was found
    std::mutex stop_mutex_;
    std::thread thread_;
};

}  // namespace dyad::sqlite
