#include "store/sqlite/commit_log.hpp"

#include "base/limits.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace dyad::sqlite {
namespace {

constexpr std::size_t kFilterBytesMax = 128 << 20;

}  // namespace

CommitLog::Round CommitLog::commit() {
    Round round;
    release_idle_logs();
    accepted_.clear();
    journal_->begin();
    if (!waits_for_room_)
        while (!queue_.empty() && take_one(round)) {
        }
    no_room_.reset();
    if (!accepted_.empty()) write(round);
    round.answered = take_answered();
    return round;
}

bool CommitLog::take_one(Round& round) {
    constexpr std::size_t kEntryMax = 64;  // lengths and padding
    const AppendRequest& next = queue_.front().request;
    CHECK(!next.batch->empty() && next.changes.size() == next.batch->size());
    Log& log = logs_[next.user_id];
    const bool known = log.is_known && !log.is_asked;
    if (known) {
        encoded_.clear();
        encode_batch(*next.batch, encoded_);
        const std::size_t bytes = encoded_.size() + next.user_id.size() + kEntryMax;
        const std::size_t with_it = journal_->record_bytes() + bytes;
        const std::size_t most = journal_->record_bytes_max();
        const bool fits = bytes <= most;
        if (fits && !accepted_.empty() &&
            (with_it > std::min(options_.group_bytes_max, most) || !journal_->has_room(with_it)))
            return false;
        if (fits && !journal_->has_room(with_it) && !no_room_) {
            waits_for_room_ = round.wants_room = true;
            return false;
        }
        if (!fits || !journal_->has_room(with_it)) {
            const Error error = fits ? *no_room_
                                     : fail(Errc::too_large, "a batch may have at most " +
                                                                 std::to_string(most) + " bytes");
            PendingAppend append = std::move(queue_.front());
            queue_.pop_front();
            refuse(std::move(append), error);
            return true;
        }
    }
    PendingAppend append = std::move(queue_.front());
    queue_.pop_front();
    if (known)
        decide(std::move(append), log, round);
    else
        ask_head(std::move(append), log, round);
    return true;
}

void CommitLog::decide(PendingAppend append, Log& log, Round& round) {
    const EventBatch& batch = *append.request.batch;
    const bool follows = batch.epoch == log.head.epoch && batch.first == log.head.offset + 1 &&
                         batch.prev_hash == log.head.hash;
    if (!follows) return answer(std::move(append), {.outcome = AppendOutcome::conflict});
    if (!log.is_whole && log.serial == 0) ask_operations(append.request.user_id, log, round);
    if (!append.is_new) {
        std::vector<std::size_t> seen = may_be_known(batch, log);
        if (!seen.empty()) return ask_duplicates(std::move(append), log, std::move(seen), round);
    }
    filter_bytes_ -= log.operations.bytes();
    for (const EventEntry& entry : batch.entries)
        log.operations.add(entry.operation_key);
    filter_bytes_ += log.operations.bytes();
    journal_->add(append.request.user_id, encoded_);
    const LogHead before = std::exchange(log.head, batch.head());
    accepted_.push_back({.append = std::move(append), .log = &log, .before = before});
}

// The events whose operations may be in the log, or are in the batch before them.
std::vector<std::size_t> CommitLog::may_be_known(const EventBatch& batch, const Log& log) {
    std::vector<std::size_t> seen;
    KeyFilter before;
    for (std::size_t i = 0; i < batch.size(); ++i) {
        const std::uint64_t key = batch.entries[i].operation_key;
        if (!log.is_whole || log.operations.may_have(key) || before.may_have(key))
            seen.push_back(i);
        before.add(key);
    }
    return seen;
}

// Behind an append that waits all others of the user do.
void CommitLog::park(PendingAppend append, Log& log) {
    log.parked.push_back(std::move(append));
    parked_ += 1;
}

void CommitLog::ask_head(PendingAppend append, Log& log, Round& round) {
    if (!std::exchange(log.is_asked, true))
        round.questions.push_back(
            {.kind = Question::Kind::head, .user_id = append.request.user_id});
    park(std::move(append), log);
}

// Until the answer comes each append is asked about.
void CommitLog::ask_operations(const std::string& user_id, Log& log, Round& round) {
    log.serial = ++serial_;
    round.questions.push_back(
        {.kind = Question::Kind::operations, .user_id = user_id, .serial = log.serial});
}

