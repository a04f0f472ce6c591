// One simulated run: a database, a bus, nodes, users and clients in one thread and in virtual time,
// with everything that goes wrong drawn from one seed. The same seed is the same run.
#pragma once

#include "sim/client.hpp"
#include "sim/history.hpp"
#include "sim/node.hpp"
#include "sim/scenario.hpp"
#include "sim/trace.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace dyad::sim {

class World {
  public:
    World(std::uint64_t seed, const Scenario& scenario, bool keep_trace);
    ~World();

    // Runs to quiescence; the history is complete then.
    void run();

    const History& history() const noexcept { return history_; }
    const Trace& trace() const noexcept { return trace_; }
    std::uint64_t steps() const noexcept { return queue_.steps(); }

    // For the clients of this world.
    EventQueue& queue() noexcept { return queue_; }
    Trace& tracing() noexcept { return trace_; }
    History& record() noexcept { return history_; }
    const Scenario& scenario() const noexcept { return scenario_; }
    bool healed() const noexcept { return healed_; }
    Node& node(int id) { return *nodes_[static_cast<std::size_t>(id)]; }
    int random_node(SeededRandom& random) const {
        return static_cast<int>(random.between(0, static_cast<std::int64_t>(nodes_.size()) - 1));
    }
    bool runs(ProcessId process) {
        return node(process.node).alive() && node(process.node).process == process;
    }
    void after(std::int64_t delay_us, EventQueue::Action action) {
        queue_.after(delay_us, std::move(action));
    }
    // The way between a client and a node.
    std::int64_t hop_us(SeededRandom& random) const { return random.between(50, 5'000); }
    std::shared_ptr<Connection> attach(Client& client, int node,
                                       const core::SessionRequest& request, std::size_t capacity);
    // The node learns that a connection is gone.
    void detach(const std::shared_ptr<Connection>& connection);
    void breach(std::string what);
    std::uint64_t new_value() noexcept { return ++values_; }
    // False where the user's log must not grow on (Scenario::regrow_exactly).
    bool may_write(const std::string& user_id);
    // The node that is asked in the place of `node`: never the first one where that idles.
    int asked(int node) const { return node == 0 && !longest_.empty() ? 1 : node; }

    // A call to a node that must be answered while its process lives.
    std::size_t expect(ProcessId process, std::string what);
    // False where it was answered before.
    bool settle(std::size_t call);

  private:
    struct Call {
        ProcessId process;
        std::string what;
        bool settled = false;
    };

    void observe();
    void start(Node& node);
    void crash(Node& node, std::int64_t down_us);
    void crash_database();
    void tick(int node, int run);
    void step();
    void plan_incidents();
    void at_random_time(int count, const std::function<void()>& incident);
    void cut_database(Node& node);
    void cut_bus(Node& node);
    void set_wrong(Node& node, std::int64_t for_ms);
    void start_wrong(Node& node);
    void measure_clock(Node& node);
    void expire_events();
    void plan_restore();
    void write_beside_the_log();
    void write_mode_beside_the_log(const std::string& user_id);
    void restore(const SimDatabase::Backup& backup);
    void restore_live(const std::shared_ptr<SimDatabase::Backup>& backup);
    void put_in_place(const SimDatabase::Backup& backup);
    void heal();
    bool quiet() const;
    std::int64_t settle_ms() const;
    void call_the_roll();
    void wake_users();
    void read_documents();
    void read_finally();
    void close_books();

    const Scenario scenario_;
    EventQueue queue_;
    Trace trace_;
    SeededRandom random_;
    SimDatabase database_;
    std::shared_ptr<Availability> availability_ = std::make_shared<Availability>();
    BusNetwork network_;
    History history_;
    std::vector<std::unique_ptr<Node>> nodes_;
    std::set<std::shared_ptr<Connection>> connections_;  // attached
    std::vector<std::unique_ptr<Client>> clients_;
    std::vector<Call> calls_;
    std::map<std::string, Offset> longest_;  // the logs' lengths that they may grow to
    std::uint64_t values_ = 0;
    bool healed_ = false;
};

}  // namespace dyad::sim
