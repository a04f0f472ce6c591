#include "store/sqlite/database.hpp"

#include "base/log.hpp"
#include "base/metrics.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>

namespace dyad::sqlite {
namespace {

constexpr std::string_view kScope = "sqlite";
constexpr std::size_t kSliceBytes = 128 * 1024;  // to apply between two commits: about 1 ms

template <class T>
void move_all(std::vector<T>& from, std::deque<T>& to) {
    std::move(from.begin(), from.end(), std::back_inserter(to));
    from.clear();
}

// The results of one commit for one cell.
struct Bundle {
    std::shared_ptr<Cell> cell;
    std::vector<std::pair<std::function<void(AppendResult)>, AppendResult>> results;
};

}  // namespace

void Cell::post(std::function<void()> work) {
    const std::lock_guard held(mutex_);
    if (post_) post_(std::move(work));
}

void Cell::close() {
    const std::lock_guard held(mutex_);
    post_ = nullptr;
    open_ = false;
}

Result<std::shared_ptr<Database>> Database::open(DatabaseOptions options, Random& random) {
    auto lock = FolderLock::take(options.folder);
    if (!lock) return lock.error();
    options.store.database = options.folder + "/" + kDatabaseName;
    options.store.commits_meanwhile = true;
    auto store = Journaled::open(options.store, random);
    if (!store) return store.error();
    const Status named = (*lock)->name_holder();
    if (!named) return named.error();
    std::shared_ptr<Database> database(new Database(std::move(options)));
    database->lock_ = std::move(*lock);
    database->store_ = std::move(*store);
    database->thread_ = std::thread([self = database.get()] { self->run(); });
    return database;
}

Database::~Database() {
    stop();
}

void Database::stop() {
    const std::lock_guard one_at_a_time(stop_mutex_);
    if (!thread_.joinable()) return;
    {
        const std::lock_guard held(mutex_);
        stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

std::optional<Error> Database::why_refused() const {
    if (stopping_) return fail(Errc::draining, "the store is closing");
    const std::size_t waiting = submitted_requests_.size() + submitted_reads_.size();
    if (waiting >= options_.requests_max)
        return fail(Errc::unavailable,
                    std::to_string(waiting) + " requests wait for the store already");
    return std::nullopt;
}

// One signal per turn from idle to busy: a writer that is at work looks by itself.
void Database::wake(std::unique_lock<std::mutex> held) {
    const bool signal = std::exchange(waiting_, false);
    held.unlock();
    if (signal) wake_.notify_one();
}

void Database::append(Append append) {
    std::unique_lock held(mutex_);
    if (std::optional<Error> why = why_refused()) {
        held.unlock();
        append.cell->post([cell = append.cell, done = std::move(append.done), error = *why] {
            if (cell->is_open()) done({.outcome = AppendOutcome::refused, .error = error});
        });
        return;
    }
    submitted_requests_.push_back(std::move(append.request));
    submitted_waiting_.push_back({std::move(append.cell), std::move(append.done)});
    wake(std::move(held));
}

void Database::read(Read read) {
    std::unique_lock held(mutex_);
    if (why_refused()) {
        held.unlock();
        read(nullptr);
        return;
    }
    submitted_reads_.push_back(std::move(read));
    wake(std::move(held));
}

void Database::expire(std::int64_t before_ms, std::function<void(Result<std::size_t>)> done) {
    std::unique_lock held(mutex_);
    if (std::optional<Error> why = why_refused()) {
        held.unlock();
        done(*why);
        return;
    }
    submitted_expiries_.push_back({.walk = {.before_ms = before_ms}, .done = std::move(done)});
    wake(std::move(held));
}

void Database::check(std::function<bool(Result<CheckReport>)> report) {
    std::unique_lock held(mutex_);
    std::optional<Error> why = why_refused();
    if (!why && checking_.exchange(true))
        why = fail(Errc::unavailable, "another check is running; try again when it has ended");
    if (why) {
        held.unlock();
        report(*why);
        return;
    }
    submitted_checks_.push_back({.walk = {}, .report = std::move(report)});
    wake(std::move(held));
}

StoreHealth Database::health() const {
    const std::lock_guard held(problem_mutex_);
    const std::string& problem = commit_problem_.empty() ? problem_ : commit_problem_;
    return {.kind = "sqlite",
            .connected = true,
            .healthy = problem.empty() && damage_.empty(),
            .partial = problem.empty(),
            .latency_us = latency_us_.load(std::memory_order_relaxed),
            .problem = problem.empty() ? damage_ : problem};
}

void Database::note(const Error& error) {
    constexpr std::size_t kNoted = 100;
    if (error.code != Errc::storage_damaged || damages_.size() >= kNoted ||
        !damages_.insert(error.detail).second)
        return;
    log::error(kScope, error.to_string());
    metrics::storage_damages.add();
    const std::lock_guard held(problem_mutex_);
    if (damage_.empty()) damage_ = error.detail;
}

bool Database::is_busy() const noexcept {
    return next_request_ < requests_.size() || !reads_.empty() ||
           ((!expiries_.empty() || !checks_.empty()) && !store_->is_ending());
}

std::int64_t Database::patience_ms() const {
    if (store_->is_ending()) return 1;
    if (tidying_ || store_->is_applying()) return 0;
    if (!store_->has_unapplied()) return -1;
    if (store_->apply_problem())
        return std::max<std::int64_t>(next_apply_ms_ - clock_.steady_ms(), 0);
    return options_.idle_apply_ms;
}

bool Database::take_submitted() {
    const bool busy = is_busy();
    const std::int64_t patience = busy ? 0 : patience_ms();
    std::unique_lock held(mutex_);
    const auto submitted = [this] {
        return !submitted_requests_.empty() || !submitted_reads_.empty() ||
               !submitted_expiries_.empty() || !submitted_checks_.empty() || stopping_;
    };
    idle_ = false;
    if (!busy && !submitted()) {
        waiting_ = true;
        if (patience < 0)
            wake_.wait(held, submitted);
        else
            idle_ = !wake_.wait_for(held, std::chrono::milliseconds(patience), submitted);
        waiting_ = false;
    }
    if (next_request_ == requests_.size()) {
        requests_.clear();
        waiting_for_.clear();
        next_request_ = 0;
        requests_.swap(submitted_requests_);
        waiting_for_.swap(submitted_waiting_);
    }
    move_all(submitted_reads_, reads_);
    move_all(submitted_expiries_, expiries_);
    move_all(submitted_checks_, checks_);
    if (stopping_) {  // the next process begins anew
        for (const ExpiryJob& job : expiries_)
            job.done(fail(Errc::draining, "the store is closing"));
        expiries_.clear();
        checks_.clear();
    }
    return !stopping_ || is_busy() || !submitted_requests_.empty();
}

void Database::run() noexcept {
    while (take_submitted()) {
        if (next_request_ < requests_.size()) {
            commit_some();
            tidying_ = false;
            if (store_->wants_apply() && clock_.steady_ms() >= next_apply_ms_) apply_some();
        }
        // One of each between two commits: neither side waits for the other to have nothing to do.
        if (!reads_.empty()) read_one();
        if (!expiries_.empty() && !store_->is_ending()) expire_some();
        if (!checks_.empty() && !store_->is_ending()) check_some();
        if (idle_ && store_->is_applying())
            apply_some();
        else if (idle_)
            work_while_idle();
    }
    const Status closed = store_->apply();
    if (!closed)
        log::warn(kScope,
                  "not everything was applied; the next start will: " + closed.error().to_string());
    store_.reset();
    lock_.reset();
}

void Database::commit_some() {
    const auto begin = std::chrono::steady_clock::now();
    const std::size_t first = next_request_;
    results_.clear();
    next_request_ += store_->commit(std::span(requests_).subspan(first), results_);
    for (const AppendResult& result : results_)
        if (result.error) note(*result.error);
    const auto took = std::chrono::steady_clock::now() - begin;
    latency_us_.store(std::chrono::duration_cast<std::chrono::microseconds>(took).count(),
                      std::memory_order_relaxed);
    metrics::commits.add();
    note_commit();
    post_results(first);
}

// Writes that the disk did not take are a problem of the storage until one is taken again.
void Database::note_commit() {
    const auto is_full = [](const AppendResult& result) {
        return result.error && result.error->code == Errc::storage_full;
    };
    const auto full = std::find_if(results_.begin(), results_.end(), is_full);
    if (full == results_.end() && !commits_fail_) return;
    commits_fail_ = full != results_.end();
    const std::lock_guard held(problem_mutex_);
    commit_problem_ = commits_fail_ ? full->error->to_string() : std::string();
}

void Database::post_results(std::size_t first) {
    std::vector<std::shared_ptr<Bundle>> bundles;  // as many as there are cells: a few
    for (std::size_t i = 0; i < results_.size(); ++i) {
        Waiting& waiting = waiting_for_[first + i];
        auto at = std::find_if(bundles.begin(), bundles.end(),
                               [&](const auto& bundle) { return bundle->cell == waiting.cell; });
        if (at == bundles.end()) {
            at = bundles.insert(at, std::make_shared<Bundle>());
            (*at)->cell = waiting.cell;
            (*at)->results.reserve(results_.size() - i);
        }
        (*at)->results.emplace_back(std::move(waiting.done), std::move(results_[i]));
    }
    for (auto& own : bundles) {  // what the callbacks hold is released on the cell's thread
        const std::shared_ptr<Cell> cell = own->cell;
        cell->post([bundle = std::move(own)] {
            for (auto& [done, result] : bundle->results) {
                if (!bundle->cell->is_open()) return;
                done(std::move(result));
            }
        });
    }
}

void Database::read_one() {
    Read read = std::move(reads_.front());
    reads_.pop_front();
    read(store_.get());
}

void Database::expire_some() {
    ExpiryJob& job = expiries_.front();
    const Status done = store_->expire_some(job.walk);
    if (!done) note(done.error());
    if (done && !job.walk.finished) return;
    job.done(done ? Result<std::size_t>(job.walk.dropped) : Result<std::size_t>(done.error()));
    expiries_.pop_front();
}

void Database::check_some() {
    constexpr std::int64_t kReportMs = 200;
    CheckJob& job = checks_.front();
    if (!job.walk) job.walk.emplace(store_->begin_check(false));
    bool more = store_->check_some(*job.walk);
    const std::int64_t now_ms = clock_.steady_ms();
    if (more && now_ms < job.next_report_ms) return;
    job.next_report_ms = now_ms + kReportMs;
    CheckReport report = job.walk->report();
    report.finished = !more;
    more = job.report(std::move(report)) && more;
    if (more) return;
    checks_.pop_front();
    checking_ = false;
}

void Database::apply_some() {
    // The faster the journal fills meanwhile, the larger the slices.
    const Result<bool> done =
        store_->apply_some(std::max(kSliceBytes, store_->unapplied_bytes() / 4));
    next_apply_ms_ = done ? 0 : clock_.steady_ms() + options_.retry_apply_ms;
    if (!done) note(done.error());
    const std::lock_guard held(problem_mutex_);
    problem_ = done ? std::string() : done.error().to_string();
}

void Database::work_while_idle() {
    if (store_->has_unapplied()) {
        apply_some();
        tidying_ = true;
    } else {
        tidying_ = store_->tidy();
    }
    if (store_->apply_problem()) tidying_ = false;
}

}  // namespace dyad::sqlite
