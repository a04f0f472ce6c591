#include "store/mongo/database.hpp"

#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/thread_name.hpp"
#include "store/mongo/state_documents.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

namespace dyad::mongo {
namespace {

constexpr std::string_view kScope = "mongodb_client";
constexpr std::int64_t kRetryMinMs = 100;
constexpr std::int64_t kProjectAgainMs = 1000;  // after one that failed
constexpr std::int64_t kStopMs = 1000;          // for what waits when the store is closed
constexpr std::int32_t kSelectionMs = 3000;
constexpr std::int32_t kConnectMs = 3000;
constexpr std::int32_t kSocketMs = 8000;  // without an answer

std::chrono::milliseconds ms(std::int64_t count) {
    return std::chrono::milliseconds(count);
}

// The driver's own words are for whoever debugs it.
void take_log(mongoc_log_level_t level, const char* domain, const char* text, void*) {
    if (level <= MONGOC_LOG_LEVEL_WARNING) log::debug(kScope, std::string(domain) + ": " + text);
}

void init_driver() {
    static std::once_flag once;
    std::call_once(once, [] {
        mongoc_init();
        mongoc_log_set_handler(take_log, nullptr);
    });
}

bool is_lasting(const Error& error) {
    return error.code == Errc::invalid_field || error.code == Errc::storage_newer ||
           error.code == Errc::storage_damaged ||
           (error.code == Errc::storage_unavailable &&
            error.detail.find("refuses") != std::string::npos);
}

}  // namespace

struct Database::Pool {
    using Uri = std::unique_ptr<mongoc_uri_t, void (*)(mongoc_uri_t*)>;
    using Clients = std::unique_ptr<mongoc_client_pool_t, void (*)(mongoc_client_pool_t*)>;

    Uri uri{nullptr, mongoc_uri_destroy};
    Clients clients{nullptr, mongoc_client_pool_destroy};

    static Result<std::unique_ptr<Pool>> make(const MongoOptions& options) {
        auto pool = std::make_unique<Pool>();
        bson_error_t error{};
        pool->uri.reset(mongoc_uri_new_with_error(options.url.c_str(), &error));
        if (!pool->uri)
            return fail(Errc::invalid_field, std::string("MONGODB_URL: ") + error.message);
        mongoc_uri_t* const uri = pool->uri.get();
        mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYWRITES, false);
        mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYREADS, false);
        mongoc_uri_set_option_as_int32(uri, MONGOC_URI_MAXPOOLSIZE,
                                       static_cast<std::int32_t>(options.pool_max + 1));
        const auto unless_said = [uri](const char* option, std::int32_t value) {
            if (!mongoc_uri_has_option(uri, option))
                mongoc_uri_set_option_as_int32(uri, option, value);
        };
        unless_said(MONGOC_URI_SERVERSELECTIONTIMEOUTMS, kSelectionMs);
        unless_said(MONGOC_URI_CONNECTTIMEOUTMS, kConnectMs);
        unless_said(MONGOC_URI_SOCKETTIMEOUTMS, kSocketMs);
        mongoc_uri_set_appname(uri, "dyad-memory");
        if (options.tls && !mongoc_uri_has_option(uri, MONGOC_URI_TLS))
            mongoc_uri_set_option_as_bool(uri, MONGOC_URI_TLS, true);
        if (!options.ca_file.empty() && mongoc_uri_get_tls(uri))
            mongoc_uri_set_option_as_utf8(uri, MONGOC_URI_TLSCAFILE, options.ca_file.c_str());
        pool->clients.reset(mongoc_client_pool_new_with_error(uri, &error));
        if (!pool->clients)
            return fail(Errc::invalid_field, std::string("MONGODB_URL: ") + error.message);
        mongoc_client_pool_set_error_api(pool->clients.get(), MONGOC_ERROR_API_VERSION_2);
        return pool;
    }
};

// A connection of the pool, for as long as a thread has it.
namespace {

class Held {
  public:
    explicit Held(mongoc_client_pool_t* pool)
        : pool_(pool), client_(mongoc_client_pool_pop(pool)) {}
    ~Held() { mongoc_client_pool_push(pool_, client_); }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    mongoc_client_t* get() const noexcept { return client_; }

  private:
    mongoc_client_pool_t* pool_;
    mongoc_client_t* client_;
};

}  // namespace

Database::Database(MongoOptions options, Random& random)
    : options_(std::move(options)),
      shared_(random.uuid4()),
      backlog_("the store", options_.requests_max) {}

