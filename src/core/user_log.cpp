#include "core/user_log.hpp"

#include "base/limits.hpp"
#include "base/log.hpp"
#include "core/guarded.hpp"
#include "core/mutation.hpp"

namespace dyad::core {
namespace {

constexpr std::size_t kCatchUpBytes = 1 << 20;
constexpr std::string_view kScope = "distributed_memory";

std::int64_t later(std::int64_t since_ms, std::int64_t by_ms) {
    return since_ms == Deadlines::kNever ? since_ms : since_ms + by_ms;
}

}  // namespace

UserLog::UserLog(Engine& engine, std::string user_id, std::uint64_t serial)
    : engine_(engine),
      user_id_(std::move(user_id)),
      feed_(engine.feed_budget_),
      delivery_(*this),
      look_{.user = this, .serial = serial},
      expiry_{.user = this, .serial = serial} {
    is_present_ = [this](std::string_view instance) { return delivery_.has_session(instance); };
    touch();
}

void UserLog::touch() noexcept {
    used_ms_ = ports().clock.steady_ms();
}

bool UserLog::releasable() const noexcept {
    return phase_ != Phase::loading && calls_ == 0 && !dirty_ && !flight_ && queue_.empty() &&
           fresh_waiters_.empty() && !catching_up_ && delivery_.size() == 0;
}

void UserLog::load() {
    CHECK(phase_ == Phase::cold);
    phase_ = Phase::loading;
    ports().store.load(user_id_,
                       guarded([this](Result<LoadedLog> result) { loaded(std::move(result)); }));
}

void UserLog::loaded(Result<LoadedLog> result) {
    Status status = Done{};
    if (result) {
        head_ = result->head;
        first_kept_ = result->first_kept;
        const State before = std::exchange(state_, std::move(result->state));
        operations_.clear();
        operations_known_ = head_.offset == 0;
        feed_.clear();
        snapshot_.reset();
        keep_private_since(before);
        loads_ += 1;
        if (!flight_) retry_pause_ms_ = 0;
        phase_ = Phase::ready;
        delivery_.reset_all();
        if (log::enabled(log::Level::debug, kScope))
            log::debug(kScope,
                       "the memory of a user was read: " + std::to_string(state_.live_contexts) +
                           " contexts, offset " + std::to_string(head_.offset));
    } else {
        phase_ = Phase::cold;
        status = result.error();
        if (result.error().code != Errc::storage_damaged)  // the store says that, once
            log::warn(kScope,
                      "the memory of a user could not be read: " + result.error().to_string());
        for (Pending& pending : std::exchange(queue_, {}))
            reply(pending, Rejection{result.error(), nullptr});
        // Sessions from before a reload wait for what nobody may ever ask for.
        if (delivery_.size() != 0) retry_later();
    }
    for (auto& run : std::exchange(fresh_waiters_, {}))
        run(status);
    engine_.mark_dirty(*this);
}

// The log in the store is not the continuation of what we hold (a restored backup, a log that
// expired under us): start again from the store, and every session with it.
void UserLog::reload() {
    log::warn(kScope, "the log of a user is not the one that was read before; reading it again");
    for (auto* waiters : {&catch_up_waiters_, &next_waiters_})
        for (auto& waiter : std::exchange(*waiters, {}))
            fresh_waiters_.push_back(std::move(waiter));
    catching_up_ = false;
    phase_ = Phase::cold;
    load();
}

void UserLog::when_fresh(std::function<void(Status)> run) {
    touch();
    if (phase_ == Phase::ready) {
        if (ports().store.shared())
            catch_up(std::move(run));
        else
            run(Done{});
        return;
    }
    if (phase_ == Phase::loading && ports().store.shared()) {
        // What is being loaded may be older than this call.
        fresh_waiters_.push_back([this, run = std::move(run)](const Status& status) {
            if (status)
                catch_up(run);
            else
                run(status);
        });
        return;
    }
    fresh_waiters_.push_back(std::move(run));
    if (phase_ == Phase::cold) load();
}

void UserLog::catch_up(std::function<void(Status)> done) {
    if (phase_ != Phase::ready) {
        when_fresh(std::move(done));
        return;
    }
    if (catching_up_) {
        // The read under way may have seen the log before this call.
        next_waiters_.push_back(std::move(done));
        return;
    }
    catching_up_ = true;
    catch_up_waiters_.push_back(std::move(done));
    read_on();
}

void UserLog::read_on() {
    const Offset after = head_.offset;
    ports().store.read_log(
        user_id_, after, kCatchUpBytes, guarded([this, after](const Result<LogSlice>& slice) {
            if (phase_ != Phase::ready || !catching_up_) return;  // reloaded meanwhile
            if (!slice) {
                if (slice.error().code == Errc::history_gone)
                    reload();
                else
                    caught_up(slice.error());
                return;
            }
            if (head_.offset != after && slice->head.offset < head_.offset) {
                caught_up(Done{});  // our own commit, or an announcement, was faster than the read
                return;
            }
            const Offset before = head_.offset;
            if (!adopt_slice(*slice)) {
                reload();
            } else if (head_.offset >= slice->head.offset) {
                caught_up(Done{});
            } else if (head_.offset == before) {
                caught_up(fail(Errc::storage_unavailable, "the store returned no events"));
            } else {
                read_on();
            }
        }));
}

void UserLog::caught_up(const Status& status) {
    std::vector<std::function<void(Status)>> waiters = std::exchange(catch_up_waiters_, {});
    catch_up_waiters_ = std::exchange(next_waiters_, {});
    if (catch_up_waiters_.empty())
        catching_up_ = false;
    else
        read_on();
    for (auto& waiter : waiters)
        waiter(status);
}

bool UserLog::is_at(const Position& end) const noexcept {
    if (broken(Mutation::heads_ignore_hash))
        return end.offset == head_.offset && end.epoch == head_.epoch;
    return end == head_.position();
}

bool UserLog::follows(const EventBatch& batch) const {
    if (batch.empty() || batch.first != head_.offset + 1) return false;
    if (broken(Mutation::chain_not_verified)) return true;
    return batch.epoch == head_.epoch && batch.prev_hash == head_.hash;
}

Status UserLog::adopt_slice(const LogSlice& slice) {
    const auto other_log = [] {
        return fail(Errc::storage_damaged, "the log does not continue what was read before");
    };
    first_kept_ = std::max(first_kept_, slice.first_kept);
    if (!broken(Mutation::chain_not_verified)) {
        if (slice.head.offset < head_.offset || slice.head.epoch != head_.epoch) return other_log();
        if (slice.head.offset == head_.offset && slice.head.hash != head_.hash) return other_log();
    }
    for (const EventBatchPtr& batch : slice.batches) {
        if (batch->last() < head_.offset || batch->empty()) continue;
        EventBatchPtr rest = batch;
        if (batch->first <= head_.offset) {
            if (batch->entry(head_.offset).hash != head_.hash &&
                !broken(Mutation::chain_not_verified))
                return other_log();
            if (batch->last() == head_.offset) continue;
            rest = std::make_shared<const EventBatch>(batch_from(*batch, head_.offset + 1));
        }
        if (!follows(*rest)) return other_log();
        if (Status status = adopt_texts(std::move(rest)); !status) return status;
    }
    return Done{};
}

Status UserLog::adopt_texts(EventBatchPtr batch) {
    std::vector<Change> changes;
    std::vector<std::string> sources;
    for (Offset offset = batch->first; offset <= batch->last(); ++offset) {
        Result<EventView> event = decode_event(batch->text(offset));
        if (!event) return event.error();
        Result<Change> change = decode_change(*event);
        if (!change) return change.error();
        changes.push_back(*std::move(change));
        sources.push_back(std::move(event->source_instance_id));
    }
    const std::vector<std::string_view> views(sources.begin(), sources.end());
    adopt(std::move(batch), changes, views);
    return Done{};
}

void UserLog::adopt(EventBatchPtr batch, std::span<const Change> changes,
                    std::span<const std::string_view> sources, std::span<const Pending> own) {
    for (std::size_t i = 0; i < batch->size(); ++i) {
        const Change& change = changes[i];
        operations_.insert_or_assign(batch->entries[i].operation_key, batch->first + i);
        if (own.empty() && flight_) adopt_own(batch->entries[i], batch->first + i);
        const auto* context = std::get_if<ContextChange>(&change);
        if (broken(Mutation::fold_skips_delete) && context && context->context->deleted) continue;
        if (const auto* mode = std::get_if<ModeChange>(&change)) {
            const std::uint64_t key = batch->entries[i].operation_key;
            adopt_mode(*mode, key, batch->first + i, own.empty() ? find_pending(key) : &own[i]);
        } else {
            fold(state_, change);
        }
    }
    head_ = batch->head();
    snapshot_.reset();
    feed_.push(std::move(batch));
    if (delivery_.has_plain()) feed_.newest().render(ports().renderer, user_id_, changes, sources);
    engine_.mark_dirty(*this);
}

void UserLog::receive(const Announcement& announcement) {
    if (phase_ != Phase::ready || announcement.batch->empty()) return;
    const EventBatch& batch = *announcement.batch;
    if (batch.last() <= head_.offset) return;
    if (broken(Mutation::skip_gap) && batch.first > head_.offset + 1) {
        feed_.clear();
        static_cast<void>(adopt_texts(announcement.batch));
        return;
    }
    // Nothing proves that a first event is of this log and not of one that a restore took away.
    const bool next = broken(Mutation::trust_announcement_offset)
                          ? batch.first == head_.offset + 1
                          : head_.offset != 0 && follows(batch);
    if (next) {
        if (adopt_texts(announcement.batch)) return;
    } else if (broken(Mutation::ignore_announcement_gap)) {
        return;
    }
    catch_up([](const Status&) {});
}

std::shared_ptr<const Snapshot> UserLog::snapshot() {
    if (snapshot_) return snapshot_;
    auto taken = std::make_shared<Snapshot>();
    taken->position = head_.position();
    taken->contexts.reserve(state_.live_contexts);
    for (const auto& [key, context] : state_.contexts)
        if (!context->deleted) taken->contexts.push_back(context);
    for (const auto& [id, mode] : state_.modes)
        taken->modes.push_back(mode);
    for (const auto& [id, conflict] : state_.conflicts)
        taken->conflicts.push_back(conflict);
    if (broken(Mutation::snapshot_of_older_state)) taken->position.offset += 1;
    snapshot_ = taken;
    return snapshot_;
}

void UserLog::tick(std::int64_t now_ms) {
    if (retry_at_ms_ != 0 && now_ms >= retry_at_ms_) {
        retry_at_ms_ = 0;
        catch_up([this](const Status& read) { settle(read); });
    }
    give_up_old(now_ms);
    arm();
}

void UserLog::arm() {
    std::int64_t next = used_ms_ + limits::user_idle_ms;
    if (retry_at_ms_ != 0) next = std::min(next, retry_at_ms_);
    if (flight_) next = std::min(next, later(flight_->since_ms, engine_.config_.command_ms));
    if (!queue_.empty())
        next = std::min(next, later(queue_.front().since_ms, engine_.config_.command_ms));
    look_by(next);
    if (phase_ == Phase::ready && !state_.expiries.empty())
        engine_.expiries_.move_up(expiry_, next_expiry_ms());
}

// What a slow clock dated ends later than it says: then the first one is searched for.
std::int64_t UserLog::next_expiry_ms() const {
    if (!engine_.time_.has_corrections()) return state_.expiries.begin()->first;
    std::int64_t next = Deadlines::kNever;
    for (const auto& [when, key] : state_.expiries) {
        if (when >= next) break;
        next = std::min(next, engine_.time_.end_ms(state_.find(key)->updated_at_ms, when));
    }
    return next;
}

}  // namespace dyad::core
