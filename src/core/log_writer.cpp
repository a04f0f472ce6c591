#include "core/log_writer.hpp"

#include "base/check.hpp"
#include "base/limits.hpp"
#include "base/metrics.hpp"
#include "core/user_log.hpp"

#include <algorithm>
#include <bitset>

namespace dyad::core {
namespace {

constexpr std::size_t kKeyBits = 1024;

template <class Limit>
bool is_full(std::size_t size, Limit limit) {
    return size >= static_cast<std::size_t>(limit);
}

}  // namespace

LogWriter::LogWriter(UserLog& user)
    : user_(user), repeats_(user), is_present_([&user](std::string_view instance) {
          return user.delivery().has_session(instance);
      }) {}

void LogWriter::submit(Pending&& pending) {
    CHECK(pending.command && pending.done && pending.tries == 0);
    user_.touch();
    Heart& heart = user_.heart();
    pending.since_ms = user_.used_ms();
    pending.key = operation_key(pending.command->instance_id, pending.command->operation_id);
    pending.fingerprint = pending.command->fingerprint();
    pending.bytes = pending.command->bytes();
    user_.privacy().hear(pending);
    heart.commands += 1;
    heart.commands_bytes += pending.bytes;
    if (is_full(queue_.size(), limits::commands_per_user_queued_max) ||
        heart.commands_bytes > heart.config.commands_bytes_max) {
        reply(pending,
              Rejection{fail(Errc::unavailable, "too many commands wait; slow down"), nullptr});
        return;
    }
    queue_.push_back(std::move(pending));
    user_.reader().want();
    user_.mark_dirty();
}

void LogWriter::put_back(Pending&& pending) {
    CHECK(pending.command);
    queue_.push_front(std::move(pending));
    user_.mark_dirty();
}

void LogWriter::reply(Pending& pending, Answer&& answer) {
    if (!pending.done) return;  // it was answered when its time was over
    Heart& heart = user_.heart();
    CHECK(heart.commands > 0 && heart.commands_bytes >= pending.bytes);
    heart.commands -= 1;
    heart.commands_bytes -= pending.bytes;
    if (auto* rejection = std::get_if<Rejection>(&answer)) {
        rejection->operation_id = pending.command->operation_id;
        if (asks_for_privacy(*pending.command))
            user_.privacy().cannot_note(mode_owner(*pending.command), pending.serial);
        metrics::commits_rejected.add();
    }
    std::exchange(pending.done, nullptr)(answer);
}

void LogWriter::pump() {
    if (user_.ready() && !in_flight_ && !queue_.empty() && !repeats_.has_open_mode())
        decide_queue();
}

void LogWriter::decide_queue() {
    Draft draft{.head = user_.head(), .view = View(user_.state())};
    InFlightBatch& flight = draft.flight;
    EventBatch& batch = draft.batch;
    std::vector<Pending> later;
    user_.heart().time.read();
    std::bitset<kKeyBits> keys;  // of what has come by, by their lowest bits
    const std::size_t most =
        std::min(queue_.size(), static_cast<std::size_t>(limits::batch_events_max));
    flight.writes.reserve(most);
    flight.changes.reserve(most);
    batch.entries.reserve(most);
    while (!queue_.empty() && !repeats_.has_open_mode() &&
           !is_full(batch.size(), limits::batch_events_max) &&
           !is_full(batch.texts.size(), limits::batch_bytes_max)) {
        Pending pending = std::move(queue_.front());
        queue_.pop_front();
        const bool twice =
            keys[pending.key % kKeyBits] &&
            std::any_of(flight.writes.begin(), flight.writes.end(),
                        [&](const Pending& other) { return other.key == pending.key; });
        if (twice) {
            later.push_back(std::move(pending));  // the same operation again
            continue;
        }
        keys.set(pending.key % kKeyBits);
        decide_one(draft, std::move(pending));
    }
    for (; !later.empty(); later.pop_back())
        queue_.push_front(std::move(later.back()));
    if (!batch.empty())
        append(std::move(draft));
    else if (!flight.dependents.empty())
        decide_afresh(std::move(flight.dependents));
}

// Gives one command its place in the batch, or its answer.
void LogWriter::decide_one(Draft& draft, Pending&& pending) {
    forget_other_log(pending);
    if (pending.applied_at && *pending.applied_at <= user_.head().offset)
        return repeats_.answer(std::move(pending));
    pending.applied_at.reset();  // of an event that was not durable yet, and may never be
    Heart& heart = user_.heart();
    const std::int64_t now_ms = heart.time.date_after(draft.head.timestamp_ms);
    const Decision at{.now_ms = now_ms,
                      .proven_ms = heart.time->destroy_ms(),
                      .time = &*heart.time,
                      .offset = draft.head.offset + 1,
                      .context_ttl_ms = heart.config.context_ttl_ms,
                      .is_private = user_.privacy().is_private(pending, draft.flight.writes),
                      .instances_max = heart.config.instances_max,
                      .private_instances_max = heart.config.private_instances_max,
                      .is_present = &is_present_};
    Decided decided = decide(draft.view, *pending.command, at);
    draft.flight.since_ms = std::min(draft.flight.since_ms, pending.since_ms);
    if (const auto* needed = std::get_if<NeedsVersion>(&decided))
        fill_version(std::move(pending), *needed);
    else if (auto* change = std::get_if<Change>(&decided))
        write(draft, std::move(pending), std::move(*change), now_ms);
    else if (auto* rejection = std::get_if<Rejection>(&decided))
        answer_without_event(draft, std::move(pending), std::move(*rejection));
    else
        answer_without_event(draft, std::move(pending),
                             reply_without_event(std::get<NoChange>(decided),
                                                 pending.command->operation_id, user_.head()));
}

void LogWriter::write(Draft& draft, Pending&& pending, Change&& change, std::int64_t now_ms) {
    EventDraft event;
    event.source_instance_id = pending.command->instance_id;
    event.operation_id = pending.command->operation_id;
    event.fingerprint = pending.fingerprint;
    event.timestamp_ms = now_ms;
    user_.heart().ports.random.fill(event.salt);
    append_change(draft.batch, draft.head, change, event);
    draft.view.add(change);
    draft.flight.changes.push_back(std::move(change));
    draft.flight.writes.push_back(std::move(pending));
}

// A batch before it, which the answer rests on, may still fail to be written; and other nodes may
// have written meanwhile. The commit of that batch proves that neither was so, or else a read does.
void LogWriter::answer_without_event(Draft& draft, Pending&& pending, Answer&& answer) {
    const bool latest = pending.basis == Basis::latest || !user_.heart().shared();
    if (draft.batch.empty() && latest)
        repeats_.answer_unless_applied(std::move(pending), std::move(answer));
    else
        draft.flight.dependents.emplace_back(std::move(pending), std::move(answer));
}

void LogWriter::append(Draft&& draft) {
    CHECK(!in_flight_ && user_.follows(draft.batch));
    draft.flight.batch = std::make_shared<const EventBatch>(std::move(draft.batch));
    CHECK(draft.flight.writes.size() == draft.flight.batch->size() &&
          draft.flight.changes.size() == draft.flight.batch->size());
    in_flight_ = std::move(draft.flight);
    in_flight_->sent_ms = user_.heart().steady_ms();
    AppendRequest request{user_.user_id(), in_flight_->batch, in_flight_->changes};
    user_.heart().ports.log.append(
        std::move(request),
        user_.calls().wrap([this](const AppendResult& result) { answered(result); }));
}

void LogWriter::decide_afresh(std::vector<PendingAnswer> unproven) {
    auto waiting = std::make_shared<std::vector<PendingAnswer>>(std::move(unproven));
    user_.reader().catch_up([this, waiting](const Status& status) {
        for (auto at = waiting->rbegin(); at != waiting->rend(); ++at) {
            at->first.basis = Basis::latest;
            if (status)
                put_back(std::move(at->first));
            else
                reply(at->first, Rejection{status.error(), nullptr});
        }
    });
}

// What was read of a log that has been replaced since says nothing about this one.
void LogWriter::forget_other_log(Pending& pending) const {
    if (std::exchange(pending.load, user_.loads()) == user_.loads()) return;
    pending.applied_at.reset();
    if (auto* put = std::get_if<PutContext>(&pending.command->body)) put->base_data.reset();
    if (auto* restore = std::get_if<RestoreContext>(&pending.command->body))
        restore->snapshot.reset();
}

void LogWriter::fill_version(Pending pending, const NeedsVersion& needed) {
    auto shared = std::make_shared<Pending>(std::move(pending));
    user_.heart().ports.archive.read_version(
        user_.user_id(), needed.key, needed.version,
        user_.calls().wrap([this, shared](const Result<ContextPtr>& found) {
            const bool gone = !found && (found.error().code == Errc::history_gone ||
                                         found.error().code == Errc::not_found);
            auto* put = std::get_if<PutContext>(&shared->command->body);
            if (put != nullptr && (found || gone)) {
                const bool known = found && !(*found)->deleted;
                put->base_data = known ? std::optional((*found)->data) : std::nullopt;
            } else if (found) {
                std::get<RestoreContext>(shared->command->body).snapshot = *found;
            } else {
                Rejection refused{found.error(), nullptr};
                return repeats_.answer_unless_applied(std::move(*shared), refused);
            }
            put_back(std::move(*shared));
        }));
}

void LogWriter::answered(const AppendResult& result) {
    CHECK(in_flight_ && in_flight_->outcome == Outcome::awaited);
    switch (result.outcome) {
        case AppendOutcome::committed:
            return committed();
        case AppendOutcome::refused:
            return refused(result.error ? *result.error : fail(Errc::storage_unavailable));
        case AppendOutcome::unknown:
            metrics::retries.add();
            in_flight_->outcome = Outcome::unsettled;
            for (Pending& pending : in_flight_->writes)
                pending.may_be_late = true;
            return user_.retry_later();
        case AppendOutcome::duplicate:
        case AppendOutcome::conflict:
            metrics::conflicts.add();
            in_flight_->outcome = Outcome::unsettled;
            if (note_duplicates(result)) return requeue();
            user_.reader().catch_up([this](const Status& read) { settle(read); });
            return;
    }
}

void LogWriter::settle(const Status& read) {
    if (in_flight_ ? in_flight_->outcome != Outcome::unsettled : queue_.empty()) return;
    if (!read)
        user_.retry_later();
    else if (in_flight_)
        requeue();
    else
        user_.mark_dirty();
}

// They lost no race: nothing is held against the others, which have to be decided without them.
// True where that can be at once: nothing of the batch got in, and what they repeat is read
// already. Only once, since a log that has taken another's place may answer like this for ever.
bool LogWriter::note_duplicates(const AppendResult& result) {
    const std::vector<Duplicate>& duplicates = result.duplicates;
    CHECK((result.outcome == AppendOutcome::duplicate) == !duplicates.empty());
    in_flight_->has_duplicates = !duplicates.empty();
    bool known = result.is_untouched && user_.ready();
    for (const Duplicate& duplicate : duplicates) {
        CHECK(duplicate.event < in_flight_->writes.size());
        Pending& pending = in_flight_->writes[duplicate.event];
        pending.applied_at = duplicate.offset;
        known = known && duplicate.offset <= user_.head().offset && pending.tries == 0;
    }
    return known;
}

// The outcome is settled: of what got in it is known where, the rest is decided again.
void LogWriter::requeue() {
    CHECK(in_flight_ && in_flight_->outcome == Outcome::unsettled);
    InFlightBatch flight = std::move(*in_flight_);
    in_flight_.reset();
    // Nobody else tells of what got in of it.
    if (flight.inserted != 0)
        user_.heart().announce(user_.user_id(), std::make_shared<const EventBatch>(
                                                    batch_up_to(*flight.batch, flight.inserted)));
    std::vector<Pending> again;
    for (Pending& pending : flight.writes) {
        if (!pending.done) continue;
        if (!flight.has_duplicates || pending.applied_at) pending.tries += 1;
        if (pending.tries >= limits::commit_tries_max)
            reply(pending, Rejection{fail(Errc::unavailable,
                                          "it lost too many races for its place; send it again"),
                                     nullptr});
        else
            again.push_back(std::move(pending));
    }
    for (auto& [pending, answer] : flight.dependents)
        again.push_back(std::move(pending));
    for (; !again.empty(); again.pop_back())
        queue_.push_front(std::move(again.back()));
    user_.mark_dirty();
}

void LogWriter::committed() {
    CHECK(in_flight_ && in_flight_->outcome == Outcome::awaited);
    user_.retried();
    InFlightBatch& flight = *in_flight_;
    flight.outcome = Outcome::durable;
    metrics::events_committed.add(static_cast<std::int64_t>(flight.batch->size()));
    user_.heart().announce(user_.user_id(), flight.batch);
    const bool held = user_.ready();  // else what is being read may be older than the commit
    if (held && user_.follows(*flight.batch)) {
        std::vector<std::string_view> sources;
        sources.reserve(flight.writes.size());
        for (const Pending& pending : flight.writes) {
            if (pending.own) pending.own->add(flight.batch->first + sources.size());
            sources.push_back(pending.command->instance_id);
        }
        user_.adopt(flight.batch, flight.changes.all(), sources, flight.writes);
        user_.reader().was_latest(flight.sent_ms);
        finish();
    } else if (held && user_.head().offset >= flight.batch->last()) {
        finish();  // read or announced before the store's own answer came
    } else {
        user_.reader().catch_up([this](const Status&) { finish(); });
    }
}

void LogWriter::refused(const Error& error) {
    CHECK(in_flight_ && in_flight_->outcome == Outcome::awaited);
    InFlightBatch flight = std::move(*in_flight_);
    in_flight_.reset();
    for (Pending& pending : flight.writes)
        reply(pending, Rejection{error, nullptr});
    for (auto& [pending, answer] : flight.dependents)
        queue_.push_front(std::move(pending));
    user_.mark_dirty();
}

void LogWriter::finish() {
    CHECK(in_flight_ && in_flight_->outcome == Outcome::durable);
    InFlightBatch flight = std::move(*in_flight_);
    in_flight_.reset();
    for (std::size_t i = 0; i < flight.writes.size(); ++i) {
        Pending& pending = flight.writes[i];
        if (!pending.done) continue;
        const LogHead at = head_at(*flight.batch, flight.batch->first + i);
        reply(pending, reply_of(flight.changes[i], *pending.command, at));
    }
    for (auto& [pending, answer] : flight.dependents)
        if (pending.done) repeats_.answer_unless_applied(std::move(pending), std::move(answer));
    user_.mark_dirty();
}

// An id that is used for something else makes nobody the writer.
void LogWriter::adopted(const EventEntry& entry, Offset offset) {
    CHECK(offset > user_.head().offset);
    if (!in_flight_) return;
    const EventBatch& batch = *in_flight_->batch;
    if (offset >= batch.first && offset <= batch.last() && batch.entry(offset).hash == entry.hash)
        in_flight_->inserted = offset;
    for (Pending& pending : in_flight_->writes) {
        if (pending.key != entry.operation_key) continue;
        pending.applied_at = offset;
        if (pending.own && pending.fingerprint == entry.fingerprint) pending.own->add(offset);
    }
}

const Pending* LogWriter::find(std::uint64_t operation_key) const {
    const auto is_it = [operation_key](const Pending& one) { return one.key == operation_key; };
    if (in_flight_) {
        const auto at = std::find_if(in_flight_->writes.begin(), in_flight_->writes.end(), is_it);
        if (at != in_flight_->writes.end()) return &*at;
    }
    const auto at = std::find_if(queue_.begin(), queue_.end(), is_it);
    return at != queue_.end() ? &*at : nullptr;
}

void LogWriter::loaded() {
    if (!in_flight_) user_.retried();
}

void LogWriter::cannot_load(const Error& error) {
    for (Pending& pending : std::exchange(queue_, {})) {
        if (pending.may_be_late)
            give_up(pending, true);
        else
            reply(pending, Rejection{error, nullptr});
    }
}

void LogWriter::give_up(Pending& pending, bool written) {
    const bool unknown = written || pending.may_be_late;
    reply(pending, Rejection{unknown ? fail(Errc::outcome_unknown,
                                            "the store gave no answer in time; send it again "
                                            "with the same id")
                                     : fail(Errc::storage_unavailable,
                                            "the store did not answer in time; send it again"),
                             nullptr});
}

void LogWriter::give_up_old(std::int64_t now_ms) {
    const auto old = [&](const Pending& pending) {
        return now_ms - pending.since_ms >= user_.heart().config.command_ms;
    };
    while (!queue_.empty() && old(queue_.front())) {
        Pending pending = std::move(queue_.front());
        queue_.pop_front();
        give_up(pending, false);
    }
    if (!in_flight_) return;
    in_flight_->since_ms = INT64_MAX;
    const auto look_at = [&](Pending& pending, bool written) {
        if (pending.done && old(pending)) give_up(pending, written);
        if (pending.done) in_flight_->since_ms = std::min(in_flight_->since_ms, pending.since_ms);
    };
    for (Pending& pending : in_flight_->writes)
        look_at(pending, true);
    for (auto& [pending, answer_later] : in_flight_->dependents)
        look_at(pending, false);
    std::erase_if(in_flight_->dependents, [](const auto& other) { return !other.first.done; });
}

std::int64_t LogWriter::give_up_ms() const {
    std::int64_t since_ms = in_flight_ ? in_flight_->since_ms : INT64_MAX;
    if (!queue_.empty()) since_ms = std::min(since_ms, queue_.front().since_ms);
    return since_ms == INT64_MAX ? since_ms : since_ms + user_.heart().config.command_ms;
}

}  // namespace dyad::core
