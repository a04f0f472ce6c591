// How a command gets into the log: steps 1 to 5 of shared/log.md, "Writing".
#include "base/limits.hpp"
#include "base/metrics.hpp"
#include "core/guarded.hpp"
#include "core/mutation.hpp"
#include "core/user_log.hpp"

#include <bitset>

namespace dyad::core {
namespace {

constexpr std::int64_t kRetryPauseMaxMs = 2000;
constexpr std::size_t kExpiriesPerTick = 64;
constexpr std::size_t kKeyBits = 1024;

}  // namespace

void UserLog::submit(Pending&& pending) {
    touch();
    pending.since_ms = used_ms_;
    pending.key = operation_key(pending.command->instance_id, pending.command->operation_id);
    pending.fingerprint = pending.command->fingerprint();
    pending.bytes = pending.command->bytes();
    pending.serial = ++heard_;
    if (!privacy_.empty()) {
        pending.asked = privacy_.standing(pending.command->instance_id);
        pending.via_asked = privacy_.standing(pending.command->via);
    }
    if (asks_for_privacy(*pending.command)) {
        privacy_.ask(mode_owner(*pending.command), pending.serial, pending.key);
        delivery_.privacy_changed(mode_owner(*pending.command));
    }
    engine_.waiting_ += 1;
    engine_.waiting_bytes_ += pending.bytes;
    if (queue_.size() >= static_cast<std::size_t>(limits::commands_per_user_queued_max) ||
        engine_.waiting_bytes_ > engine_.config_.commands_bytes_max) {
        reply(pending,
              Rejection{fail(Errc::unavailable, "too many commands wait; slow down"), nullptr});
        return;
    }
    queue_.push_back(std::move(pending));
    if (phase_ == Phase::cold) load();
    engine_.mark_dirty(*this);
}

void UserLog::reply(Pending& pending, std::variant<Reply, Rejection>&& answer) {
    if (!pending.done) return;  // it was answered when its time was over
    engine_.waiting_ -= 1;
    engine_.waiting_bytes_ -= pending.bytes;
    if (auto* rejection = std::get_if<Rejection>(&answer)) {
        rejection->operation_id = pending.command->operation_id;
        if (asks_for_privacy(*pending.command))
            cannot_note(mode_owner(*pending.command), pending.serial);
        metrics::commits_rejected.add();
    }
    std::exchange(pending.done, nullptr)(answer);
}

void UserLog::pump() {
    if (phase_ != Phase::ready || flight_ || repeated_modes_ > 0 || queue_.empty()) return;
    if (operations_known_ || broken(Mutation::operations_unknown))
        build_batch();
    else if (!reading_operations_)
        read_operations();
}

void UserLog::build_batch() {
    Flight flight;
    EventBatch batch;
    LogHead head = head_;
    View view(state_);
    std::vector<Pending> later;
    engine_.read_clocks();
    std::bitset<kKeyBits> keys;  // of what has come by, by their lowest bits
    const std::size_t most =
        std::min(queue_.size(), static_cast<std::size_t>(limits::batch_events_max));
    flight.writes.reserve(most);
    flight.changes.reserve(most);
    batch.entries.reserve(most);
    while (!queue_.empty() && repeated_modes_ == 0 &&
           batch.size() < static_cast<std::size_t>(limits::batch_events_max) &&
           batch.texts.size() < static_cast<std::size_t>(limits::batch_bytes_max)) {
        Pending pending = std::move(queue_.front());
        queue_.pop_front();
        const bool twice =
            keys[pending.key % kKeyBits] &&
            std::any_of(flight.writes.begin(), flight.writes.end(),
                        [&](const Pending& other) { return other.key == pending.key; });
        if (twice && !broken(Mutation::skip_operation_lookup)) {
            later.push_back(std::move(pending));  // the same operation again: answered from the log
            continue;
        }
        keys.set(pending.key % kKeyBits);
        place(flight, batch, head, view, std::move(pending));
    }
    for (; !later.empty(); later.pop_back())
        queue_.push_front(std::move(later.back()));
    if (batch.empty()) {
        if (!flight.others.empty()) decide_afresh(std::move(flight.others));
        return;
    }
    flight.batch = std::make_shared<const EventBatch>(std::move(batch));
    flight_ = std::move(flight);
    AppendRequest request{user_id_, flight_->batch, flight_->changes};
    ports().store.append(std::move(request),
                         guarded([this](AppendResult result) { sent(std::move(result)); }));
    if (broken(Mutation::acknowledge_before_commit)) {
        finish_flight(*flight_);
        flight_->others.clear();
    }
    if (broken(Mutation::fold_before_commit))
        for (const Change& change : flight_->changes)
            fold(state_, change);
    if (broken(Mutation::deliver_before_commit)) static_cast<void>(adopt_texts(flight_->batch));
}

// Gives one command its place in the batch, or its answer.
void UserLog::place(Flight& flight, EventBatch& batch, LogHead& head, View& view,
                    Pending&& pending) {
    forget_other_log(pending);
    if (is_repeat(pending)) {
        answer_repeat(std::move(pending));
        return;
    }
    const std::int64_t now_ms = broken(Mutation::timestamps_from_clock)
                                    ? engine_.time_.date_ms()
                                    : engine_.time_.date_after(head.timestamp_ms);
    const Decision at{.now_ms = now_ms,
                      .proven_ms = engine_.time_.destroy_ms(),
                      .offset = head.offset + 1,
                      .context_ttl_ms = engine_.config_.context_ttl_ms,
                      .is_private = is_private(pending, flight),
                      .instances_max = engine_.config_.instances_max,
                      .private_instances_max = engine_.config_.private_instances_max,
                      .is_present = &is_present_};
    Decided decided = decide(view, *pending.command, at);
    flight.since_ms = std::min(flight.since_ms, pending.since_ms);
#ifdef DYAD_SIMULATION
    if (pending.stale) decided = *pending.stale;
#endif
    if (const auto* needed = std::get_if<NeedsVersion>(&decided)) {
        fill_version(std::move(pending), *needed);
    } else if (auto* change = std::get_if<Change>(&decided)) {
        EventDraft draft;
        draft.source_instance_id = pending.command->instance_id;
        draft.operation_id = pending.command->operation_id;
        draft.fingerprint = pending.fingerprint;
        draft.timestamp_ms = now_ms;
        if (broken(Mutation::timestamps_from_clock))
            head.timestamp_ms = std::min(head.timestamp_ms, now_ms);
        ports().random.fill(draft.salt);
        append_change(batch, head, *change, draft);
        view.add(*change);
        flight.changes.push_back(std::move(*change));
        flight.writes.push_back(std::move(pending));
    } else {
        std::variant<Reply, Rejection> answer = Rejection{fail(Errc::internal), nullptr};
        if (auto* rejection = std::get_if<Rejection>(&decided))
            answer = std::move(*rejection);
        else
            answer = reply_without_event(std::get<NoChange>(decided), pending.command->operation_id,
                                         head_);
        // What it rests on may still fail to be written, or may be overtaken by other nodes
        // already: a commit behind it proves that it was not, or else a read.
        if (batch.empty() && (pending.fresh || !ports().store.shared()))
            reply(pending, std::move(answer));
        else
            flight.others.emplace_back(std::move(pending), std::move(answer));
    }
}

void UserLog::decide_afresh(
    std::vector<std::pair<Pending, std::variant<Reply, Rejection>>> unproven) {
    auto waiting = std::make_shared<decltype(unproven)>(std::move(unproven));
    catch_up([this, waiting](const Status& status) {
        for (auto at = waiting->rbegin(); at != waiting->rend(); ++at) {
            at->first.fresh = true;
            if (status)
                queue_.push_front(std::move(at->first));
            else
                reply(at->first, Rejection{status.error(), nullptr});
        }
        engine_.mark_dirty(*this);
    });
}

// What was read of a log that has been replaced since says nothing about this one.
void UserLog::forget_other_log(Pending& pending) const {
    if (std::exchange(pending.load, loads_) == loads_) return;
    pending.is_new = false;
    if (auto* put = std::get_if<PutContext>(&pending.command->body)) put->base_data.reset();
    if (auto* restore = std::get_if<RestoreContext>(&pending.command->body))
        restore->snapshot.reset();
}

void UserLog::fill_version(Pending pending, const NeedsVersion& needed) {
    auto shared = std::make_shared<Pending>(std::move(pending));
    ports().store.read_version(
        user_id_, needed.key, needed.version,
        guarded([this, shared](const Result<ContextPtr>& found) {
            const bool gone = !found && (found.error().code == Errc::history_gone ||
                                         found.error().code == Errc::not_found);
            auto* put = std::get_if<PutContext>(&shared->command->body);
            if (put != nullptr && (found || gone)) {
                const bool known = found && !(*found)->deleted;
                put->base_data = known ? std::optional((*found)->data) : std::nullopt;
            } else if (found) {
                std::get<RestoreContext>(shared->command->body).snapshot = *found;
            } else {
                reply(*shared, Rejection{found.error(), nullptr});
                return;
            }
            queue_.push_front(std::move(*shared));
            engine_.mark_dirty(*this);
        }));
}

void UserLog::sent(AppendResult result) {
    if (!flight_) return;
    flight_->answered = true;
    switch (result.outcome) {
        case AppendOutcome::committed:
            committed();
            return;
        case AppendOutcome::refused:
            refused(result.error ? *result.error : fail(Errc::storage_unavailable));
            return;
        case AppendOutcome::unknown:
            if (broken(Mutation::acknowledge_unknown)) {
                finish_flight(*flight_);
                flight_.reset();
                return;
            }
            for (Pending& pending : flight_->writes) {
                pending.sent_unknown = true;
                if (broken(Mutation::retry_unknown_blindly)) pending.is_new = true;
            }
            retry_later();
            return;
        case AppendOutcome::conflict:
            if (broken(Mutation::drop_conflict_loser)) {
                finish_flight(*flight_);
                flight_.reset();
                return;
            }
            catch_up([this](const Status& read) { settle(read); });
            return;
    }
}

void UserLog::retry_later() {
    retry_pause_ms_ = retry_pause_ms_ == 0 ? engine_.config_.retry_ms
                                           : std::min(retry_pause_ms_ * 2, kRetryPauseMaxMs);
    retry_at_ms_ = ports().clock.steady_ms() + retry_pause_ms_;
    arm();
}

// The log was read to its end, or could not be, since the answer that settled nothing.
void UserLog::settle(const Status& read) {
    if (flight_ ? !flight_->answered : queue_.empty()) return;
    if (!read)
        retry_later();
    else if (flight_)
        requeue_flight();
    else
        engine_.mark_dirty(*this);
}

// The outcome is settled: what got in is in `operations_` now, the rest is decided again.
void UserLog::requeue_flight() {
    Flight flight = std::move(*flight_);
    flight_.reset();
    std::deque<Pending> again;
#ifdef DYAD_SIMULATION
    if (broken(Mutation::decide_on_stale_state))
        for (std::size_t i = 0; i < flight.writes.size(); ++i)
            flight.writes[i].stale = std::make_shared<const Change>(flight.changes[i]);
#endif
    for (Pending& pending : flight.writes) {
        if (!pending.done) continue;
        if (++pending.tries >= limits::commit_tries_max)
            reply(pending, Rejection{fail(Errc::unavailable,
                                          "it lost too many races for its place; send it again"),
                                     nullptr});
        else
            again.push_back(std::move(pending));
    }
    for (auto& [pending, answer] : flight.others)
        again.push_back(std::move(pending));
    while (!again.empty()) {
        queue_.push_front(std::move(again.back()));
        again.pop_back();
    }
    engine_.mark_dirty(*this);
}

void UserLog::committed() {
    retry_pause_ms_ = 0;
    auto flight = std::make_shared<Flight>(std::move(*flight_));
    flight_.reset();
    metrics::events_committed.add(static_cast<std::int64_t>(flight->batch->size()));
    engine_.committed(user_id_, flight->batch);
    const bool reading = phase_ != Phase::ready;  // what is read may be older than the commit
    if (!reading && follows(*flight->batch)) {
        std::vector<std::string_view> sources;
        sources.reserve(flight->writes.size());
        for (const Pending& pending : flight->writes)
            sources.push_back(pending.command->instance_id);
        adopt(flight->batch, flight->changes.all(), sources, flight->writes);
        finish_flight(*flight);
    } else if (!reading && head_.offset >= flight->batch->last()) {
        finish_flight(*flight);  // read or announced before the store's own answer came
    } else {
        catch_up([this, flight](const Status&) { finish_flight(*flight); });
    }
    engine_.mark_dirty(*this);
}

void UserLog::refused(const Error& error) {
    Flight flight = std::move(*flight_);
    flight_.reset();
    for (Pending& pending : flight.writes)
        reply(pending, Rejection{error, nullptr});
    for (auto& [pending, answer] : flight.others)
        queue_.push_front(std::move(pending));
    engine_.mark_dirty(*this);
}

void UserLog::finish_flight(Flight& flight) {
    const EventBatch& batch = *flight.batch;
    for (std::size_t i = 0; i < flight.writes.size(); ++i) {
        const EventEntry& entry = batch.entries[i];
        const LogHead at{.epoch = batch.epoch,
                         .offset = batch.first + i,
                         .hash = entry.hash,
                         .timestamp_ms = entry.timestamp_ms};
        Pending& pending = flight.writes[i];
        if (pending.own) note_own(pending, at.offset);
        if (pending.done) reply(pending, reply_of(flight.changes[i], *pending.command, at));
    }
    for (auto& [pending, answer] : flight.others)
        reply(pending, std::move(answer));
}

// Of a log that has been replaced since, the write was another event.
void UserLog::note_own(const Pending& pending, Offset offset) {
    const auto at = operations_.find(pending.key);
    if (at != operations_.end() && at->second == offset) pending.own->add(offset);
}

// An id that is used for something else makes nobody the writer.
void UserLog::adopt_own(const EventEntry& entry, Offset offset) {
    for (const Pending& pending : flight_->writes)
        if (pending.own && pending.key == entry.operation_key &&
            pending.fingerprint == entry.fingerprint)
            pending.own->add(offset);
}

void UserLog::expire() {
    if (phase_ != Phase::ready || !queue_.empty() || flight_) return;
    const ProvenTime& time = engine_.time_;
    std::vector<ContextPtr> due;
    for (const auto& [when, key] : state_.expiries) {
        if (when > time.destroy_ms() || due.size() == kExpiriesPerTick) break;
        ContextPtr context = state_.find(key);
        if (time.end_ms(context->updated_at_ms, when) <= time.destroy_ms())
            due.push_back(std::move(context));
    }
    for (const ContextPtr& context : due) {
        if (broken(Mutation::expiry_without_event)) {
            auto gone = std::make_shared<Context>(*context);
            gone->deleted = true;
            gone->data = "null";
            fold(state_, ContextChange{gone, ContextAction::expired});
            snapshot_.reset();
            continue;
        }
        Pending pending;
        pending.command = std::make_unique<Command>();
        pending.command->instance_id = kServerInstance;
        // By the offset: a version can come again once a deletion is forgotten.
        pending.command->operation_id =
            "expire:" + std::to_string(context->offset) + ":" + context->key;
        pending.command->body = ExpireContext{context->key, context->version};
        pending.done = [](const std::variant<Reply, Rejection>&) {};
        submit(std::move(pending));
    }
}

void UserLog::give_up_old(std::int64_t now_ms) {
    const auto old = [&](const Pending& pending) {
        return now_ms - pending.since_ms >= engine_.config_.command_ms;
    };
    const auto answer = [&](Pending& pending, bool in_flight) {
        if (in_flight || pending.sent_unknown)
            reply(pending, Rejection{fail(Errc::outcome_unknown,
                                          "the store gave no answer in time; send it again with "
                                          "the same id"),
                                     nullptr});
        else
            reply(pending, Rejection{fail(Errc::storage_unavailable,
                                          "the store did not answer in time; send it again"),
                                     nullptr});
    };
    while (!queue_.empty() && old(queue_.front())) {
        Pending pending = std::move(queue_.front());
        queue_.pop_front();
        answer(pending, false);
    }
    if (!flight_) return;
    flight_->since_ms = Deadlines::kNever;
    const auto look_at = [&](Pending& pending, bool written) {
        if (pending.done && old(pending)) answer(pending, written);
        if (pending.done) flight_->since_ms = std::min(flight_->since_ms, pending.since_ms);
    };
    for (Pending& pending : flight_->writes)
        look_at(pending, true);
    for (auto& [pending, answer_later] : flight_->others)
        look_at(pending, false);
    std::erase_if(flight_->others, [](const auto& other) { return !other.first.done; });
}

}  // namespace dyad::core
