#include "core/engine.hpp"

#include "base/check.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "core/user_log.hpp"

#include <array>
#include <bit>

namespace dyad::core {
namespace {

constexpr int kFlushRoundsMax = 16;
constexpr std::int64_t kReleaseMs = 10'000;
constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::string_view kScope = "distributed_memory";
constexpr std::int64_t kFirstMarkMs = 2'000;
constexpr std::int64_t kMarkMs = 3'600'000;
constexpr std::size_t kSweepUsersMax = 64;

NodeId draw_node(Random& random) {
    std::array<std::uint8_t, sizeof(NodeId)> bytes;
    random.fill(bytes);
    return std::bit_cast<NodeId>(bytes);
}

Neighbours::Local here(const UserLog* log) {
    if (log == nullptr) return {};
    return {log->delivery().size(), log->delivery().presence()};
}

}  // namespace

Engine::Engine(Config config, Ports ports)
    : config_(config),
      ports_(ports),
      feed_budget_(config.feeds_bytes_max),
      time_(config.proof, clocks()),
      neighbours_(
          config_.neighbours, ports_.bus, draw_node(ports_.random),
          [this](const std::string& id) { return here(find(id)); },
          [this](const std::string& id) {
              if (presence_changed_) presence_changed_(id);
          }),
      alive_(std::make_shared<bool>(true)) {
    ports_.bus.set_receiver([this](const BusMessage& message) {
        std::visit([this](const auto& one) { hear(one); }, message);
    });
    const std::int64_t now = ports_.clock.steady_ms();
    last_poll_ms_ = now;
    next_sweep_ms_ = now;
    next_expiry_ms_ = now + config_.retention_ms / 10;
    next_release_ms_ = now + kReleaseMs;
    next_mark_ms_ = now + kMarkMs;
    load_clock();
}

Engine::~Engine() {
    save_clock();
    ports_.bus.set_receiver(nullptr);
}

UserLog& Engine::user(const std::string& user_id) {
    auto& slot = users_[user_id];
    if (!slot) {
        slot = std::make_unique<UserLog>(*this, user_id, ++next_serial_);
        slot->arm();
        metrics::users_active.add(1);
    }
    return *slot;
}

UserLog& Engine::followed(const std::string& user_id) {
    UserLog& log = user(user_id);
    if (ports_.store.shared()) neighbours_.follow(user_id, ports_.clock.steady_ms());
    return log;
}

UserLog* Engine::find(const std::string& user_id) {
    const auto at = users_.find(user_id);
    return at == users_.end() ? nullptr : at->second.get();
}

void Engine::submit(const std::string& user_id, Command&& command, ReplyFn done) {
    submit(followed(user_id), std::move(command), std::move(done), nullptr);
}

void Engine::submit(SessionId session, Command&& command, ReplyFn done) {
    if (session->dialect == Dialect::plain && !session->own) session->own = new OwnWrites();
    submit(*session->user, std::move(command), std::move(done), session->own);
}

void Engine::submit(UserLog& user, Command&& command, ReplyFn done, OwnWritesPtr own) {
    Pending pending;
    pending.own = std::move(own);
    pending.command = std::make_unique<Command>(std::move(command));
    pending.done = std::move(done);
    user.submit(std::move(pending));
}

void Engine::snapshot(const std::string& user_id, SnapshotFn done) {
    UserLog& log = followed(user_id);
    log.when_fresh([&log, done = std::move(done)](const Status& fresh) {
        if (fresh)
            done(log.snapshot());
        else
            done(fresh.error());
    });
}

void Engine::context(const std::string& user_id, const std::string& key, ContextFn done) {
    UserLog& log = followed(user_id);
    log.when_fresh([&log, key, done = std::move(done)](const Status& fresh) {
        if (fresh)
            done(log.state().find(key), log.head().position());
        else
            done(fresh.error(), Position{});
    });
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
    const LogHead& head = session->user->head();
    const bool feeding = session->ready && !session->blocked && !session->reading;
    if (!feeding || session->paused || session->next != head.offset + 1) return std::nullopt;
    return head.position();
}

void Engine::seen(SessionId session) {
    session->last_seen_ms = ports_.clock.wall_ms();
}

void Engine::keep_private(const std::string& user_id, const std::string& instance_id) {
    // Nobody can be called otherwise.
    if (!instance_id.empty() &&
        instance_id.size() <= static_cast<std::size_t>(limits::instance_id_bytes_max))
        user(user_id).keep_private(instance_id);
}

void Engine::mark_dirty(UserLog& log) {
    if (log.dirty_) return;
    log.dirty_ = true;
    dirty_.push_back(&log);
}

void Engine::flush() {
    // Answers may bring new commands; those of later rounds wait for the next turn.
    for (int round = 0; round < kFlushRoundsMax && !dirty_.empty(); ++round) {
        flushing_.swap(dirty_);
        for (UserLog* log : flushing_) {
            log->dirty_ = false;
            log->pump();
            log->delivery().flush();
            log->arm();
        }
        flushing_.clear();
    }
    if (ports_.store.shared()) neighbours_.flush(ports_.clock.steady_ms());
}

bool Engine::idle() const noexcept {
    return waiting_ == 0;
}

void Engine::tick() {
    const std::int64_t now = ports_.clock.steady_ms();
    read_clocks();
    tick_due_users();
    answer_presence(now);
    if (ports_.store.shared() && now >= next_poll_ms() && !polling_)
        poll();
    if (now >= next_sweep_ms_) {
        next_sweep_ms_ = now + config_.sweep_ms;
        if (time_.known())
            sweep_expired();
        else
            load_clock();
    }
    if (now >= next_expiry_ms_ && time_.known()) {
        next_expiry_ms_ = now + config_.retention_ms;
        if (config_.event_ttl_ms > 0) expire_events();
    }
    if (now >= next_release_ms_) {
        next_release_ms_ = now + kReleaseMs;
        release_when_crowded();
    }
    if (now >= next_mark_ms_) save_clock();
}

std::int64_t Engine::next_ms() const noexcept {
    std::int64_t next =
        std::min({next_sweep_ms_, next_expiry_ms_, next_mark_ms_, looks_.first_ms()});
    if (ports_.store.shared()) next = std::min(next, neighbours_.next_ms());
    if (ports_.store.shared() && !polling_) next = std::min(next, next_poll_ms());
    if (!presence_questions_.empty()) next = std::min(next, presence_questions_.front().due_ms);
    if (users_.size() > static_cast<std::size_t>(limits::users_active_max))
        next = std::min(next, next_release_ms_);
    if (expiries_.first_ms() != Deadlines::kNever)
        next = std::min(next,
                        ports_.clock.steady_ms() +
                            std::max<std::int64_t>(0, expiries_.first_ms() - time_.destroy_ms()));
    return next;
}

ProvenTime::Reading Engine::clocks() const {
    return {.wall_ms = ports_.clock.wall_ms() + ports_.store.clock_offset_ms(),
            .steady_ms = ports_.clock.steady_ms(),
            .synchronised = synchronised_};
}

void Engine::read_clocks() {
    if (time_.held_by_ms() != 0) synchronised_ = ports_.clock.synchronised();
    const bool held = time_.held_by_ms() != 0;
    if (!time_.read(clocks())) return;
    if (const std::int64_t off_ms = time_.held_by_ms(); off_ms != 0)
        log::warn(kScope, "the clock is " + std::to_string(std::abs(off_ms) / 1000) + " s " +
                              (off_ms > 0 ? "ahead of" : "behind") +
                              " what is proved; nothing expires by it until it has stood for " +
                              std::to_string(time_.hold_left_ms() / 1000) + " s");
    else if (held)
        log::info(kScope, "the clock is believed again");
    save_clock();
}

void Engine::load_clock() {
    ports_.store.load_clock([this,
                             alive = std::weak_ptr<bool>(alive_)](const Result<ClockMark>& mark) {
        if (alive.expired() || time_.known()) return;
        if (!mark) {
            log::warn(kScope, "nothing expires: " + mark.error().to_string());
            return;
        }
        time_.read(clocks());
        time_.restore(*mark);
        if (time_.held_by_ms() > kHourMs)
            log::info(kScope, "the last known time was " +
                                  std::to_string(time_.held_by_ms() / kHourMs) +
                                  " h ago; nothing expires by the time since until the clock has "
                                  "stood for " +
                                  std::to_string(time_.hold_left_ms() / 1000) + " s");
        next_mark_ms_ = ports_.clock.steady_ms() + kFirstMarkMs;  // others want to be served first
    });
}

void Engine::save_clock() {
    if (!time_.known()) return;
    next_mark_ms_ = ports_.clock.steady_ms() + kMarkMs;
    ports_.store.save_clock(time_.mark());
}

void Engine::tick_due_users() {
    for (const Deadlines::Slot* slot : expiries_.take_due(time_.destroy_ms())) {
        slot->user->expire();
        slot->user->arm();
    }
    const std::int64_t now = ports_.clock.steady_ms();
    for (const Deadlines::Slot* slot : looks_.take_due(now)) {
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
    return last_poll_ms_ + (neighbours_.hears() ? config_.poll_ms : config_.poll_down_ms);
}

// Lost announcements, even the last one, are found here; and logs that a restored backup replaced,
// whatever their length.
void Engine::poll() {
    last_poll_ms_ = ports_.clock.steady_ms();
    std::vector<std::string> ids;
    for (const auto& [id, log] : users_)
        if (log->ready()) ids.push_back(log->user_id());
    if (ids.empty()) return;
    polling_ = true;
    auto asked = std::make_shared<const std::vector<std::string>>(ids);
    ports_.store.heads(std::move(ids), [this, asked, alive = std::weak_ptr<bool>(alive_)](
                                           const Result<std::vector<Position>>& heads) {
        if (alive.expired()) return;
        polling_ = false;
        if (!heads) return;
        for (std::size_t i = 0; i < asked->size(); ++i) {
            const auto at = users_.find((*asked)[i]);
            if (at != users_.end() && !at->second->is_at((*heads)[i]))
                at->second->catch_up([](const Status&) {});
        }
    });
}

// Contexts expire for users whom nobody is connected for, too: holding the user in memory lets its
// own tick do it.
void Engine::sweep_expired() {
    ports_.store.users_with_expired(
        time_.destroy_ms(), kSweepUsersMax,
        [this, alive = std::weak_ptr<bool>(alive_)](const Result<std::vector<std::string>>& ids) {
            if (alive.expired() || !ids) return;
            for (const std::string& id : *ids)
                user(id).when_fresh([](const Status&) {});
        });
}

void Engine::expire_events() {
    const std::int64_t before_ms = time_.cutoff_ms(config_.event_ttl_ms);
    for (const auto& [id, log] : users_)
        log->feed().drop_before(before_ms);
    ports_.store.expire_events(before_ms, [](const Result<std::size_t>& dropped) {
        if (!dropped)
            log::warn(kScope, "not every old event is gone: " + dropped.error().to_string());
        else if (*dropped > 0)
            log::info(kScope, std::to_string(*dropped) + " events expired");
    });
}

void Engine::let_go(UserLog& log) {
    const auto at = users_.find(log.user_id());
    neighbours_.unfollow(log.user_id());
    looks_.remove(log.look_);
    expiries_.remove(log.expiry_);
    users_.erase(at);
    metrics::users_active.add(-1);
}

// Those first whose time comes first: they were not used for longest.
void Engine::release_when_crowded() {
    if (users_.size() <= static_cast<std::size_t>(limits::users_active_max)) return;
    for (const Deadlines::Slot* slot : looks_.all()) {
        if (slot->user->releasable()) let_go(*slot->user);
        if (users_.size() <= static_cast<std::size_t>(limits::users_active_max)) return;
    }
}

}  // namespace dyad::core