Result<std::shared_ptr<Database>> Database::open(MongoOptions options, Random& random) {
    init_driver();
    std::shared_ptr<Database> database(new Database(std::move(options), random));
    ASSIGN_OR_RETURN(database->pool_, Pool::make(database->options_));
    {
        const Held held(database->pool_->clients.get());
        Client client(held.get(), database->options_.database, false);
        const Status found = database->look(client);
        if (!found && is_lasting(found.error())) return found.error();
        if (!found) database->went_down(found.error());
    }
    for (std::size_t i = 0; i < database->options_.pool_max; ++i)
        database->threads_.emplace_back([self = database.get()] { self->work(); });
    database->keeper_ = std::thread([self = database.get()] { self->keep(); });
    return database;
}

Status Database::with_client(const MongoOptions& options,
                             const std::function<Status(Client&)>& look) {
    init_driver();
    ASSIGN_OR_RETURN(const auto pool, Pool::make(options));
    const Held held(pool->clients.get());
    Client client(held.get(), options.database, false);
    return look(client);
}

Database::~Database() {
    stop();
}

void Database::stop() {
    {
        const MutexLock held(mutex_);
        if (std::exchange(stopping_, true)) return;
        // What is derived and is not written by then, the next one writes who reads or projects it.
        stop_by_ = std::chrono::steady_clock::now() + ms(kStopMs);
        for (auto& [user_id, when] : due_)
            when = Time{};
    }
    submit_due();
    backlog_.close();
    changed_.notify_all();
    mailbox_.stop();
    for (std::thread& thread : threads_)
        thread.join();
    threads_.clear();
    if (keeper_.joinable()) keeper_.join();
}

// ---- requests -------------------------------------------------------------------------------

// What is refused is told without the mutex: whoever hears of it may call again.
Error Database::not_connected() const {
    const MutexLock held(mutex_);
    return fail(Errc::storage_unavailable, "MongoDB not connected: " + problem_);
}

void Database::run(Work work) {
    if (!up_) return work(not_connected());
    metrics::mongodb_waiting.add();
    const Status taken = backlog_.submit(mailbox_, work);
    if (taken) return;
    metrics::mongodb_waiting.add(-1);
    work(taken.error());
}

void Database::work() {
    name_thread("mongodb");
    const Held held(pool_->clients.get());
    while (std::optional<Work> next = mailbox_.take_one()) {
        metrics::mongodb_waiting.add(-1);
        Client client(held.get(), options_.database, replica_set_, &stop_by_);
        if (up_) {
            metrics::mongodb_busy.add(1);
            (*next)(&client);
            metrics::mongodb_busy.add(-1);
        } else {
            (*next)(not_connected());  // it waited while the server went
        }
        backlog_.answered();
    }
}

void Database::note(const Error& error) {
    if (error.code != Errc::storage_unavailable && error.code != Errc::outcome_unknown) return;
    const MutexLock held(mutex_);
    look_now_ = true;
    changed_.notify_all();
}

void Database::append(PendingAppend append) {
    const std::string user_id = append.request.user_id;
    {
        const MutexLock held(mutex_);
        UserQueue& queue = queues_[user_id];
        queue.appends.push_back(std::move(append));
        if (std::exchange(queue.running, true)) return;
    }
    run([this, user_id](const Result<Client*>& client) {
        for (;;) {
            const std::vector<PendingAppend> taken = take_appends(user_id);
            if (taken.empty()) return;
            run_appends(user_id, client, taken);
        }
    });
}

// What waits of a user and fits into one insert. Where nothing does, nobody runs them any more.
std::vector<PendingAppend> Database::take_appends(const std::string& user_id) {
    std::vector<PendingAppend> taken;
    std::size_t events = 0;
    std::size_t bytes = 0;
    const MutexLock held(mutex_);
    const auto at = queues_.find(user_id);
    CHECK(at != queues_.end());
    std::deque<PendingAppend>& appends = at->second.appends;
    while (!appends.empty()) {
        const EventBatch& batch = *appends.front().request.batch;
        events += batch.size();
        bytes += batch.texts.size();
        if (!taken.empty() && (events > static_cast<std::size_t>(limits::batch_events_max) ||
                               bytes > static_cast<std::size_t>(limits::batch_bytes_max)))
            break;
        taken.push_back(std::move(appends.front()));
        appends.pop_front();
    }
    if (taken.empty()) queues_.erase(at);
    return taken;
}

