// The commit path of the embedded store.
#include "base/limits.hpp"
#include "store/sqlite/journaled.hpp"

#include <algorithm>

namespace dyad::sqlite {

// True: it is part of the record now. False: it does not follow the log's end.
Result<bool> Journaled::accept(const AppendRequest& request, std::size_t index,
                               std::size_t& group_bytes) {
    const EventBatch& batch = *request.batch;
    CHECK(!batch.empty() && request.changes.size() == batch.size());
    const Result<UserLog*> found = find_or_make_log(request.user_id);
    if (!found) return found.error();
    UserLog& log = **found;
    const LogHead before = log.head;
    // Only this process writes the log, so whoever knows its end has seen every operation in it;
    // the newest ones are looked at all the same.
    const bool known = std::any_of(
        batch.entries.begin(), batch.entries.end(),
        [&](const EventEntry& entry) { return log.recent.contains(entry.operation_key); });
    const bool follows = batch.epoch == log.head.epoch && batch.first == log.head.offset + 1 &&
                         batch.prev_hash == log.head.hash;
    if (known || !follows) return false;
    journal_->add(request.user_id, encoded_);
    group_bytes = journal_->record_bytes();
    log.head = batch.head();
    for (const EventEntry& entry : batch.entries)
        log.recent.add(entry.operation_key);
    accepted_.push_back({.request = index, .log = &log, .before = before});
    return true;
}

std::size_t Journaled::commit(std::span<AppendRequest> requests,
                              std::vector<AppendResult>& results) {
    const std::size_t group_max = std::min(options_.group_bytes_max, journal_->record_bytes_max());
    std::size_t group_bytes = kRecordHeaderBytes;
    std::size_t taken = 0;
    const std::size_t base = results.size();
    release_idle_logs();
    accepted_.clear();
    journal_->begin();
    for (; taken < requests.size(); ++taken) {
        const AppendRequest& request = requests[taken];
        encoded_.clear();
        encode_batch(*request.batch, encoded_);
        constexpr std::size_t kEntryMax = 64;  // lengths and padding
        const std::size_t bytes = encoded_.size() + request.user_id.size() + kEntryMax;
        if (!accepted_.empty() && group_bytes + bytes > group_max) break;
        AppendResult& result = results.emplace_back();
        if (bytes > journal_->record_bytes_max()) {
            result = {.outcome = AppendOutcome::refused,
                      .error = fail(Errc::too_large,
                                    "a batch may have at most " +
                                        std::to_string(journal_->record_bytes_max()) + " bytes")};
            continue;
        }
        const Result<bool> accepted = accept(request, base + taken, group_bytes);
        if (!accepted)
            result = {.outcome = AppendOutcome::refused, .error = accepted.error()};
        else
            result.outcome = *accepted ? AppendOutcome::committed : AppendOutcome::conflict;
    }
    if (accepted_.empty()) return taken;

    Status done = make_room();
    if (done) {
        done = journal_->write();
        if (!done && done.error().code != Errc::storage_full) stop(done.error());
    }
    if (!done) {
        refuse_accepted(done.error(), results);
        return taken;
    }
    const Status synced = journal_->sync();
    if (!synced) stop(synced.error());
    for (const Accepted& accepted : accepted_) {
        AppendRequest& request = requests[accepted.request - base];
        keep(*accepted.log, {.batch = std::move(request.batch),
                             .changes = std::move(request.changes),
                             .record_bytes = &accepted == accepted_.data() ? group_bytes : 0});
    }
    return taken;
}

// A record waits for its place only where applying did not keep up or fails.
Status Journaled::make_room() {
    if (journal_->has_room(journal_->record_bytes())) return Done{};
    return apply();
}

void Journaled::refuse_accepted(const Error& error, std::vector<AppendResult>& results) {
    for (std::size_t i = accepted_.size(); i-- > 0;) {
        accepted_[i].log->head = accepted_[i].before;
        accepted_[i].log->recent.clear();
        results[accepted_[i].request] = {.outcome = AppendOutcome::refused, .error = error};
    }
}

}  // namespace dyad::sqlite
