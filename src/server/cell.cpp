#include "server/cell.hpp"

#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"

#include <algorithm>
#include <utility>

namespace dyad::server {
namespace {

constexpr std::int64_t kTickMs = 100;
constexpr std::int64_t kDrainStepMs = 20;
constexpr std::int64_t kDrainCloseMs = 1000;
constexpr std::int64_t kDrainCloseLongMs = 4000;
constexpr std::int64_t kHourMs = 3600LL * 1000;
constexpr std::int64_t kDayMs = 24 * kHourMs;

// In ticks: every connection is looked at once a second, more often where signs of life are
// expected more often than every few seconds.
std::size_t sweep_ticks_of(const Settings& settings) {
    const std::int64_t shortest = std::min(settings.ping_interval_ms, settings.stale_timeout_ms);
    return static_cast<std::size_t>(std::clamp<std::int64_t>(shortest / 4 / kTickMs, 1, 10));
}

core::Config heart_config(const Shared& shared, std::size_t cells) {
    const Settings& settings = shared.settings;
    core::Config config;
    config.neighbours.server = shared.instance_id;
    config.context_ttl_ms = settings.context_ttl_days * kDayMs;
    config.event_ttl_ms = settings.event_ttl_days * kDayMs;
    config.proof.hold_max_ms = settings.clock_hold_hours * kHourMs;
    config.others_listen = settings.enable_redis;
    // Without Redis nobody tells of what other nodes wrote.
    if (settings.enable_mongodb && !settings.enable_redis) config.poll_ms = config.poll_down_ms;
    config.push_events = settings.enable_real_time_events;
    config.feeds_bytes_max = limits::feeds_bytes_max / cells;
    config.commands_bytes_max = limits::commands_queued_bytes_max / cells;
    return config;
}

}  // namespace

Shared::Shared(Settings from, std::uint16_t bound_port)
    : settings(std::move(from)),
      port(bound_port),
      origins(settings.host, bound_port, settings.allowed_origins, settings.allowed_hosts) {
    SystemRandom random;
    instance_id = random.uuid4();
    started_at_ms = clock.wall_ms();
}

Cell::Cell(Shared& shared) : shared_(shared), sweep_ticks_(sweep_ticks_of(shared.settings)) {}

Cell::~Cell() {
    // Whoever waits for an answer is told that its client has gone while the heart is still there;
    // then the heart goes, and calls nobody back any more; then the clients.
    for (auto& client : clients_)
        client->protocol().on_closed();
    if (live_) live_->before_flush();
    engine_.reset();
    graveyard_.clear();
    clients_.clear();
}

Result<std::unique_ptr<Cell>> Cell::make(Shared& shared, const Parts& parts, std::size_t cells) {
    std::unique_ptr<Cell> cell(new Cell(shared));
    Cell* const self = cell.get();
    ASSIGN_OR_RETURN(cell->store_, parts.store(shared.settings, [self](std::function<void()> work) {
        self->loop_.post(std::move(work));
    }));
    if (parts.bus) {
        ASSIGN_OR_RETURN(cell->bus_, parts.bus(cell->loop_, cell->random_, shared.instance_id));
    } else {
        cell->bus_ = cell->make_local_bus();
    }
    cell->checked_ = std::make_unique<CheckedStore>(*cell->store_);
    if (auto* const documents = dynamic_cast<Documents*>(cell->store_.get()))
        cell->documents_ = std::make_unique<CheckedDocuments>(*documents);
    cell->engine_ = std::make_unique<core::Engine>(
        heart_config(shared, cells),
        core::Ports{shared.clock, self->random_, *self->checked_, *self->checked_, *self->bus_,
                    *parts.renderer, self->documents_.get()});
    cell->live_ = parts.live(*self);
    cell->http_ = parts.http(*self);
    cell->loop_.set_end_of_turn([self] { self->end_of_turn(); });
    cell->arm_tick();
    return cell;
}

std::unique_ptr<Bus> Cell::make_local_bus() {
    return std::make_unique<bus::LocalBus>(shared_.hub, [this] {
        loop_.post([this] { static_cast<bus::LocalBus&>(*bus_).receive_all(); });
    });
}

bool Cell::is_crowded() const noexcept {
    return shared_.connections.load(std::memory_order_relaxed) >
           static_cast<std::size_t>(limits::connections_max - limits::connections_reserve);
}

void Cell::accept(net::Fd fd) {
    if (shared_.connections.load(std::memory_order_relaxed) >=
            static_cast<std::size_t>(limits::connections_max) ||
        closed_all_)
        return;
    shared_.connections.fetch_add(1, std::memory_order_relaxed);
    metrics::connections.add(1);
    clients_.push_back(std::make_unique<Client>(*this, std::move(fd)));
    clients_.back()->index_ = static_cast<std::uint32_t>(clients_.size() - 1);
}

void Cell::adopt(net::Fd fd) {
    auto held = std::make_shared<net::Fd>(std::move(fd));
    loop_.post([this, held] { accept(std::move(*held)); });
}

void Cell::discard(Client& client) {
    const std::uint32_t index = client.index_;
    CHECK(index < clients_.size() && clients_[index].get() == &client);
    graveyard_.push_back(std::move(clients_[index]));
    if (index + 1 != clients_.size()) {
        clients_[index] = std::move(clients_.back());
        clients_[index]->index_ = index;
    }
    clients_.pop_back();
    std::erase(waiting_, &client);
    shared_.connections.fetch_sub(1, std::memory_order_relaxed);
    metrics::connections.add(-1);
}

void Cell::tick() {
    next_tick_ms_ = INT64_MAX;
    last_tick_ms_ = loop_.now_ms();
    engine_->tick();
    live_->tick(last_tick_ms_);
    check_some(last_tick_ms_);
}

// The process sleeps where nothing is due.
void Cell::arm_tick() {
    std::int64_t due = std::min(engine_->next_ms(), live_->next_ms());
    if (!clients_.empty()) {
        const auto ticks = static_cast<std::int64_t>(checks_in_slices() ? 1 : sweep_ticks_);
        due = std::min(due, last_tick_ms_ + ticks * kTickMs);
    }
    due = std::max(due, last_tick_ms_ + kTickMs);
    if (due >= next_tick_ms_) return;
    if (next_tick_ms_ != INT64_MAX) loop_.cancel(tick_timer_);
    next_tick_ms_ = due;
    tick_timer_ = loop_.after(due - loop_.now_ms(), [this] { tick(); });
}

// Many connections are looked at in slices, so that a turn stays short whatever their number.
bool Cell::checks_in_slices() const noexcept {
    constexpr std::size_t kAtOnce = 256;
    return clients_.size() > kAtOnce;
}

void Cell::check_some(std::int64_t now_ms) {
    const std::size_t slice =
        checks_in_slices() ? clients_.size() / sweep_ticks_ + 1 : clients_.size();
    for (std::size_t i = 0; i < slice && !clients_.empty(); ++i) {
        if (check_at_ >= clients_.size()) {
            check_at_ = 0;
            if (i > 0) return;
        }
        Client& client = *clients_[check_at_];
        if (client.check(now_ms)) {
            ++check_at_;
            continue;
        }
        client.protocol().on_closed();
        discard(client);
    }
}

void Cell::end_of_turn() {
    for (Client* client : std::exchange(waiting_, {}))
        client->continue_reading();
    live_->before_flush();
    engine_->flush();
    live_->after_flush();
    if (!graveyard_.empty()) bury();
    arm_tick();
}

void Cell::bury() {
    std::erase_if(graveyard_, [](const std::unique_ptr<Client>& client) {
        return !client->protocol().in_use();
    });
}

void Cell::begin_drain() {
    loop_.post([this] { start_drain(); });
}

void Cell::start_drain() {
    if (drain_started_ms_ != 0) return;
    drain_started_ms_ = loop_.now_ms();
    for (std::size_t i = clients_.size(); i-- > 0;)
        clients_[i]->protocol().drain();
    drain_step();
}

// First what was accepted is finished, then everybody is told to come back, then the rest is cut.
void Cell::drain_step() {
    const std::int64_t waited = loop_.now_ms() - drain_started_ms_;
    if (!closed_all_ && (engine_->idle() || waited >= limits::drain_ms)) {
        closed_all_ = true;
        for (std::size_t i = clients_.size(); i-- > 0;)
            clients_[i]->protocol().shut(Errc::draining);
        // All of it within ten seconds: what the commands did not need is left for the closing.
        drain_close_ms_ = waited < limits::drain_ms / 2 ? kDrainCloseLongMs : kDrainCloseMs;
        drain_started_ms_ = loop_.now_ms();
    } else if (closed_all_ && (clients_.empty() || waited >= drain_close_ms_)) {
        loop_.stop();
        return;
    }
    loop_.after(kDrainStepMs, [this] { drain_step(); });
}

}  // namespace dyad::server
