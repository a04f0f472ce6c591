#include "sim/world.hpp"

#include <algorithm>

namespace dyad::sim {
namespace {

constexpr std::int64_t kMs = 1'000;
constexpr std::int64_t kStepsMax = 3'000'000;    // a run that goes on for ever
constexpr std::int64_t kHealed_ms_max = 40'000;  // from healing to the last answer
constexpr std::int64_t kMessages_ms_max = 700;   // an answer or an announcement is on its way

}  // namespace

World::World(std::uint64_t seed, const Scenario& scenario, bool keep_trace)
    : scenario_(scenario),
      trace_(queue_, keep_trace),
      random_(seed),
      network_(queue_, trace_, random_.draw(), scenario.nodes) {
    database_.flaws = scenario_.flaws;
    database_.documents.flaws = scenario_.document_flaws;
    database_.epoch_seed = seed;
    network_.faults = scenario_.bus;
    network_.flaws = scenario_.bus_flaws;
    history_.lifetimes = {
        .judged = scenario_.wrong_moments + scenario_.wrong_starts > 0 || scenario_.slow_clock,
        .punctual = !scenario_.slow_clock && scenario_.wrong_starts == 0,
        .event_ttl_ms = scenario_.config.event_ttl_ms,
        .context_ttl_ms = scenario_.config.context_ttl_ms,
        .early_ms = 2 * scenario_.config.proof.tolerance_ms + 100,
        .late_ms = 4'000};
    history_.clocks_are_right = scenario_.has_right_clocks();
    observe();
    for (int id = 0; id < scenario_.nodes; ++id) {
        nodes_.push_back(std::make_unique<Node>(queue_, id));
        Node& node = *nodes_.back();
        const std::int64_t skew = scenario_.clock_skew_ms;
        node.clock.wall_offset_ms = random_.between(-skew, skew);
        node.clock.steady_offset_ms = random_.between(0, 1'000'000);
        if (scenario_.slow_clock) node.clock.wall_offset_ms = -60LL * 24 * 3600 * 1'000;
        start(node);
    }
    for (int user = 0; user < scenario_.users; ++user) {
        std::string instance;
        for (int i = 0; i < scenario_.clients_per_user; ++i) {
            const std::string user_id = "u" + std::to_string(user);
            if (i == 0 || !random_.chance(scenario_.shared_instances))
                instance = user_id + "-i" + std::to_string(i);
            const bool plain = random_.chance(scenario_.plain_clients);
            clients_.push_back(std::make_unique<Client>(
                *this, user_id, instance, plain ? core::Dialect::plain : core::Dialect::negotiated,
                random_.draw(), (instance == user_id + "-i" + std::to_string(i) ? 0 : i) * 1'000));
        }
    }
}

World::~World() {
    for (const auto& node : nodes_)
        node->stop();
}

void World::observe() {
    database_.observer.journaled = [this](const std::string& user_id, const UserRecord&,
                                          const StoredEvent& event) {
        history_.logs[user_id].push_back({slice_batch(event.batch, event.offset, event.offset),
                                          event.change, queue_.now_us(), kNever});
        trace_.note("journaled", event.offset, event.entry().operation_key,
                    [&] { return user_id + " " + std::string(event.text().substr(0, 400)); });
    };
    database_.observer.expired = [this](const std::string& user_id, const StoredEvent& event) {
        for (LogEntry& entry : history_.logs[user_id])
            if (entry.event->first == event.offset && entry.lost_us == kNever)
                entry.expired_us = queue_.now_us();
    };
    history_.has_documents = scenario_.foreign_writes > 0;
    database_.documents.overwritten = [this](const std::string& user_id,
                                             const SimDocuments::Document& document) {
        if (document.verifies) return;
        for (ForeignWrite& write : history_.foreign)
            if (write.user_id == user_id && write.context == document.context) {
                write.gone_us = queue_.now_us();
                write.overwritten = true;
            }
    };
    database_.observer.lost = [this](const std::string& user_id, const StoredEvent& event) {
        for (LogEntry& entry : history_.logs[user_id])
            if (entry.event->first == event.offset && entry.lost_us == kNever)
                entry.lost_us = queue_.now_us();
    };
}

void World::start(Node& node) {
    node.process.run += 1;
    node.random = std::make_unique<SeededRandom>(random_.draw());
    node.store = std::make_unique<SimStore>(queue_, database_, random_.draw(), availability_,
                                            scenario_.nodes > 1);
    StoreFaults faults = scenario_.store;
    if (healed_) {
        faults.delay_max_us = std::min<std::int64_t>(faults.delay_max_us, 2'000);
        faults.delay_min_us = std::min(faults.delay_min_us, faults.delay_max_us);
    }
    node.store->set_faults(faults);
    node.store->set_cut(node.cut_from_database);
    measure_clock(node);
    node.bus = std::make_unique<SimBus>(network_, node.process.node);
    node.store->on_append([this, process = node.process](const AppendRequest& request) {
        const Announcement early{request.user_id, request.batch};
        if (scenario_.flaws.announces_to_others) network_.send(process.node, early);
        if (scenario_.flaws.announces_to_self)
            queue_.after(1, [this, process, early] {
                if (runs(process)) this->node(process.node).bus->bring(early);
            });
    });
    node.bus->cut = node.cut_from_bus;
    node.engine = std::make_unique<core::Engine>(
        scenario_.config,
        core::Ports{node.clock, *node.random, *node.store, *node.store, *node.bus, node.renderer,
                    scenario_.foreign_writes > 0 ? node.store.get() : nullptr});
    trace_.note("start", static_cast<std::uint64_t>(node.process.node), 0,
                [&] { return "node " + std::to_string(node.process.node); });
    tick(node.process.node, node.process.run);
}

void World::tick(int id, int run) {
    database_.now_ms = nodes_.front()->clock.wall_ms() - nodes_.front()->clock.wall_offset_ms;
    queue_.after(random_.between(10, 60) * kMs, [this, id, run] {
        Node& it = node(id);
        if (!it.alive() || it.process.run != run) return;
        measure_clock(it);
        it.engine->tick();
        it.engine->flush();
        tick(id, run);
    });
}

void World::crash(Node& node, std::int64_t down_us) {
    if (!node.alive()) return;
    trace_.note("crash", static_cast<std::uint64_t>(node.process.node), 0,
                [&] { return "node " + std::to_string(node.process.node); });
    const ProcessId process = node.process;
    if (process.run % 2 == 0) node.store->set_cut(true);  // killed: it leaves no last mark
    node.stop();
    if (scenario_.nodes == 1) {  // the store is embedded, and goes with its process
        availability_->crashes += 1;
        database_.crash();
    }
    std::erase_if(connections_, [&](const std::shared_ptr<Connection>& connection) {
        if (connection->process() != process) return false;
        connection->detached(queue_.now_us());
        return true;
    });
    for (const auto& client : clients_)
        if (client->connection() && client->connection()->process() == process)
            client->lost_connection(random_.between(1, 200) * kMs);
    queue_.after(down_us, [this, &node] {
        if (!node.alive()) start(node);
    });
}

void World::crash_database() {
    if (!availability_->up) return;
    trace_.note("database crash", 0, 0, [] { return std::string(); });
    availability_->up = false;
    availability_->crashes += 1;
    database_.crash();
    history_.outages.push_back({queue_.now_us(), kNever});
    queue_.after(random_.between(10, 800) * kMs, [this] {
        trace_.note("database up", 0, 0, [] { return std::string(); });
        if (availability_->up) return;
        availability_->up = true;
        history_.outages.back().to_us = queue_.now_us();
    });
}

std::shared_ptr<Connection> World::attach(Client& client, int id,
                                          const core::SessionRequest& request,
                                          std::size_t capacity) {
    Node& it = node(id);
    history_.streams.push_back(std::make_unique<Stream>());
    Stream& stream = *history_.streams.back();
    stream.request = request;
    stream.process = it.process;
    stream.attached_us = queue_.now_us();
    trace_.note("attach", static_cast<std::uint64_t>(id),
                request.resume ? request.resume->offset : 0, [&] {
                    return request.instance_id + " at node " + std::to_string(id) +
                           (request.resume     ? ", resumes " + request.resume->to_string()
                            : request.snapshot ? ", with a snapshot"
                                               : "");
                });
    auto connection = std::make_shared<Connection>(*this, client, it.process, stream, capacity);
    core::SessionRequest asked = request;
    if (scenario_.edge_flaws.confuses_users) asked.user_id = "u0";
    connection->session = it.engine->attach(
        std::move(asked), *connection, [raw = connection.get()](Position at) { raw->ready(at); });
    connections_.insert(connection);
    return connection;
}

void World::detach(const std::shared_ptr<Connection>& connection) {
    if (connections_.erase(connection) == 0) return;
    const core::SessionId session = connection->session;
    connection->detached(queue_.now_us());
    if (session != nullptr && runs(connection->process()))
        node(connection->process().node).engine->detach(session);
}

void World::breach(std::string what) {
    trace_.note("breach", 0, 0, [&] { return what; });
    history_.breaches.push_back(std::move(what));
}

std::size_t World::expect(ProcessId process, std::string what) {
    calls_.push_back({process, std::move(what)});
    return calls_.size() - 1;
}

bool World::settle(std::size_t call) {
    return !std::exchange(calls_[call].settled, true);
}

void World::at_random_time(int count, const std::function<void()>& incident) {
    for (int i = 0; i < count; ++i)
        queue_.after(random_.between(0, scenario_.active_us), [this, incident] {
            if (!healed_) incident();
        });
}

void World::plan_incidents() {
    const auto some_node = [this]() -> Node& { return node(random_node(random_)); };
    at_random_time(scenario_.node_crashes,
                   [this, some_node] { crash(some_node(), random_.between(5, 600) * kMs); });
    at_random_time(scenario_.database_crashes, [this] { crash_database(); });
    at_random_time(scenario_.database_cuts, [this, some_node] { cut_database(some_node()); });
    at_random_time(scenario_.bus_cuts, [this, some_node] { cut_bus(some_node()); });
    at_random_time(scenario_.lost_subscriptions, [this, some_node] {
        Node& it = some_node();
        trace_.note("subscriptions lost", static_cast<std::uint64_t>(it.process.node), 0,
                    [&] { return "node " + std::to_string(it.process.node); });
        if (it.bus) it.bus->lose_subscriptions();
    });
    at_random_time(scenario_.clock_jumps, [this, some_node] {
        some_node().clock.wall_offset_ms += random_.chance(500)
                                                ? random_.between(-3'000, 3'000)
                                                : random_.between(-600'000, 600'000);
    });
    at_random_time(scenario_.sleeps, [this] {
        const std::int64_t slept_ms = random_.between(1'000, 700'000);
        for (const auto& it : nodes_) {
            it->clock.steady_offset_ms += slept_ms;
            if (random_.chance(500)) it->clock.wall_offset_ms += slept_ms;
        }
        trace_.note("sleep", 0, static_cast<std::uint64_t>(slept_ms),
                    [&] { return std::to_string(slept_ms) + " ms"; });
    });
    at_random_time(scenario_.wrong_moments,
                   [this, some_node] { set_wrong(some_node(), random_.between(20, 300)); });
    at_random_time(scenario_.wrong_starts, [this, some_node] { start_wrong(some_node()); });
    if (scenario_.slow_clock)
        queue_.after(random_.between(300, 1'200) * kMs,
                     [this] { nodes_.front()->clock.wall_offset_ms = 0; });
    at_random_time(scenario_.disconnects, [this] {
        Client& client = *clients_[static_cast<std::size_t>(
            random_.between(0, static_cast<std::int64_t>(clients_.size()) - 1))];
        client.disconnect(random_.chance(scenario_.half_open) ? random_.between(1, 1'000) * kMs
                                                              : 1);
    });
    at_random_time(scenario_.expiries, [this] { expire_events(); });
    at_random_time(scenario_.foreign_writes, [this] { write_beside_the_log(); });
    if (scenario_.restores > 0) plan_restore();
}

void World::cut_database(Node& it) {
    trace_.note("database cut", static_cast<std::uint64_t>(it.process.node), 0,
                [&] { return "node " + std::to_string(it.process.node); });
    it.cut_from_database = true;
    if (it.store) it.store->set_cut(true);
    queue_.after(random_.between(10, 1'500) * kMs, [&it] {
        it.cut_from_database = false;
        if (it.store) it.store->set_cut(false);
    });
}

// The database's clock is right, and is what the nodes that share it go by.
void World::measure_clock(Node& it) {
    if (scenario_.nodes > 1 && !it.cut_from_database && availability_->up)
        it.store->set_clock_offset(-it.clock.wall_offset_ms);
}

void World::set_wrong(Node& it, std::int64_t for_ms) {
    constexpr std::int64_t kDay_ms = 24LL * 3600 * 1'000;
    const std::int64_t by_ms = random_.between(1, 40) * (random_.chance(700) ? 1 : -1) *
                               (random_.chance(500) ? kDay_ms : kDay_ms / 144);
    trace_.note("wrong clock", static_cast<std::uint64_t>(it.process.node), 0, [&] {
        return "node " + std::to_string(it.process.node) + ", " + std::to_string(by_ms) + " ms";
    });
    it.clock.wall_offset_ms += by_ms;
    queue_.after(for_ms * kMs, [&it, by_ms] { it.clock.wall_offset_ms -= by_ms; });
}

void World::start_wrong(Node& it) {
    if (!it.alive()) return;
    const std::int64_t down_ms = random_.between(5, 100);
    crash(it, down_ms * kMs);
    set_wrong(it, down_ms + random_.between(20, 300));
}

void World::cut_bus(Node& it) {
    trace_.note("bus cut", static_cast<std::uint64_t>(it.process.node), 0,
                [&] { return "node " + std::to_string(it.process.node); });
    it.cut_from_bus = true;
    if (it.bus) {
        it.bus->cut = true;
        it.bus->admits_cut = random_.chance(700);
    }
    queue_.after(random_.between(10, 2'000) * kMs, [&it] {
        it.cut_from_bus = false;
        if (it.bus) it.bus->cut = false;
    });
}

void World::expire_events() {
    for (auto& [user_id, record] : database_.users())
        if (random_.chance(700)) database_.project(record, record.events.size());
    const std::size_t expired = database_.expire(
        kNever, [&](const std::string&, const StoredEvent&) { return random_.chance(100); });
    trace_.note("expire", expired, 0, [&] { return std::to_string(expired) + " events"; });
}

void World::plan_restore() {
    // Early and of late: so that the log grows again to where clients had been before.
    const std::int64_t restored_us =
        random_.between(scenario_.active_us / 4, scenario_.active_us * 2 / 3);
    const std::int64_t oldest_us = scenario_.regrow_exactly ? restored_us * 4 / 5 : restored_us / 2;
    const std::int64_t taken_us = random_.between(oldest_us, restored_us);
    auto backup = std::make_shared<SimDatabase::Backup>();
    queue_.after(taken_us, [this, backup] { *backup = database_.backup(); });
    queue_.after(restored_us, [this, backup] {
        if (healed_) return;
        if (scenario_.restore_live)
            restore_live(backup);
        else
            restore(*backup);
    });
}

// The nodes run on, and hear nothing of it: the database is out of reach until every answer and
// every message of the old log has arrived, and is another one then.
void World::restore_live(const std::shared_ptr<SimDatabase::Backup>& backup) {
    if (!availability_->up) {
        queue_.after(50 * kMs, [this, backup] {
            if (!healed_) restore_live(backup);
        });
        return;
    }
    if (scenario_.regrow_exactly)
        for (const auto& [user_id, record] : database_.users())
            longest_[user_id] = record.events.size();
    trace_.note("live restore begins", 0, 0, [] { return std::string(); });
    availability_->up = false;
    availability_->crashes += 1;
    availability_->replacements += 1;
    database_.crash();
    history_.outages.push_back({queue_.now_us(), kNever});
    queue_.after(kMessages_ms_max * kMs, [this, backup] {
        if (healed_) return;
        put_in_place(*backup);
        availability_->up = true;
        history_.outages.back().to_us = queue_.now_us();
    });
}

// As the manual has it: the nodes are stopped first.
void World::restore(const SimDatabase::Backup& backup) {
    for (const auto& it : nodes_)
        crash(*it, random_.between(20, 200) * kMs);
    // A new epoch is what keeps announcements of the old log away from the new one.
    if (scenario_.restore_new_epoch)
        network_.repeat_newest();
    else
        network_.forget();
    put_in_place(backup);
}

void World::put_in_place(const SimDatabase::Backup& backup) {
    trace_.note("restore", 0, 0, [] { return std::string(); });
    history_.restores.push_back(queue_.now_us());
    std::function<Epoch()> new_epoch;
    if (scenario_.restore_new_epoch) new_epoch = [this] { return random_.draw() | 1; };
    database_.restore(backup, new_epoch);
    if (!new_epoch) return;
    for (int user = 0; user < scenario_.users; ++user) {
        const std::string user_id = "u" + std::to_string(user);
        history_.epochs[user_id].emplace_back(queue_.now_us(), database_.head(user_id).epoch);
    }
}

void World::heal() {
    trace_.note("heal", 0, 0, [] { return std::string(); });
    healed_ = true;
    availability_->healed = true;
    if (!availability_->up) {
        availability_->up = true;
        history_.outages.back().to_us = queue_.now_us();
    }
    network_.healed = true;
    network_.faults.delay_max_us = std::min<std::int64_t>(network_.faults.delay_max_us, 2'000);
    for (const auto& it : nodes_) {
        it->cut_from_database = it->cut_from_bus = false;
        if (it->alive()) {
            it->store->set_cut(false);
            it->bus->cut = false;
        } else {
            start(*it);
        }
    }
    for (const auto& client : clients_)
        client->heal();
}

bool World::quiet() const {
    return std::none_of(clients_.begin(), clients_.end(),
                        [](const auto& client) { return client->busy(); });
}

void World::step() {
    queue_.step();
    for (const auto& it : nodes_)
        if (it->alive() && (healed_ || !random_.chance(scenario_.lazy_flush))) it->engine->flush();
}

void World::run() {
    for (const auto& client : clients_)
        client->begin();
    plan_incidents();
    queue_.after(scenario_.active_us, [this] { heal(); });
    const auto run_until = [this](std::int64_t time_us, auto&& stop) {
        while (queue_.now_us() < time_us && !stop()) {
            if (static_cast<std::int64_t>(queue_.steps()) > kStepsMax)
                return breach("the run does not come to an end");
            step();
        }
    };
    const auto never = [] { return false; };
    run_until(scenario_.active_us + kHealed_ms_max * kMs, [this] { return healed_ && quiet(); });
    if (history_.has_documents) wake_users();
    const std::int64_t late_us = scenario_.store.time_out_us + scenario_.store.late_max_us;
    run_until(std::max(queue_.now_us(), scenario_.active_us + late_us) + settle_ms() * kMs, never);
    call_the_roll();
    read_finally();
    run_until(queue_.now_us() + 300 * kMs, never);
    read_documents();
    close_books();
}

// What was late, is polled for, or ends with a lease.
std::int64_t World::settle_ms() const {
    const core::NeighbourConfig& neighbours = scenario_.config.neighbours;
    const std::int64_t poll_ms = scenario_.calm ? 0 : 3 * scenario_.config.poll_ms;
    const std::int64_t lease_ms = 3 * neighbours.presence_ms;
    const std::int64_t beat_ms =
        scenario_.beats ? std::max(neighbours.beat_ms, neighbours.presence_ms) : 0;
    return 500 + std::max({std::int64_t{500}, poll_ms, 6 * beat_ms, lease_ms + beat_ms});
}

void World::read_finally() {
    history_.quiet_us = queue_.now_us() - 200 * kMs;  // less what is on its way
    // Before anything is read: a read would find what they were not sent.
    for (const auto& client : clients_)
        history_.replicas.push_back(client->replica());
    for (const auto& it : nodes_) {
        for (int user = 0; user < scenario_.users; ++user) {
            const std::string user_id = "u" + std::to_string(user);
            Read read;
            read.user_id = user_id;
            read.process = it->process;
            read.started_us = queue_.now_us();
            read.final = true;
            const std::size_t call = expect(it->process, "the last read of " + user_id);
            it->engine->snapshot(
                user_id, [this, call, read](Result<std::shared_ptr<const core::Snapshot>> result) {
                    settle(call);
                    if (!result) return breach("a read failed after everything had healed");
                    Read done = read;
                    done.done_us = queue_.now_us();
                    done.snapshot = *result;
                    done.position = (*result)->position;
                    history_.reads.push_back(std::move(done));
                });
        }
    }
}

void World::close_books() {
    for (const Call& call : calls_)
        if (!call.settled && runs(call.process))
            breach(call.what + " was never answered by node " + std::to_string(call.process.node));
}

}  // namespace dyad::sim