void Database::run_appends(const std::string& user_id, const Result<Client*>& client,
                           const std::vector<PendingAppend>& appends) {
    std::vector<AppendResult> results;
    if (client) {
        std::vector<const AppendRequest*> requests;
        for (const PendingAppend& one : appends)
            requests.push_back(&one.request);
        const auto started = std::chrono::steady_clock::now();
        results = UserLogs(**client, shared_).append(user_id, requests);
        latency_us_ = std::chrono::duration_cast<std::chrono::microseconds>(
                          std::chrono::steady_clock::now() - started)
                          .count();
    } else {
        results.assign(appends.size(), {AppendOutcome::refused, client.error()});
    }
    std::size_t events = 0;
    for (std::size_t i = 0; i < appends.size(); ++i) {
        if (results[i].outcome == AppendOutcome::committed)
            events += appends[i].request.batch->size();
        else if (results[i].outcome == AppendOutcome::unknown)
            note(fail(Errc::outcome_unknown));
        else if (results[i].error)
            note(*results[i].error);
    }
    if (events > 0) {
        metrics::commits.add(1);
        metrics::commit_seconds.observe_us(latency_us_);
        committed(user_id);
    }
    for (std::size_t i = 0; i < appends.size(); ++i)
        driver::answer(appends[i].caller, appends[i].done, std::move(results[i]));
}

void Database::committed(const std::string& user_id) {
    const MutexLock held(mutex_);
    const bool first = due_.empty();
    due_.try_emplace(user_id, std::chrono::steady_clock::now() + ms(options_.project_after_ms));
    if (first) changed_.notify_all();
}

// ---- what is derived ------------------------------------------------------------------------

// Commits and reads need the connections, too: what is derived gets some of them. Who waits longest
// is next.
std::size_t Database::projections_left() const {
    const std::size_t most =
        stopping_ ? due_.size() : std::max<std::size_t>(1, options_.pool_max / 4);
    return most - std::min(most, projecting_.size());
}

void Database::submit_due() {
    std::vector<std::pair<Time, std::string>> ready;
    {
        const MutexLock held(mutex_);
        const auto now = std::chrono::steady_clock::now();
        for (const auto& [user_id, when] : due_)
            if (when <= now && !projecting_.contains(user_id)) ready.emplace_back(when, user_id);
        std::sort(ready.begin(), ready.end());
        ready.resize(std::min(ready.size(), projections_left()));
        for (const auto& [when, user_id] : ready) {
            due_.erase(user_id);
            projecting_.insert(user_id);
        }
    }
    for (const auto& [when, user_id] : ready)
        run([this, user = user_id](const Result<Client*>& client) { project(user, client); });
}

void Database::project(const std::string& user_id, const Result<Client*>& client) {
    Status status = Done{};
    if (client) {
        UserLogs logs(**client, shared_);
        status = mongo::bring_up(**client, logs, user_id);
    } else {
        status = client.error();
    }
    if (!status) {
        note(status.error());
        log::debug(kScope, "what is derived of a user's log waits: " + status.error().to_string());
    }
    const MutexLock held(mutex_);
    projecting_.erase(user_id);
    if (!status) due_.try_emplace(user_id, std::chrono::steady_clock::now() + ms(kProjectAgainMs));
    if (!due_.empty()) changed_.notify_all();
}

Status Database::bring_up_all(Client& client) {
    std::map<std::string, Time> due;
    {
        const MutexLock held(mutex_);
        due.swap(due_);
    }
    UserLogs logs(client, shared_);
    for (auto at = due.begin(); at != due.end(); at = due.erase(at)) {
        const Status status = mongo::bring_up(client, logs, at->first);
        if (status) continue;
        const MutexLock held(mutex_);
        due_.merge(due);
        return status;
    }
    return Done{};
}

// ---- the mark of the clock ------------------------------------------------------------------

std::optional<ClockMark> Database::saved_clock() const {
    const MutexLock held(mutex_);
    return clock_mark_;
}

void Database::save_clock(const ClockMark& mark) {
    {
        const MutexLock held(mutex_);
        clock_mark_ = mark;
        clock_dirty_ = true;
        if (std::exchange(clock_saving_, true)) return;
    }
    run([this](const Result<Client*>& client) { write_clock(client); });
}

// The last one, until there is no later one. Without a server it waits for the next.
void Database::write_clock(const Result<Client*>& client) {
    for (;;) {
        ClockMark mark;
        {
            const MutexLock held(mutex_);
            if (!client || !std::exchange(clock_dirty_, false)) {
                clock_saving_ = false;
                return;
            }
            mark = *clock_mark_;
        }
        const Bson older = Bson().number("$lte", mark.proven_ms);
        const Update save{
            .filter = Bson().text("_id", "clock").sub("proven", older),
            .change = Bson().sub(
                "$set",
                Bson().number("proven", mark.proven_ms).text("mark", encode_clock_mark(mark))),
            .upsert = true};
        const Result<Written> written = (*client)->update(kMeta, {&save, 1});
        if (!written) note(written.error());
    }
}

