#include "store/sqlite/database.hpp"

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/thread.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <future>

namespace dyad::sqlite {
namespace {

constexpr std::string_view kScope = "sqlite";
constexpr std::size_t kQuietBytes = 512 * 1024;

void give_results(std::vector<PendingAppend> answered) {
    driver::answer_all(std::move(answered),
                       [](PendingAppend& append) { append.done(std::move(append.result)); });
}

}  // namespace

Result<std::shared_ptr<Database>> Database::open(DatabaseOptions options, Random& random) {
    ASSIGN_OR_RETURN(auto lock, FolderLock::take(options.folder));
    options.store.database = options.folder + "/" + kDatabaseName;
    std::error_code none;  // of a backup that was broken off
    std::filesystem::remove_all(options.folder + "/" + kCopyFolder, none);
    ASSIGN_OR_RETURN(OpenedStore store, open_store(options.store, random));
    TRY(lock->name_holder());
    std::shared_ptr<Database> database(new Database(std::move(options)));
    database->lock_ = std::move(lock);
    database->tables_ = std::move(store.tables);
    database->reads_.emplace(*database->tables_);
    database->commits_ = std::move(store.commits);
    database->tables_thread_ = std::thread([self = database.get()] {
        name_thread("tables");
        let_others_first();  // no read delays a commit
        self->run_tables();
    });
    database->journal_thread_ = std::thread([self = database.get()] {
        name_thread("journal");
        self->run_journal();
    });
    return database;
}

Database::~Database() {
    stop();
}

// First the journal, whose appends may wait for the tables.
void Database::stop() {
    std::call_once(stopped_, [this] {
        backlog_.close();
        to_journal_.stop();
        journal_thread_.join();
        to_tables_.stop();
        tables_thread_.join();
    });
}

void Database::append(std::vector<PendingAppend> appends) {
    std::vector<JournalTask> tasks;
    tasks.reserve(appends.size());
    for (PendingAppend& append : appends)
        tasks.push_back({.append = std::move(append)});
    const Status taken = backlog_.submit_all(to_journal_, tasks);
    if (taken) return;
    appends.clear();
    for (JournalTask& refused : tasks) {
        refused.append->result = {.outcome = AppendOutcome::refused, .error = taken.error()};
        appends.push_back(*std::move(refused.append));
    }
    give_results(std::move(appends));
}

void Database::read(Read read) {
    TablesTask task{.read = std::move(read)};
    const Status taken = backlog_.submit(to_tables_, task);
    if (!taken) task.read(taken.error());
}

void Database::expire(std::int64_t before_ms, std::function<void(Result<std::size_t>)> done) {
    TablesTask task{.alone = [this, before_ms, done] {
        expiries_.push_back({.walk = {.before_ms = before_ms}, .done = done});
    }};
    const Status taken = backlog_.submit(to_tables_, task);
    if (!taken) done(taken.error());
}

void Database::check(std::function<bool(Result<CheckReport>)> report, Look look) {
    TablesTask task{.alone = [this, report, look] { begin_check(report, look); }};
    const Status taken = backlog_.submit(to_tables_, task);
    if (!taken) report(taken.error());
}

StoreHealth Database::health() const {
    const MutexLock held(problem_mutex_);
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
    if (error.code != Errc::storage_damaged) return;
    const MutexLock held(problem_mutex_);
    if (damages_.size() >= kNoted || !damages_.insert(error.detail).second) return;
    log::error(kScope, error.to_string());
    metrics::storage_damages.add();
    if (damage_.empty()) damage_ = error.detail;
}

// The journal thread -------------------------------------------------------------------------

void Database::run_journal() noexcept {
    for (;;) {
        const bool busy = commits_->can_commit() || erasing_;
        to_journal_.take(journal_tasks_, busy ? 0 : -1);
        for (; !journal_tasks_.empty(); journal_tasks_.pop_front()) {
            JournalTask& task = journal_tasks_.front();
            if (task.append)
                commits_->submit(*std::move(task.append));
            else
                task.errand();
        }
        answer(commits_->take_answered());
        if (commits_->can_commit()) commit();
        if (erasing_) erase_some();
        if (commits_->is_idle() && to_journal_.ended()) break;
    }
    if (erasing_) erasing_(backlog_.closing());
    commits_.reset();
}

void Database::commit() {
    const auto begin = std::chrono::steady_clock::now();
    CommitLog::Round round = commits_->commit();
    const auto took = std::chrono::steady_clock::now() - begin;
    note_round(round);
    if (!round.committed.empty()) {
        latency_us_.store(std::chrono::duration_cast<std::chrono::microseconds>(took).count(),
                          std::memory_order_relaxed);
        metrics::commits.add();
        metrics::commit_seconds.observe(took);
        // Taking it can wait for something to be read, or for more.
        quiet_bytes_ += round.committed.front().record_bytes;
        const bool now = quiet_bytes_ >= kQuietBytes;
        if (now) quiet_bytes_ = 0;
        to_tables_.put({.committed = std::move(round.committed), .sequence = round.sequence}, now);
    }
    for (CommitLog::Question& question : round.questions)
        ask(std::move(question));
    if (round.wants_room)
        to_tables_.put({.alone = [this] {
            Status done = apply();
            to_journal_.put({.errand = [this, done] { commits_->room(done); }});
        }});
    answer(std::move(round.answered));
}

void Database::answer(std::vector<PendingAppend> answered) {
    for (const PendingAppend& append : answered)
        if (append.result.error) note(*append.result.error);
    backlog_.answered(answered.size());
    give_results(std::move(answered));
}

// Writes that the disk did not take are a problem of the storage until one is taken again.
void Database::note_round(const CommitLog::Round& round) {
    const Error* full = nullptr;
    for (const PendingAppend& append : round.answered) {
        const auto& error = append.result.error;
        if (error && error->code == Errc::storage_full) full = &*error;
    }
    if (full == nullptr && (!commits_fail_ || round.committed.empty())) return;
    commits_fail_ = full != nullptr;
    const MutexLock held(problem_mutex_);
    commit_problem_ = commits_fail_ ? full->to_string() : std::string();
}

void Database::ask(CommitLog::Question question) {
    using Kind = CommitLog::Question::Kind;
    if (question.kind == Kind::operations)
        return ask_operations(question.user_id, question.serial,
                              std::make_shared<Tables::OperationsWalk>());
    auto asked = std::make_shared<const CommitLog::Question>(std::move(question));
    const auto answer = [this, asked](const Result<Reads*>&) {
        if (asked->kind == Kind::head) {
            const Result<LogHead> head = tables_->head(asked->user_id);
            to_journal_.put(
                {.errand = [this, asked, head] { commits_->learn(asked->user_id, head); }});
            return;
        }
        const Result<std::vector<Duplicate>> found =
            tables_->duplicates(asked->user_id, *asked->batch, asked->events);
        to_journal_.put(
            {.errand = [this, asked, found] { commits_->settle(asked->user_id, found); }});
    };
    backlog_.count();
    to_tables_.put({.read = answer});
}

// One piece, and the others' work between it and the next.
void Database::ask_operations(const std::string& user_id, std::uint64_t serial,
                              const std::shared_ptr<Tables::OperationsWalk>& walk) {
    const auto piece = [this, user_id, serial, walk](const Result<Reads*>&) {
        const Status done = tables_->walk_operations(user_id, *walk);
        if (done && !walk->finished) return ask_operations(user_id, serial, walk);
        auto found = std::make_shared<Result<KeyFilter>>(
            done ? Result<KeyFilter>(std::move(walk->operations)) : done.error());
        to_journal_.put({.errand = [this, user_id, serial, found] {
            commits_->filter(user_id, serial, std::move(*found));
        }});
    };
    backlog_.count();
    to_tables_.put({.read = piece});
}

// One piece between two commits, about as long as one.
void Database::erase_some() {
    const Result<bool> more = commits_->erase_some();
    if (more && *more && !to_journal_.is_stopping()) return;
    const auto done = std::exchange(erasing_, nullptr);
    if (more && *more)
        done(backlog_.closing());
    else
        done(more ? Status(Done{}) : Status(more.error()));
}

// The tables thread --------------------------------------------------------------------------

std::int64_t Database::patience_ms() const {
    const bool expires = !expiries_.empty() && !expiries_.front().is_at_journal;
    if (!tasks_.empty() || expires || check_ || tidying_) return 0;
    if (!tables_->has_unapplied()) return -1;
    if (tables_->apply_problem())
        return std::max<std::int64_t>(next_apply_ms_ - clock_.steady_ms(), 1);
    return options_.idle_apply_ms;
}

void Database::run_tables() noexcept {
    while (!tasks_.empty() || !to_tables_.ended()) {
        to_tables_.take(tasks_, to_tables_.is_stopping() ? 0 : patience_ms());
        const bool idle = tasks_.empty() && expiries_.empty() && !check_;
        if (!tasks_.empty()) do_next();
        if (tables_->wants_apply() && clock_.steady_ms() >= next_apply_ms_) (void)apply();
        if (!expiries_.empty() && !expiries_.front().is_at_journal) expire_some();
        if (check_) check_some();
        if (idle && !to_tables_.is_stopping()) work_while_idle();
    }
    close();
}

void Database::do_next() {
    TablesTask task = std::move(tasks_.front());
    tasks_.pop_front();
    if (task.alone) {
        task.alone();
    } else if (task.read) {
        backlog_.answered();
        task.read(&*reads_);
    } else {
        tables_->take(std::move(task.committed), task.sequence);
        tidying_ = false;
    }
}

// Reads do not wait for the end of an apply, nor an apply for the end of reads.
void Database::serve_amid_apply() {
    constexpr int kReads = 8;
    to_tables_.take(tasks_, 0);
    for (int reads = 0; reads < kReads && !tasks_.empty() && !tasks_.front().alone;) {
        reads += tasks_.front().read ? 1 : 0;
        do_next();
    }
}

Status Database::apply() {
    const Status done = tables_->apply([this] { serve_amid_apply(); });
    next_apply_ms_ = done ? 0 : clock_.steady_ms() + options_.retry_apply_ms;
    if (done)
        to_journal_.put(
            {.errand = [this, applied = tables_->applied()] { commits_->set_applied(applied); }});
    else
        note(done.error());
    const MutexLock held(problem_mutex_);
    problem_ = done ? std::string() : done.error().to_string();
    return done;
}

void Database::work_while_idle() {
    if (tables_->has_unapplied()) {
        if (clock_.steady_ms() >= next_apply_ms_) (void)apply();
        tidying_ = true;
    } else {
        tidying_ = tables_->tidy();
    }
    if (tables_->apply_problem()) tidying_ = false;
}

void Database::expire_some() {
    using Step = Tables::Expiry::Step;
    ExpiryJob& job = expiries_.front();
    Status done = job.walk.step == Step::begin ? apply() : Done{};
    if (done) done = tables_->expire_some(job.walk);
    if (!done || job.walk.finished)
        end_expiry(done);
    else if (job.walk.step == Step::journal)
        go_to_journal();
}

void Database::end_expiry(const Status& done) {
    ExpiryJob job = std::move(expiries_.front());
    expiries_.pop_front();
    backlog_.answered();
    if (!done) note(done.error());
    job.done(done ? Result<std::size_t>(job.walk.dropped) : Result<std::size_t>(done.error()));
}

// There, here, and there again: the journal goes on in its other file, what it had is applied, and
// then it is erased.
void Database::go_to_journal() {
    expiries_.front().is_at_journal = true;
    const auto turned = [this](const Status& done) {
        to_tables_.put({.alone = [this, done] {
            if (!done) return end_expiry(done);
            const Status applied = apply();
            applied ? erase_journal() : end_expiry(applied);
        }});
    };
    const bool open =
        to_journal_.put({.errand = [this, turned] { turned(commits_->turn_over()); }});
    if (!open) end_expiry(backlog_.closing());
}

void Database::erase_journal() {
    const auto erased = [this](const Status& done) {
        to_tables_.put({.alone = [this, done] {
            if (!done) return end_expiry(done);
            expiries_.front().walk.step = Tables::Expiry::Step::end;
            expiries_.front().is_at_journal = false;
        }});
    };
    const bool open = to_journal_.put({.errand = [this, erased] { erasing_ = erased; }});
    if (!open) end_expiry(backlog_.closing());
}

void Database::begin_check(std::function<bool(Result<CheckReport>)> report, Look look) {
    if (!check_) {
        check_.emplace(CheckJob{.report = std::move(report), .look = look});
        return;
    }
    backlog_.answered();
    report(
        fail(Errc::unavailable, "another check or backup is running; try again when it has ended"));
}

Result<CheckReport> Database::check_next() {
    if (!check_->walk)
        check_->walk.emplace(
            tables_->connection(),
            [this](Journal::Cursor& cursor) { return check_records(cursor); }, false);
    const bool more = check_->walk->step();
    CheckReport report = check_->walk->report();
    report.finished = !more;
    return report;
}

// What was committed before it was asked for is in the copy.
Result<CheckReport> Database::copy_next() {
    if (!check_->copy) {
        TRY(apply());
        ASSIGN_OR_RETURN(check_->copy, DatabaseCopy::begin(tables_->connection(),
                                                           options_.folder + "/" + kCopyFolder));
    }
    ASSIGN_OR_RETURN(const bool more, check_->copy->step());
    CheckReport report{.finished = !more, .done = check_->copy->done(), .of = check_->copy->of()};
    report.pages = report.of;
    if (!more) check_->copy.reset();  // whoever reads it finds it closed
    return report;
}

void Database::check_some() {
    constexpr std::int64_t kReportMs = 200;
    Result<CheckReport> report = check_->look == Look::check ? check_next() : copy_next();
    const bool more = report && !report->finished;
    const std::int64_t now_ms = clock_.steady_ms();
    if (more && now_ms < check_->next_report_ms) return;
    check_->next_report_ms = now_ms + kReportMs;
    if (check_->report(std::move(report)) && more) return;
    backlog_.answered();
    check_.reset();
}

// The journal thread reads its own files; it never waits for this one while it does.
Result<bool> Database::check_records(Journal::Cursor& cursor) {
    std::promise<Result<bool>> read;
    const bool open = to_journal_.put(
        {.errand = [&] { read.set_value(commits_->journal().check_record(cursor)); }});
    return open ? read.get_future().get() : Result<bool>(false);
}

void Database::close() {
    for (const ExpiryJob& job : expiries_)  // the next process begins anew
        job.done(backlog_.closing());
    const Status closed = tables_->apply();
    if (!closed)
        log::warn(kScope,
                  "not everything was applied; the next start will: " + closed.error().to_string());
    reads_.reset();
    tables_.reset();
    lock_.reset();
}

}  // namespace dyad::sqlite