void CommitLog::ask_duplicates(PendingAppend append, Log& log, std::vector<std::size_t> events,
                               Round& round) {
    CHECK(!std::exchange(log.is_asked, true));
    round.questions.push_back({.kind = Question::Kind::duplicates,
                               .user_id = append.request.user_id,
                               .batch = append.request.batch,
                               .events = std::move(events)});
    park(std::move(append), log);
}

void CommitLog::answer(PendingAppend append, AppendResult result) {
    append.result = std::move(result);
    answered_.push_back(std::move(append));
}

void CommitLog::refuse(PendingAppend append, const Error& error) {
    answer(std::move(append), {.outcome = AppendOutcome::refused, .error = error});
}

void CommitLog::learn(const std::string& user_id, const Result<LogHead>& head) {
    Log& log = logs_.at(user_id);
    CHECK(log.is_asked && !log.is_known);
    if (head) {
        log.head = *head;
        log.is_known = true;
        log.is_whole = head->offset == 0;
    } else {
        parked_ -= log.parked.size();
        for (PendingAppend& append : std::exchange(log.parked, {}))
            refuse(std::move(append), head.error());
    }
    release(log);
}

// What was committed since the question is in the log's own filter.
void CommitLog::filter(const std::string& user_id, std::uint64_t serial,
                       Result<KeyFilter> operations) {
    const auto at = logs_.find(user_id);
    if (at == logs_.end() || at->second.serial != serial) return;
    Log& log = at->second;
    log.serial = 0;
    if (!operations) return;
    filter_bytes_ -= log.operations.bytes();
    log.operations.merge(*std::move(operations));
    filter_bytes_ += log.operations.bytes();
    log.is_whole = true;
}

void CommitLog::settle(const std::string& user_id,
                       const Result<std::vector<Duplicate>>& duplicates) {
    Log& log = logs_.at(user_id);
    CHECK(log.is_asked && !log.parked.empty());
    PendingAppend& first = log.parked.front();
    if (duplicates && duplicates->empty()) {
        first.is_new = true;
    } else {
        parked_ -= 1;
        if (duplicates)
            answer(std::move(first), {.outcome = AppendOutcome::duplicate,
                                      .duplicates = *duplicates,
                                      .is_untouched = true});
        else
            refuse(std::move(first), duplicates.error());
        log.parked.pop_front();
    }
    release(log);
}

// They came before what waits in the queue.
void CommitLog::release(Log& log) {
    log.is_asked = false;
    parked_ -= log.parked.size();
    queue_.insert(queue_.begin(), std::make_move_iterator(log.parked.begin()),
                  std::make_move_iterator(log.parked.end()));
    log.parked.clear();
}

void CommitLog::room(const Status& applied) {
    waits_for_room_ = false;
    if (!applied) no_room_ = applied.error();
}

void CommitLog::set_applied(std::uint64_t sequence) noexcept {
    journal_->set_applied(std::max(sequence, journal_->applied()));
}

void CommitLog::write(Round& round) {
    const std::size_t record_bytes = journal_->record_bytes();
    const Status done = or_stop(journal_->write());
    if (done) {
        const Status synced = journal_->sync();
        if (!synced) stop(synced.error());
        round.sequence = journal_->last_sequence();
    } else {
        for (std::size_t i = accepted_.size(); i-- > 0;)
            accepted_[i].log->head = accepted_[i].before;
    }
    for (Accepted& accepted : accepted_) {
        AppendRequest& request = accepted.append.request;
        if (done)
            round.committed.push_back({.user_id = std::move(request.user_id),
                                       .batch = std::move(request.batch),
                                       .changes = std::move(request.changes),
                                       .record_bytes = round.committed.empty() ? record_bytes : 0});
        if (done)
            answer(std::move(accepted.append), {.outcome = AppendOutcome::committed});
        else
            refuse(std::move(accepted.append), done.error());
    }
}

// The tables know them.
void CommitLog::release_idle_logs() {
    if (logs_.size() <= static_cast<std::size_t>(limits::users_active_max) &&
        filter_bytes_ <= kFilterBytesMax)
        return;
    std::erase_if(logs_, [](const auto& entry) { return !entry.second.is_asked; });
    filter_bytes_ = 0;
    for (const auto& [user_id, log] : logs_)
        filter_bytes_ += log.operations.bytes();
}

}  // namespace dyad::sqlite
