// A MongoDB database as the store of a process, shared by all cells: a pool of connections, each
// driven by a thread of its own, and a keeper that looks after the server.
//
//   looking   no server was found yet, or it was not as it must be: every request is refused at
//             once ("MongoDB not connected"), the keeper tries for ever
//   up        requests run
//   down      a request or the keeper's question found no server, or one that takes no writes:
//             as looking, until one does
//
// The keeper asks every ping whether the database is still the same store.
//
// The appends of one user run one after the other, those that wait together as one insert. What is
// derived follows a little later (state_documents.hpp).
//
// Threads: any, except where told otherwise.
#pragma once

#include "base/clock.hpp"
#include "driver/backlog.hpp"
#include "driver/caller.hpp"
#include "store/mongo/documents.hpp"
#include "store/mongo/schema.hpp"
#include "store/mongo/user_logs.hpp"
#include "store/store.hpp"

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace dyad::mongo {

class Pool;

struct MongoOptions {
    std::string url = "mongodb://localhost:27017";
    std::string database = "dyad_distributed";
    std::size_t pool_max = 10;            // connections that work; the keeper has another one
    std::size_t pool_min = 2;             // of them opened at once
    bool tls = false;                     // where the URL does not say it
    std::string ca_file;                  // of the authorities to trust beside the system's
    std::uint64_t seed = 0;               // of a new store's epochs; 0: random
    std::size_t requests_max = 65536;     // without an answer
    std::int64_t project_after_ms = 200;  // after a commit
    std::int64_t ping_ms = 2000;
    std::int64_t retry_max_ms = 2000;  // between two looks for a server
};

struct PendingAppend {
    AppendRequest request;
    driver::CallerPtr caller;
    std::function<void(AppendResult)> done;
};

class Database {
  public:
    // Errors: what will not get better by itself: invalid_field, storage_newer, storage_damaged,
    // storage_unavailable (wrong credentials). Where no server answers it goes on looking.
    static Result<std::shared_ptr<Database>> open(MongoOptions options, Random& random);
    // Calls `look` with one connection, for a look from outside: no thread is started. Errors:
    // those of open(), and what `look` says.
    static Status with_client(const MongoOptions& options,
                              const std::function<Status(Client&)>& look);
    // Stops.
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    void append(PendingAppend append);
    // On a driver thread; with the error, at once, where it was refused.
    using Work = std::function<void(Result<Client*>)>;
    void run(Work work);
    Shared& shared() noexcept { return shared_; }
    KnownDocuments& known_documents() noexcept { return known_documents_; }
    // A request has failed so: where it found no server, the keeper looks at once.
    void note(const Error& error);

    // Projects what this process committed and did not project yet.
    Status bring_up_all(Client& client);
    void save_clock(const ClockMark& mark);
    std::optional<ClockMark> saved_clock() const;

    StoreHealth health() const;
    std::int64_t clock_offset_ms() const noexcept {
        return clock_offset_ms_.load(std::memory_order_relaxed);
    }
    // Calls `take` with the secret of the store once it is known, and whenever it changes; on the
    // keeper's thread, or at once. Lifetime of the call: until stop().
    void on_secret(std::function<void(const std::string&)> take);
    // What was taken is finished, what is due is projected as far as a server answers.
    void stop();

  private:
    using Time = std::chrono::steady_clock::time_point;
    struct UserQueue {
        std::deque<PendingAppend> appends;
        bool running = false;
    };

    Database(MongoOptions options, Random& random);
    Error not_connected() const;
    void work();
    std::vector<PendingAppend> take_appends(const std::string& user_id);
    void run_appends(const std::string& user_id, const Result<Client*>& client,
                     const std::vector<PendingAppend>& appends);
    void committed(const std::string& user_id);
    void project(const std::string& user_id, const Result<Client*>& client);
    void write_clock(const Result<Client*>& client);

    void keep();
    Status look(Client& client, bool doubted);
    Status look_again(Client& writer, bool doubted);
    void came_up(const Identity& identity);
    void went_down(const Error& why);
    bool wait_until(Time next_look);
    bool take_look_now();
    void submit_due();
    std::size_t projections_left() const REQUIRES(mutex_);

    const MongoOptions options_;
    SystemRandom random_;  // the keeper's
    SystemClock clock_;
    Shared shared_;
    std::unique_ptr<Pool> pool_;  // it tells `shared_` of primaries
    KnownDocuments known_documents_;
    driver::Backlog backlog_;
    driver::Mailbox<Work> mailbox_;
    std::vector<std::thread> threads_;
    std::thread keeper_;
    bool told_ = false;  // that no server is there; the keeper's
    Identity identity_;  // of the store as it was found; the keeper's

    std::atomic<bool> up_{false};
    std::atomic<bool> prepared_{false};  // its indexes were seen
    std::atomic<bool> replica_set_{false};
    std::atomic<std::int64_t> clock_offset_ms_{0};
    std::atomic<std::int64_t> latency_us_{0};

    mutable Mutex mutex_;
    Condition changed_;  // for the keeper
    bool stopping_ GUARDED_BY(mutex_) = false;
    bool look_now_ GUARDED_BY(mutex_) = false;
    std::string problem_ GUARDED_BY(mutex_) = "no server has answered yet";
    std::unordered_map<std::string, UserQueue> queues_ GUARDED_BY(mutex_);
    std::map<std::string, Time> due_ GUARDED_BY(mutex_);   // users to project, and when
    std::set<std::string> projecting_ GUARDED_BY(mutex_);  // those who are being projected
    std::optional<ClockMark> clock_mark_ GUARDED_BY(mutex_);
    bool clock_saving_ GUARDED_BY(mutex_) = false;
    bool clock_dirty_ GUARDED_BY(mutex_) = false;
    std::string secret_ GUARDED_BY(mutex_);
    std::vector<std::function<void(const std::string&)>> secret_takers_ GUARDED_BY(mutex_);
};

}  // namespace dyad::mongo
