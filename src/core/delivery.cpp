#include "core/delivery.hpp"

#include "base/check.hpp"
#include "base/limits.hpp"
#include "base/metrics.hpp"
#include "core/mutation.hpp"
#include "core/user_log.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

namespace dyad::core {
namespace {

constexpr auto kRunBytesMax = static_cast<std::size_t>(limits::output_held_bytes_max);

std::array<std::uint8_t, 8> short_hash(const Hash& hash) {
    std::array<std::uint8_t, 8> first;
    std::memcpy(first.data(), hash.data(), first.size());
    return first;
}

// The last event of the batch that still fits into `bytes` with all from `from` on; at least
// `from`.
Offset last_that_fits(const EventBatch& batch, Offset from, std::size_t bytes) {
    if (batch.text_range(from, batch.last()).size() <= bytes) return batch.last();
    Offset last = from;
    while (last < batch.last() && batch.text_range(from, last + 1).size() <= bytes)
        ++last;
    return last;
}

}  // namespace

SessionId Delivery::add(SessionRequest request, Peer& peer, ReadyFn ready) {
    CHECK(request.user_id == user_.user_id());
    auto session = std::make_unique<Session>();
    const SessionId id = session.get();
    session->peer = &peer;
    session->user = &user_;
    session->serial = user_.heart().next_serial();
    session->index = static_cast<std::uint32_t>(sessions_.size());
    session->dialect = request.dialect;
    if (request.dialect == Dialect::plain) plain_ += 1;
    session->instance_id = std::move(request.instance_id);
    session->listed = request.listed;
    session->connected_at_ms = session->last_seen_ms = user_.heart().ports.clock.wall_ms();
    starts_.push_back({session->serial, request.resume, request.snapshot, std::move(ready)});
    sessions_.push_back(std::move(session));
    user_.touch();
    user_.heart().sessions_changed(user_.user_id());
    user_.mark_dirty();
    return id;
}

void Delivery::remove(SessionId session) {
    const std::uint32_t index = session->index;
    CHECK(index < sessions_.size() && sessions_[index].get() == session);
    if (session->dialect == Dialect::plain) plain_ -= 1;
    std::swap(sessions_[index], sessions_.back());
    sessions_[index]->index = index;
    sessions_.pop_back();
    user_.touch();
    user_.heart().presence_changed(user_.user_id());
}

Session* Delivery::find(std::uint64_t serial) const {
    // Sessions that have just come, who are asked for most, stand at the end.
    for (auto at = sessions_.rbegin(); at != sessions_.rend(); ++at)
        if ((*at)->serial == serial) return at->get();
    return nullptr;
}

void Delivery::writable(SessionId session) {
    CHECK(session->user == &user_);
    session->blocked = false;
    behind_ = true;
    user_.mark_dirty();
}

std::vector<Presence> Delivery::presence() const {
    std::map<std::string_view, Presence> by_instance;
    for (const auto& session : sessions_) {
        if (session->instance_id.empty() || !session->ready || session->paused || !session->listed)
            continue;
        const Presence one{session->instance_id, 1, session->connected_at_ms,
                           session->last_seen_ms};
        const auto [at, fresh] = by_instance.try_emplace(session->instance_id, one);
        if (!fresh) at->second.add(one);
    }
    std::vector<Presence> list;
    for (auto& [id, presence] : by_instance)
        list.push_back(std::move(presence));
    return list;
}

void Delivery::flush() {
    for (Start& waiting : std::exchange(starts_, {})) {
        auto shared = std::make_shared<Start>(std::move(waiting));
        // The latest, though who resumes may know less: a backup in the log's place is to be
        // noticed.
        user_.reader().when_latest([this, shared](const Status& fresh) { start(*shared, fresh); });
    }
    const Offset end = user_.head().offset;
    if (!user_.ready() || (end == fed_to_ && !behind_)) return;
    fed_to_ = end;
    behind_ = false;
    // feed() may not add or remove sessions: peers never re-enter the heart.
    Run run(user_.heart().run);
    for (const auto& session : sessions_)
        feed(*session, run);
    metrics::deliveries.add(std::exchange(delivered_, 0));
}

void Delivery::start(const Start& start, const Status& fresh) {
    Session* session = find(start.serial);
    if (session == nullptr) return;
    if (!fresh) {
        session->peer->close(Errc::storage_unavailable);
        return;
    }
    session->paused = user_.privacy().is_private(session->instance_id);
    if (start.resume)
        check_resume(*session, *start.resume, start.ready);
    else if (start.snapshot)
        begin_with_reset(*session, start.ready);
    else
        begin(*session, user_.head().position(), start.ready);
}

void Delivery::begin_to_take_part(Session& session) {
    session.ready = true;
    if (session.listed) user_.heart().presence_changed(user_.user_id());
}

void Delivery::begin(Session& session, Position after, const ReadyFn& ready) {
    CHECK(!session.ready && after.offset <= user_.head().offset);
    session.next = after.offset + 1;
    session.hash = after.hash;
    begin_to_take_part(session);
    if (session.next != user_.head().offset + 1) behind_ = true;
    if (ready) ready(after);
    user_.mark_dirty();
}

void Delivery::begin_with_reset(Session& session, const ReadyFn& ready) {
    session.next = 0;
    begin_to_take_part(session);
    behind_ = true;
    if (ready) ready(user_.head().position());
    user_.mark_dirty();
}

// The position must be one of this log: same epoch, and the same hash at its offset.
void Delivery::check_resume(Session& session, Position resume, const ReadyFn& ready) {
    const LogHead& head = user_.head();
    if (resume.offset == 0) {
        if (user_.first_kept() == 1)
            begin(session, {.epoch = head.epoch, .offset = 0, .hash = {}}, ready);
        else
            begin_with_reset(session, ready);
        return;
    }
    const bool other_log = resume.epoch != head.epoch && !broken(Mutation::resume_without_epoch);
    if (other_log || resume.offset > head.offset || resume.offset + 1 < user_.first_kept()) {
        begin_with_reset(session, ready);
        return;
    }
    const auto decide = [this, resume](Session& s, const Hash& hash, const ReadyFn& call) {
        if (short_hash(hash) == resume.hash || broken(Mutation::resume_without_hash)) {
            metrics::resumes.add();
            begin(s, {.epoch = resume.epoch, .offset = resume.offset, .hash = short_hash(hash)},
                  call);
        } else {
            begin_with_reset(s, call);
        }
    };
    if (resume.offset == head.offset) {
        decide(session, head.hash, ready);
        return;
    }
    if (const Block* const block = user_.feed().find(resume.offset)) {
        decide(session, block->batch().entry(resume.offset).hash, ready);
        return;
    }
    const std::uint64_t serial = session.serial;
    // The event itself may have expired: the one after it names its hash.
    user_.heart().ports.log.read(
        user_.user_id(), resume.offset, 1,
        user_.calls().wrap([this, serial, resume, ready, decide,
                            loads = user_.loads()](const Result<LogSlice>& slice) {
            Session* const s = find(serial);
            if (s == nullptr) return;
            if (loads != user_.loads())  // what was read may be of the log before
                return check_resume(*s, resume, ready);
            if (!slice && slice.error().code != Errc::history_gone) {
                s->peer->close(Errc::storage_unavailable);
                return;
            }
            if (slice)
                for (const EventBatchPtr& batch : slice->batches) {
                    if (batch->empty() || resume.offset + 1 < batch->first ||
                        resume.offset > batch->last())
                        continue;
                    decide(*s,
                           resume.offset < batch->first ? batch->prev_hash
                                                        : batch->entry(resume.offset).hash,
                           ready);
                    return;
                }
            begin_with_reset(*s, ready);
        }));
}

bool Run::fits(const Session& session) const {
    return last != 0 && first == session.next && dialect == session.dialect && whole &&
           (!session.own || !session.own->has_any_of(first, last));
}

void Delivery::feed(Session& session, Run& run) {
    while (session.ready && !session.blocked && !session.reading && !session.paused) {
        if (session.next == 0) {
            reset(session);
            continue;
        }
        if (session.next > user_.head().offset || !user_.heart().config.push_events) return;
        if (!run.fits(session)) {
            Block* block = user_.feed().find(session.next);
            if (!block) {
                feed_from_log(session);
                return;
            }
            run.blocks.clear();
            for (std::size_t bytes = 0; block && bytes < kRunBytesMax;) {
                bytes += block->batch().texts.size();
                run.blocks.push_back(block);
                block = user_.feed().find(block->batch().last() + 1);
            }
            if (!make_run(session, run)) {
                close_damaged(session);
                return;
            }
        }
        hand_over(session, run);
    }
}

bool Delivery::make_run(const Session& session, Run& run) {
    run.first = session.next;
    run.last = 0;
    run.dialect = session.dialect;
    run.whole = true;
    run.pieces.clear();
    Offset next = session.next;
    std::size_t bytes = 0;
    for (Block* const block : run.blocks) {
        const EventBatch& batch = block->batch();
        if (bytes >= kRunBytesMax) break;
        const Offset last = last_that_fits(batch, next, kRunBytesMax - bytes);
        const std::size_t size = batch.text_range(next, last).size();
        if (bytes > 0 && bytes + size > kRunBytesMax) break;
        if (session.dialect == Dialect::negotiated) {
            run.pieces.push_back(batch.text_range(next, last));
        } else {
            if (!block->plain_pieces(user_.heart().ports.renderer, user_.user_id(), next, last,
                                     session.own.get(), run.pieces))
                return false;
            if (session.own && session.own->has_any_of(next, last)) run.whole = false;
        }
        bytes += size;
        next = last + 1;
        run.last = last;
        run.hash = short_hash(batch.entry(last).hash);
        if (last != batch.last()) break;
    }
    return true;
}

void Delivery::hand_over(Session& session, const Run& run) {
    CHECK(session.ready && !session.blocked && !session.paused);
    CHECK(run.first == session.next && run.last >= run.first);
    session.next = run.last + 1;
    session.hash = run.hash;
    if (session.own) session.own->drop_before(session.next);
    if (run.pieces.empty()) return;  // all of it was the plain client's own
    delivered_ += static_cast<std::int64_t>(run.last + 1 - run.first);
    if (!session.peer->deliver(run.first, run.last, run.pieces)) session.blocked = true;
}

void Delivery::close_damaged(Session& session) {
    session.blocked = true;
    session.peer->close(Errc::storage_unavailable);
}

void Delivery::feed_from_log(Session& session) {
    session.reading = true;
    const std::uint64_t serial = session.serial;
    user_.heart().ports.log.read(user_.user_id(), session.next - 1, kRunBytesMax,
                                 user_.calls().wrap([this, serial](const Result<LogSlice>& slice) {
                                     Session* const s = find(serial);
                                     if (s == nullptr) return;
                                     s->reading = false;
                                     if (s->next == 0) {
                                         feed_alone(*s);  // it was reset meanwhile
                                     } else if (slice) {
                                         feed_slice(*s, *slice);
                                     } else if (slice.error().code == Errc::history_gone) {
                                         s->next = 0;
                                         feed_alone(*s);
                                     } else {
                                         s->peer->close(Errc::storage_unavailable);
                                     }
                                 }));
}

// A hole, or a batch that does not chain to the position, can only be expiry or a restored log.
void Delivery::feed_slice(Session& session, const LogSlice& slice) {
    std::vector<Block> read;
    read.reserve(slice.batches.size());
    Offset next = session.next;
    std::array<std::uint8_t, 8> hash = session.hash;
    for (const EventBatchPtr& batch : slice.batches) {
        if (batch->empty() || batch->last() < next) continue;
        const bool known = next == 1 || batch->first > next ||
                           short_hash(batch->first == next ? batch->prev_hash
                                                           : batch->entry(next - 1).hash) == hash;
        if (batch->first > next || !known) {
            session.next = 0;
            break;
        }
        next = batch->last() + 1;
        hash = short_hash(batch->entries.back().hash);
        read.emplace_back(batch);
    }
    if (session.next != 0 && read.empty()) session.next = 0;
    if (session.next != 0 && session.ready && !session.blocked && !session.paused) {
        Run run(user_.heart().run);
        for (Block& block : read)
            run.blocks.push_back(&block);
        if (make_run(session, run))
            hand_over(session, run);
        else
            close_damaged(session);
    }
    feed_alone(session);
}

void Delivery::feed_alone(Session& session) {
    Run run(user_.heart().run);
    feed(session, run);
}

void Delivery::reset(Session& session) {
    metrics::resets.add();
    const std::shared_ptr<const Snapshot> snapshot = user_.snapshot();
    session.next = user_.head().offset + 1;
    session.hash = user_.head().position().hash;
    if (!session.peer->reset(snapshot)) session.blocked = true;
}

void Delivery::reset_all() {
    behind_ = true;
    for (const auto& session : sessions_) {
        session->next = 0;
        if (session->own) session->own->clear();
        set_paused(*session);
    }
}

bool Delivery::has_session(std::string_view instance_id) const {
    return std::any_of(sessions_.begin(), sessions_.end(), [instance_id](const auto& session) {
        return session->instance_id == instance_id;
    });
}

std::set<std::string> Delivery::instances() const {
    std::set<std::string> ids;
    for (const auto& session : sessions_)
        ids.insert(session->instance_id);
    return ids;
}

void Delivery::set_paused(Session& session) {
    const bool paused = user_.privacy().is_private(session.instance_id);
    if (session.paused == paused) return;
    session.paused = paused;
    behind_ = true;
    if (session.listed) user_.heart().presence_changed(user_.user_id());
    if (broken(Mutation::forget_paused_position) && !paused && session.ready)
        session.next = user_.head().offset + 2;
}

void Delivery::privacy_changed(const std::string& instance_id) {
    for (const auto& session : sessions_)
        if (session->instance_id == instance_id) set_paused(*session);
    user_.mark_dirty();
}

}  // namespace dyad::core
