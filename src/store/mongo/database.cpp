#include "store/mongo/database.hpp"

#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/thread.hpp"
#include "store/mongo/state_documents.hpp"

#include <algorithm>
#include <utility>

namespace dyad::mongo {
namespace {

constexpr std::string_view kScope = "mongodb_client";
constexpr std::int64_t kRetryMinMs = 100;
constexpr std::int64_t kProjectAgainMs = 1000;    // after one that failed
constexpr std::int64_t kProjectRestTimes = 32;    // as long as the last one took, so that commits
constexpr std::int64_t kProjectRestMaxMs = 2000;  // have the database
constexpr std::int64_t kStopMs = 1000;            // for what waits when the store is closed

std::chrono::milliseconds ms(std::int64_t count) {
    return std::chrono::milliseconds(count);
}

std::int64_t us_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count() / 1000;
}

bool is_lasting(const Error& error) {
    return error.code == Errc::invalid_field || error.code == Errc::storage_newer ||
           error.code == Errc::storage_damaged ||
           (error.code == Errc::storage_unavailable &&
            error.detail.find("refuses") != std::string::npos);
}

}  // namespace

Database::Database(MongoOptions options, Random& random)
    : options_(std::move(options)),
      shared_(random.uuid4()),
      backlog_("the store", options_.requests_max) {}

Result<std::shared_ptr<Database>> Database::open(MongoOptions options, Random& random) {
    std::shared_ptr<Database> database(new Database(std::move(options), random));
    ASSIGN_OR_RETURN(database->pool_, Pool::make(database->options_, &database->shared_.heads));
    {
        const Pool::Held held(*database->pool_);
        Client client(held.get(), database->options_.database, false);
        const Status found = database->look(client, false);
        if (!found && is_lasting(found.error())) return found.error();
        if (!found) database->went_down(found.error());
    }
    for (std::size_t i = 0; i < database->options_.pool_max; ++i)
        database->threads_.emplace_back(
            [self = database.get(), at_once = i < database->options_.pool_min] {
                self->work(at_once);
            });
    database->keeper_ = std::thread([self = database.get()] { self->keep(); });
    return database;
}

Status Database::with_client(const MongoOptions& options,
                             const std::function<Status(Client&)>& look) {
    ASSIGN_OR_RETURN(const auto pool, Pool::make(options, nullptr));
    const Pool::Held held(*pool);
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

void Database::work(bool opens_at_once) {
    name_thread("mongodb");
    const Pool::Held held(*pool_);
    if (opens_at_once && up_) {
        Client client(held.get(), options_.database, replica_set_, &stop_by_);
        static_cast<void>(greet(client, clock_));
    }
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
    if (!up_) return;  // the keeper is at it, in its own time
    look_now_ = true;
    // Nobody looks any more: what still waits would be tried, one after the other.
    if (stopping_) up_ = false;
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
            run_appends(user_id, up_ ? client : not_connected(), taken);
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
        latency_us_ = us_since(started);
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
    const std::int64_t rest_ms = std::min(kProjectRestMaxMs, kProjectRestTimes * project_took_ms_);
    const auto after = ms(std::max(options_.project_after_ms, rest_ms));
    due_.try_emplace(user_id, std::chrono::steady_clock::now() + after);
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
    Status status = client ? Status(Done{}) : client.error();
    if (client) {
        const Time started = std::chrono::steady_clock::now();
        UserLogs logs(**client, shared_);
        status = mongo::bring_up(**client, logs, user_id);
        project_took_ms_ = us_since(started) / 1000;
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
// `doubted`: a request has failed since the last look.
Status Database::look(Client& client, bool doubted) {
    ASSIGN_OR_RETURN(const Deployment found, greet(client, clock_));
    replica_set_ = found.replica_set;
    clock_offset_ms_ = found.clock_offset_ms;
    if (latency_us_ == 0) latency_us_ = found.latency_us;  // until there is a commit
    Client writer(client.driver(), options_.database, found.replica_set);
    if (up_) TRY(look_again(writer, doubted));
    if (up_) return Done{};
    if (!prepared_) TRY(make_indexes(writer));
    ASSIGN_OR_RETURN(const Identity identity, identify(writer, random_, options_.seed));
    prepared_ = true;
    came_up(identity);
    return Done{};
}

// Not up any more where it is another store, or has lost its indexes.
Status Database::look_again(Client& writer, bool doubted) {
    ASSIGN_OR_RETURN(const bool stands, still_stands(writer, identity_));
    if (!stands) {
        prepared_ = false;
        went_down(fail(Errc::storage_unavailable, "the database was replaced"));
        return Done{};
    }
    if (!doubted) return Done{};
    // It answers questions, but does it take writes?
    const Status passed = shared_.barrier.pass(writer);
    if (passed || passed.error().code != Errc::storage_full) return passed;
    return Done{};  // it gets better by what is removed; reads go on
}

void Database::came_up(const Identity& identity) {
    identity_ = identity;
    shared_.heads.begin_era();
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
    if (up_) told_ = false;
    if (!std::exchange(told_, true))
        log::warn(kScope, std::string(kWord) + problem + "; looking for it");
    {
        const MutexLock held(mutex_);
        problem_ = std::move(problem);
        up_ = false;
    }
    metrics::mongodb_up.set(0);
    shared_.heads.begin_era();
}

void Database::keep() {
    name_thread("mongodb-keeper");
    const Pool::Held held(*pool_);
    std::int64_t retry_ms = kRetryMinMs;
    auto next_look = std::chrono::steady_clock::now() + ms(options_.ping_ms);
    if (!up_) next_look = std::chrono::steady_clock::now() + ms(retry_ms);
    while (wait_until(next_look)) {
        submit_due();
        const bool doubted = take_look_now();
        if (std::chrono::steady_clock::now() < next_look && !doubted) continue;
        Client client(held.get(), options_.database, replica_set_);
        const Status found = look(client, doubted);
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
