// How the embedded store puts its journal into the database: in one transaction, a slice of which
// is done between two commits.
#include "base/log.hpp"
#include "store/sqlite/journaled.hpp"

#include <chrono>
#include <iterator>

namespace dyad::sqlite {
namespace {

constexpr std::string_view kScope = "sqlite";

// What is moved out of a log's unapplied batches and back.
void move_batches(std::vector<Unapplied>& from, std::size_t count, std::vector<Unapplied>& to,
                  std::vector<Unapplied>::iterator at) {
    const auto end = from.begin() + static_cast<std::ptrdiff_t>(count);
    to.insert(at, std::make_move_iterator(from.begin()), std::make_move_iterator(end));
    from.erase(from.begin(), end);
}

}  // namespace

Status Journaled::apply() {
    // First what is half done, then what came after it.
    for (int round = 0; round < 2; ++round) {
        for (bool more = true; more;) {
            Result<bool> some = apply_some(SIZE_MAX);
            if (some) some = settle();
            if (!some) return some.error();
            more = *some;
        }
    }
    return Done{};
}

Result<bool> Journaled::apply_some(std::size_t bytes_max) {
    if (!has_unapplied()) return false;
    if (is_ending()) {
        const bool ended =
            applying_->ending.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
        return ended ? settle() : true;
    }
    Status done = Done{};
    if (!applying_)
        done = begin_to_apply();
    else if (!db_->in_transaction())  // lost to an error of a read, since the last slice
        done =
            fail(Errc::storage_unavailable, options_.database + ": a transaction was rolled back");
    if (done) done = apply_slice(bytes_max);
    if (!done) return give_up_applying(done.error());
    if (applying_->next < applying_->parts.size()) return true;
    return end_applying();
}

Status Journaled::begin_to_apply() {
    applying_.emplace(*db_);
    Applying& now = *applying_;
    now.last_sequence = journal_->last_sequence();
    now.bytes = std::exchange(unapplied_bytes_, 0);
    now.parts.reserve(dirty_.size());
    for (UserLog* log : std::exchange(dirty_, {}))
        now.parts.push_back({.log = log, .left = log->unapplied.size()});
    return now.transaction.begin();
}

Status Journaled::apply_slice(std::size_t bytes_max) {
    Applying& now = *applying_;
    for (std::size_t bytes = 0; bytes < bytes_max && now.next < now.parts.size();) {
        Applying::Part& part = now.parts[now.next];
        UserLog& log = *part.log;
        if (log.id == 0) {
            const Result<std::int64_t> added = log_->add_user(log.name);
            if (!added) return added.error();
            log.id = *added;
            part.is_new = true;
        }
        std::size_t count = 0;
        while (count < part.left && bytes < bytes_max) {
            Unapplied& next = log.unapplied[count++];
            const Status decoded = next.decode();
            if (!decoded) return decoded;
            bytes += next.batch->texts.size() + next.batch->size() * sizeof(EventEntry);
        }
        const std::span batches(log.unapplied.data(), count);
        Status done = log_->append(log.id, batches, batches.back().batch->head());
        if (done) done = projections_->apply(log.id, batches);
        if (!done) return done;
        // From here on, reads of this log find them in the database.
        move_batches(log.unapplied, count, part.applied, part.applied.end());
        part.left -= count;
        if (part.left != 0) continue;
        if (!log.unapplied.empty()) dirty_.push_back(&log);  // with what came since
        now.next += 1;
    }
    return Done{};
}

Result<bool> Journaled::end_applying() {
    const Status done = db_->execute("INSERT OR REPLACE INTO meta(key, value) VALUES('applied', ?)",
                                     applying_->last_sequence);
    if (!done) return give_up_applying(done.error());
    // It writes and syncs every changed page; the journal does not have to wait for that.
    const auto policy = options_.commits_meanwhile ? std::launch::async : std::launch::deferred;
    applying_->ending = std::async(
        policy, [transaction = &applying_->transaction] { return transaction->commit(); });
    return options_.commits_meanwhile ? true : settle();
}

Result<bool> Journaled::settle() {
    if (!is_ending()) return applying_.has_value();
    const Status done = applying_->ending.get();
    if (!done) return give_up_applying(done.error());
    journal_->set_applied(applying_->last_sequence);
    for (const Applying::Part& part : applying_->parts)
        to_index_.insert(part.log->id);
    for (const auto& [name, first_kept] : applying_->first_kept)
        if (const auto at = logs_.find(name); at != logs_.end())
            at->second->first_kept = first_kept;
    applying_.reset();
    if (apply_problem_) log::info(kScope, "the database takes writes again");
    apply_problem_.reset();
    return false;
}

// As if it had not begun; the transaction is rolled back.
Error Journaled::give_up_applying(const Error& error) {
    for (std::size_t i = 0; i < applying_->parts.size(); ++i) {
        Applying::Part& part = applying_->parts[i];
        UserLog& log = *part.log;
        // One that was finished is dirty again only where something came since.
        if (i >= applying_->next || log.unapplied.empty()) dirty_.push_back(&log);
        move_batches(part.applied, part.applied.size(), log.unapplied, log.unapplied.begin());
        if (part.is_new) log.id = 0;
    }
    unapplied_bytes_ += applying_->bytes;
    applying_.reset();
    stop_if_sync_failed(error);
    if (!apply_problem_ && error.code != Errc::storage_damaged)  // whoever owns this says that
        log::error(kScope, error.to_string());
    apply_problem_ = error;
    return error;
}

}  // namespace dyad::sqlite