// ---- the keeper -----------------------------------------------------------------------------

void Database::on_secret(std::function<void(const std::string&)> take) {
    const MutexLock held(mutex_);
    if (!secret_.empty()) take(secret_);
    secret_takers_.push_back(std::move(take));
}

// Is there a server, is it as it must be, and is it the one of before?
Status Database::look(Client& client) {
    ASSIGN_OR_RETURN(const Deployment found, greet(client, clock_));
    replica_set_ = found.replica_set;
    clock_offset_ms_ = found.clock_offset_ms;
    if (latency_us_ == 0) latency_us_ = found.latency_us;  // until there is a commit
    if (up_) return Done{};
    Client writer(client.driver(), options_.database, found.replica_set);
    if (!prepared_) TRY(make_indexes(writer));
    ASSIGN_OR_RETURN(const Identity identity, identify(writer, random_, options_.seed));
    prepared_ = true;
    came_up(identity);
    return Done{};
}

void Database::came_up(const Identity& identity) {
    // What was seen before may be of another time.
    shared_.heads.clear();
    const std::uint64_t before = shared_.seed.exchange(identity.seed);
    if (before != 0 && before != identity.seed) {
        log::warn(kScope, "the database is another one than before; everybody starts anew");
        prepared_ = false;
    }
    log::info(kScope, "MongoDB connected successfully");
    const MutexLock held(mutex_);
    problem_.clear();
    if (secret_ != identity.secret) {
        secret_ = identity.secret;
        for (const auto& take : secret_takers_)
            take(secret_);
    }
    up_ = true;
    metrics::mongodb_up.set(1);
}

void Database::went_down(const Error& why) {
    constexpr std::string_view kWord = "MongoDB not connected: ";
    std::string problem = why.detail;
    if (problem.starts_with(kWord)) problem.erase(0, kWord.size());
    if (up_.exchange(false)) told_ = false;
    metrics::mongodb_up.set(0);
    if (!std::exchange(told_, true))
        log::warn(kScope, std::string(kWord) + problem + "; looking for it");
    const MutexLock held(mutex_);
    problem_ = std::move(problem);
}

void Database::keep() {
    name_thread("mongodb-keeper");
    const Held held(pool_->clients.get());
    std::int64_t retry_ms = kRetryMinMs;
    auto next_look = std::chrono::steady_clock::now() + ms(options_.ping_ms);
    if (!up_) next_look = std::chrono::steady_clock::now() + ms(retry_ms);
    while (wait_until(next_look)) {
        submit_due();
        if (std::chrono::steady_clock::now() < next_look && !take_look_now()) continue;
        Client client(held.get(), options_.database, replica_set_);
        const Status found = look(client);
        if (found) {
            retry_ms = kRetryMinMs;
            next_look = std::chrono::steady_clock::now() + ms(options_.ping_ms);
            continue;
        }
        went_down(found.error());
        const auto jitter =
            static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(retry_ms / 2 + 1)));
        next_look = std::chrono::steady_clock::now() + ms(retry_ms / 2 + jitter);
        retry_ms = std::min(retry_ms * 2, options_.retry_max_ms);
    }
}

// False where the end has come. Returns when the next look or a projection is due, or sooner.
bool Database::wait_until(Time next_look) {
    const MutexLock held(mutex_);
    if (stopping_) return false;
    Time next = next_look;
    if (up_ && projections_left() > 0)
        for (const auto& [user_id, when] : due_)
            if (!projecting_.contains(user_id)) next = std::min(next, when);
    const auto now = std::chrono::steady_clock::now();
    if (look_now_ || next <= now) return true;
    changed_.wait_for_ms(
        mutex_, std::chrono::duration_cast<std::chrono::milliseconds>(next - now).count() + 1);
    return !stopping_;
}

bool Database::take_look_now() {
    const MutexLock held(mutex_);
    return std::exchange(look_now_, false);
}

StoreHealth Database::health() const {
    const MutexLock held(mutex_);
    StoreHealth health;
    health.kind = "mongodb";
    health.connected = up_;
    health.healthy = up_;
    health.latency_us = latency_us_;
    if (!up_) health.problem = "MongoDB not connected: " + problem_;
    return health;
}

}  // namespace dyad::mongo
