#include "core/engine.hpp"

#include "base/check.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "core/user_log.hpp"

#include <algorithm>

namespace dyad::core {
namespace {

constexpr int kFlushRoundsMax = 16;
constexpr std::int64_t kReleaseMs = 10'000;
constexpr std::int64_t kAskTimeMs = 1'000;
constexpr std::string_view kScope = "distributed_memory";
constexpr std::size_t kSweepUsersMax = 64;

}  // namespace

Engine::Engine(Config config, Ports ports)
    : heart_(std::move(config), ports,
             [this](const std::string& id) -> Neighbours::Local {
                 const UserLog* const log = find(id);
                 if (log == nullptr) return {};
                 return {log->delivery().size(), log->delivery().presence()};
             }),
      alive_(std::make_shared<bool>(true)) {
    const Config& set = heart_.config;
    CHECK(set.context_ttl_ms >= 0 && set.event_ttl_ms >= 0);
    CHECK(set.poll_ms > 0 && set.poll_down_ms > 0 && set.retry_ms > 0 && set.command_ms > 0);
    CHECK(set.sweep_ms > 0 && set.retention_ms > 0);
    CHECK(set.instances_max > 0 && set.private_instances_max > 0);
    // Who writes beside the log writes where other nodes write, too.
    CHECK(heart_.ports.documents == nullptr || heart_.shared());
    heart_.ports.bus.set_receiver([this](const BusMessage& message) {
        std::visit([this](const auto& one) { hear(one); }, message);
    });
    const std::int64_t now = heart_.steady_ms();
    last_poll_ms_ = now;
    next_sweep_ms_ = now;
    next_expiry_ms_ = now + heart_.config.retention_ms / 10;
    next_release_ms_ = now + kReleaseMs;
}

Engine::~Engine() {
    heart_.time.save();
    heart_.ports.bus.set_receiver(nullptr);
}

UserLog& Engine::user(const std::string& user_id) {
    CHECK(!user_id.empty());
    auto& slot = users_[user_id];
    if (!slot) {
        slot = std::make_unique<UserLog>(heart_, user_id);
        metrics::users_active.add(1);
    }
    return *slot;
}

UserLog& Engine::followed(const std::string& user_id) {
    UserLog& log = user(user_id);
    if (heart_.shared()) heart_.neighbours.follow(user_id, heart_.steady_ms());
    return log;
}

UserLog* Engine::find(const std::string& user_id) const {
    const auto at = users_.find(user_id);
    return at == users_.end() ? nullptr : at->second.get();
}

void Engine::submit(const std::string& user_id, Command&& command, ReplyFn done) {
    submit(followed(user_id), std::move(command), std::move(done), nullptr);
}

void Engine::submit(SessionId session, Command&& command, ReplyFn done) {
    CHECK(session != nullptr && session->user != nullptr);
    if (session->dialect == Dialect::plain && !session->own) session->own = new OwnWrites();
    submit(*session->user, std::move(command), std::move(done), session->own);
}

void Engine::submit(UserLog& user, Command&& command, ReplyFn done, OwnWritesPtr own) {
    Pending pending;
    pending.own = std::move(own);
    pending.command = std::make_unique<Command>(std::move(command));
    pending.done = std::move(done);
    user.writer().submit(std::move(pending));
}

template <class Run>
void Engine::read(const std::string& user_id, const Freshness& fresh, Run run) {
    UserLog& log = followed(user_id);
    log.reader().when_fresh(fresh, [&log, fresh, run = std::move(run)](const Status& status) {
        const bool away = !status && (status.error().code == Errc::storage_unavailable ||
                                      status.error().code == Errc::outcome_unknown);
        if (away && fresh.kind == Freshness::Kind::best && log.ready())
            return run(log, Status(Done{}));
        if (status && fresh.kind == Freshness::Kind::at_least &&
            (log.head().epoch != fresh.position.epoch || log.head().offset < fresh.position.offset))
            run(log, Status(fail(Errc::invalid_field, "fresh: this log does not have position " +
                                                          fresh.position.to_string())));
        else
            run(log, status);
    });
}

void Engine::snapshot(const std::string& user_id, SnapshotFn done, const Freshness& fresh) {
    CHECK(done);
    read(user_id, fresh, [done = std::move(done)](UserLog& log, const Status& status) {
        if (status)
            done(log.snapshot());
        else
            done(status.error());
    });
}

void Engine::context(const std::string& user_id, const std::string& key, ContextFn done,
                     const Freshness& fresh) {
    CHECK(!key.empty() && done);
    read(user_id, fresh, [key, done = std::move(done)](UserLog& log, const Status& status) {
        if (status)
            done(log.state().find(key), log.head().position());
        else
            done(status.error(), Position{});
    });
}

std::int64_t Engine::age_ms(const std::string& user_id) const {
    const UserLog* const log = find(user_id);
    return log == nullptr ? 0 : log->reader().age_ms();
}

SessionId Engine::attach(SessionRequest request, Peer& peer, std::function<void(Position)> ready) {
    UserLog& log = followed(request.user_id);
    session_count_ += 1;
    metrics::sessions.add(1);
    return log.delivery().add(std::move(request), peer, std::move(ready));
}

void Engine::detach(SessionId session) {
    CHECK(session != nullptr && session_count_ > 0);
    session_count_ -= 1;
    metrics::sessions.add(-1);
    session->user->delivery().remove(session);
}

void Engine::writable(SessionId session) {
    CHECK(session != nullptr);
    session->user->delivery().writable(session);
}

std::optional<Position> Engine::caught_up(SessionId session) const {
    CHECK(session != nullptr);
    const LogHead& head = session->user->head();
    const bool feeding = session->ready && !session->blocked && !session->reading;
    if (!feeding || session->paused || session->next != head.offset + 1) return std::nullopt;
    return head.position();
}

void Engine::seen(SessionId session) {
    CHECK(session != nullptr);
    session->last_seen_ms = heart_.ports.clock.wall_ms();
}

void Engine::keep_private(const std::string& user_id, const std::string& instance_id) {
    // Nobody can be called otherwise.
    if (!instance_id.empty() &&
        instance_id.size() <= static_cast<std::size_t>(limits::instance_id_bytes_max))
        user(user_id).privacy().keep_private(instance_id);
}

void Engine::flush() {
    // Answers may bring new commands; those of later rounds wait for the next turn.
    for (int round = 0; round < kFlushRoundsMax && !heart_.dirty.empty(); ++round) {
        flushing_.swap(heart_.dirty);
        for (UserLog* log : flushing_)
            log->write();
        heart_.ports.log.flush();  // the store is at work while the others hear what is new
        for (UserLog* log : flushing_)
            log->deliver();
        flushing_.clear();
    }
    look_at_documents();
    if (heart_.shared()) heart_.neighbours.flush(heart_.steady_ms());
}

void Engine::tick() {
    const std::int64_t now = heart_.steady_ms();
    heart_.time.read();
    tick_due_users();
    answer_presence(now);
    if (heart_.shared() && now >= next_poll_ms() && !polling_) poll();
    if (now >= next_sweep_ms_) {
        const bool known = time().known();  // what is over waits for it
        next_sweep_ms_ = now + std::min(heart_.config.sweep_ms, known ? INT64_MAX : kAskTimeMs);
        if (known)
            sweep_expired();
        else
            heart_.time.load();
    }
    if (now >= next_expiry_ms_ && time().known()) {
        next_expiry_ms_ = now + heart_.config.retention_ms;
        if (heart_.config.event_ttl_ms > 0) expire_events();
    }
    if (now >= next_release_ms_) {
        next_release_ms_ = now + kReleaseMs;
        release_when_crowded();
    }
    heart_.time.tick(now);
}

std::int64_t Engine::next_ms() const noexcept {
    std::int64_t next =
        std::min({next_sweep_ms_, next_expiry_ms_, heart_.time.next_ms(), heart_.looks.first_ms()});
    if (heart_.shared()) next = std::min(next, heart_.neighbours.next_ms());
    if (heart_.shared() && !polling_) next = std::min(next, next_poll_ms());
    if (!presence_questions_.empty()) next = std::min(next, presence_questions_.front().due_ms);
    if (users_.size() > static_cast<std::size_t>(limits::users_active_max))
        next = std::min(next, next_release_ms_);
    if (const std::int64_t end_ms = heart_.expiries.first_ms(); end_ms != Deadlines::kNever)
        next = std::min(
            next, heart_.steady_ms() + std::max<std::int64_t>(0, end_ms - time().destroy_ms()));
    return next;
}

void Engine::tick_due_users() {
    for (const Deadlines::Slot* slot : heart_.expiries.take_due(time().destroy_ms())) {
        slot->user->expire();
        slot->user->arm();
    }
    const std::int64_t now = heart_.steady_ms();
    for (const Deadlines::Slot* slot : heart_.looks.take_due(now)) {
        UserLog& log = *slot->user;
        log.tick(now);
        if (now - log.used_ms() < limits::user_idle_ms) continue;
        if (log.releasable()) {
            let_go(log);
        } else {
            log.touch();  // it is in use
            log.arm();
        }
    }
}

std::int64_t Engine::next_poll_ms() const {
    return last_poll_ms_ +
           (heart_.neighbours.hears() ? heart_.config.poll_ms : heart_.config.poll_down_ms);
}

// Lost announcements, even the last one, are found here; and logs that a restored backup replaced,
// whatever their length.
void Engine::poll() {
    last_poll_ms_ = heart_.steady_ms();
    std::vector<std::string> ids;
    for (const auto& [id, log] : users_)
        if (log->ready()) {
            ids.push_back(log->user_id());
            heart_.look_at_documents(*log);
        }
    if (ids.empty()) return;
    polling_ = true;
    auto asked = std::make_shared<const std::vector<std::string>>(ids);
    const std::int64_t asked_ms = last_poll_ms_;
    heart_.ports.log.heads(std::move(ids),
                           [this, asked, asked_ms, alive = std::weak_ptr<bool>(alive_)](
                               const Result<std::vector<Position>>& heads) {
                               if (alive.expired()) return;
                               polling_ = false;
                               if (!heads) return;
                               for (std::size_t i = 0; i < asked->size(); ++i) {
                                   UserLog* const log = find((*asked)[i]);
                                   if (log == nullptr) continue;
                                   if (log->is_at((*heads)[i]))
                                       log->reader().was_latest(asked_ms);
                                   else
                                       log->reader().catch_up([](const Status&) {});
                               }
                           });
}

// One look at a time, for all who wait for one.
void Engine::look_at_documents() {
    if (looking_ || heart_.to_look_at.empty()) return;
    const std::set<std::string> wanted = std::exchange(heart_.to_look_at, {});
    looking_ = true;
    heart_.ports.documents->look({wanted.begin(), wanted.end()},
                                 [this, alive = std::weak_ptr<bool>(alive_)](
                                     const Result<std::vector<DocumentsLook>>& looks) {
                                     if (alive.expired()) return;
                                     looking_ = false;
                                     if (!looks) return;  // the next poll looks again
                                     for (const DocumentsLook& look : *looks)
                                         if (UserLog* const log = find(look.user_id))
                                             log->projector().take(look);
                                 });
}

// Contexts expire for users whom nobody is connected for, too: holding the user in memory lets its
// own tick do it.
void Engine::sweep_expired() {
    heart_.ports.archive.users_with_expired(
        time().destroy_ms(), kSweepUsersMax,
        [this, alive = std::weak_ptr<bool>(alive_)](const Result<std::vector<std::string>>& ids) {
            if (alive.expired() || !ids) return;
            for (const std::string& id : *ids)
                user(id).reader().when_latest([](const Status&) {});
        });
}

void Engine::expire_events() {
    const std::int64_t before_ms = time().cutoff_ms(heart_.config.event_ttl_ms);
    for (const auto& [id, log] : users_)
        log->feed().drop_before(before_ms);
    heart_.ports.archive.expire_events(before_ms, [](const Result<std::size_t>& dropped) {
        if (!dropped)
            log::warn(kScope, "not every old event is gone: " + dropped.error().to_string());
        else if (*dropped > 0)
            log::info(kScope, std::to_string(*dropped) + " events expired");
    });
}

void Engine::let_go(UserLog& log) {
    const auto at = users_.find(log.user_id());
    CHECK(at != users_.end() && log.releasable());
    heart_.neighbours.unfollow(log.user_id());
    users_.erase(at);
    metrics::users_active.add(-1);
}

// Those first whose time comes first: they were not used for longest.
void Engine::release_when_crowded() {
    if (users_.size() <= static_cast<std::size_t>(limits::users_active_max)) return;
    for (const Deadlines::Slot* slot : heart_.looks.all()) {
        if (slot->user->releasable()) let_go(*slot->user);
        if (users_.size() <= static_cast<std::size_t>(limits::users_active_max)) return;
    }
}

}  // namespace dyad::core
