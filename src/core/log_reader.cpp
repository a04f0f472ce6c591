#include "core/log_reader.hpp"

#include "base/check.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "core/mutation.hpp"
#include "core/user_log.hpp"

namespace dyad::core {
namespace {

constexpr std::size_t kCatchUpBytes = 1 << 20;
constexpr std::string_view kScope = "distributed_memory";

}  // namespace

void LogReader::load() {
    CHECK(phase_ == Phase::cold);
    phase_ = Phase::loading;
    user_.heart().ports.log.load(
        user_.user_id(),
        user_.calls().wrap([this, asked_ms = user_.heart().steady_ms()](Result<LoadedLog> result) {
            if (result) latest_ms_ = asked_ms;
            loaded(std::move(result));
        }));
}

void LogReader::loaded(Result<LoadedLog>&& result) {
    CHECK(phase_ == Phase::loading);
    Status status = Done{};
    if (result) {
        phase_ = Phase::ready;
        user_.replace(*std::move(result));
        user_.writer().loaded();
    } else {
        phase_ = Phase::cold;
        status = result.error();
        if (result.error().code != Errc::storage_damaged)  // the store says that, once
            log::warn(kScope,
                      "the memory of a user could not be read: " + result.error().to_string());
        user_.writer().cannot_load(result.error());
        // Sessions from before it was read again wait for what nobody may ever ask for.
        if (user_.delivery().size() != 0) user_.retry_later();
    }
    for (auto& run : std::exchange(fresh_waiters_, {}))
        run(status);
    user_.mark_dirty();
}

// The log in the store is not the continuation of what is held (a restored backup, a log that
// expired under us): start again from the store, and every session with it.
void LogReader::load_again() {
    log::warn(kScope, "the log of a user is not the one that was read before; reading it again");
    for (auto* waiters : {&waiters_, &next_waiters_})
        for (auto& waiter : std::exchange(*waiters, {}))
            fresh_waiters_.push_back(std::move(waiter));
    phase_ = Phase::cold;
    load();
}

bool LogReader::is_enough(const Freshness& wanted) const {
    using Kind = Freshness::Kind;
    const LogHead& head = user_.head();
    const bool has = wanted.position.epoch == head.epoch && wanted.position.offset <= head.offset;
    return !user_.heart().shared() || wanted.kind == Kind::at_hand ||
           (wanted.kind == Kind::at_least && has);
}

std::int64_t LogReader::age_ms() const {
    return user_.heart().shared() ? user_.heart().steady_ms() - latest_ms_ : 0;
}

void LogReader::when_fresh(const Freshness& wanted, StatusFn run) {
    CHECK(run);
    user_.touch();
    if (ready()) {
        if (is_enough(wanted))
            run(Done{});
        else
            catch_up(std::move(run));
        return;
    }
    if (phase_ == Phase::loading && user_.heart().shared()) {
        // What is being loaded may be older than this call.
        fresh_waiters_.push_back([this, wanted, run = std::move(run)](const Status& status) {
            if (status && !is_enough(wanted))
                catch_up(run);
            else
                run(status);
        });
        return;
    }
    fresh_waiters_.push_back(std::move(run));
    want();
}

void LogReader::catch_up(StatusFn done) {
    CHECK(done);
    if (!ready()) {
        when_latest(std::move(done));
    } else if (phase_ == Phase::reading) {
        // The read under way may have seen the log before this call.
        next_waiters_.push_back(std::move(done));
    } else {
        phase_ = Phase::reading;
        waiters_.push_back(std::move(done));
        read_on();
    }
}

void LogReader::read_on() {
    CHECK(phase_ == Phase::reading);
    const Offset after = user_.head().offset;
    user_.heart().ports.log.read(
        user_.user_id(), after, kCatchUpBytes,
        user_.calls().wrap([this, after, loads = user_.loads(),
                            asked_ms = user_.heart().steady_ms()](const Result<LogSlice>& slice) {
            if (phase_ == Phase::reading && loads == user_.loads()) read(after, asked_ms, slice);
        }));
}

void LogReader::reached_end(std::int64_t asked_ms) {
    was_latest(asked_ms);
    caught_up(Done{});
}

void LogReader::read(Offset after, std::int64_t asked_ms, const Result<LogSlice>& slice) {
    const Offset before = user_.head().offset;
    if (!slice) {
        if (slice.error().code == Errc::history_gone)
            load_again();
        else
            caught_up(slice.error());
    } else if (before != after && slice->head.offset < before) {
        reached_end(asked_ms);  // our own commit, or an announcement, was faster than the read
    } else if (!adopt_slice(*slice)) {
        load_again();
    } else if (user_.head().offset >= slice->head.offset) {
        reached_end(asked_ms);
    } else if (user_.head().offset == before) {
        caught_up(fail(Errc::storage_unavailable, "the store returned no events"));
    } else {
        read_on();
    }
}

void LogReader::caught_up(const Status& status) {
    CHECK(phase_ == Phase::reading);
    const std::vector<StatusFn> waiters = std::exchange(waiters_, std::exchange(next_waiters_, {}));
    if (waiters_.empty())
        phase_ = Phase::ready;
    else
        read_on();
    for (const StatusFn& waiter : waiters)
        waiter(status);
}

Status LogReader::adopt_slice(const LogSlice& slice) {
    const auto other_log = [] {
        return fail(Errc::storage_damaged, "the log does not continue what was read before");
    };
    const LogHead& head = user_.head();
    user_.keep_from(slice.first_kept);
    if (!broken(Mutation::chain_not_verified)) {
        if (slice.head.offset < head.offset || slice.head.epoch != head.epoch) return other_log();
        if (slice.head.offset == head.offset && slice.head.hash != head.hash) return other_log();
    }
    for (const EventBatchPtr& batch : slice.batches) {
        if (batch->last() < head.offset || batch->empty()) continue;
        EventBatchPtr rest = batch;
        if (batch->first <= head.offset) {
            if (batch->entry(head.offset).hash != head.hash &&
                !broken(Mutation::chain_not_verified))
                return other_log();
            if (batch->last() == head.offset) continue;
            rest = std::make_shared<const EventBatch>(batch_from(*batch, head.offset + 1));
        }
        if (!user_.follows(*rest)) return other_log();
        if (Status status = user_.adopt_texts(std::move(rest)); !status) return status;
    }
    return Done{};
}

void LogReader::receive(const Announcement& announcement) {
    CHECK(announcement.batch);
    if (!ready() || announcement.batch->empty()) return;
    const EventBatch& batch = *announcement.batch;
    const LogHead& head = user_.head();
    if (batch.last() <= head.offset) return;
    if (broken(Mutation::skip_gap) && batch.first > head.offset + 1) {
        user_.feed().clear();
        static_cast<void>(user_.adopt_texts(announcement.batch));
        return;
    }
    // Nothing proves that a first event is of this log and not of one that a restore took away.
    const bool next = broken(Mutation::trust_announcement_offset)
                          ? batch.first == head.offset + 1
                          : head.offset != 0 && user_.follows(batch);
    const std::int64_t dated_ms = batch.entries.back().timestamp_ms;
    if (next && user_.adopt_texts(announcement.batch)) {
        const Ports& ports = user_.heart().ports;
        const std::int64_t now_ms = ports.clock.wall_ms() + ports.archive.clock_offset_ms();
        return metrics::node_lag_seconds.observe_us((now_ms - dated_ms) * 1000);
    }
    metrics::gaps.add();
    catch_up([](const Status&) {});
}

}  // namespace dyad::core
