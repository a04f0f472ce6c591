// A cell: one thread's event loop with its own connections, heart, store and bus. Cells know each
// other only through the bus, exactly as nodes do.
//
// A turn: what arrived is handled (commands go into the heart), then at its end the heart commits
// what waits, then delivers what was committed, and every connection's output leaves in one send.
//
// Threads: everything on the cell's thread, but begin_drain(), adopt() and the counters.
#pragma once

#include "bus/local/local_bus.hpp"
#include "core/engine.hpp"
#include "net/loop.hpp"
#include "server/client.hpp"
#include "server/parts.hpp"
#include "store/checked/checked_store.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace dyad::server {

class Cell final : public Node {
  public:
    // Errors: the store's and the bus's.
    static Result<std::unique_ptr<Cell>> make(Shared& shared, const Parts& parts,
                                              std::size_t cells);
    ~Cell() override;

    net::Loop& loop() noexcept { return loop_; }
    LiveService& live() noexcept { return *live_; }
    const auth::OriginPolicy& origins() const noexcept { return shared_.origins; }
    void run() { loop_.run(); }

    // A new connection, on the cell's thread; adopt() hands one over from another's.
    void accept(net::Fd fd);
    void adopt(net::Fd fd);
    // Finishes what was accepted, closes every connection, then ends run(). Any thread.
    void begin_drain();

    // For its clients.
    void handle_http(const ExchangePtr& exchange) { http_(exchange); }
    std::unique_ptr<Protocol> open_live(Client& client, Opening opening) {
        return live_->open(client, std::move(opening));
    }
    // Only connections_reserve places are left.
    bool is_crowded() const noexcept;
    void discard(Client& client);
    void continue_later(Client& client) { waiting_.push_back(&client); }

    // Node
    const Settings& settings() const override { return shared_.settings; }
    const std::string& instance_id() const override { return shared_.instance_id; }
    std::int64_t started_at_ms() const override { return shared_.started_at_ms; }
    core::Engine& engine() override { return *engine_; }
    Store& store() override { return *checked_; }
    const Bus& bus() const override { return *bus_; }
    Clock& clock() override { return shared_.clock; }
    Random& random() override { return random_; }
    std::size_t live_client_count() const override {
        return live_->client_count() + engine_->clients_elsewhere();
    }
    bool draining() const override { return shared_.draining.load(std::memory_order_relaxed); }
    void after(std::int64_t delay_ms, std::function<void()> call) override {
        loop_.after(delay_ms, std::move(call));
    }
    void post(std::function<void()> work) override { loop_.post(std::move(work)); }
    std::uint16_t port() const override { return shared_.port; }

  private:
    explicit Cell(Shared& shared);

    void tick();
    void arm_tick();
    bool checks_in_slices() const noexcept;
    void check_some(std::int64_t now_ms);
    void end_of_turn();
    void start_drain();
    void drain_step();
    void bury();
    std::unique_ptr<Bus> make_local_bus();

    Shared& shared_;
    SystemRandom random_;
    net::Loop loop_;
    std::unique_ptr<Store> store_;
    std::unique_ptr<CheckedStore> checked_;        // before store_, for all who ask
    std::unique_ptr<CheckedDocuments> documents_;  // the same, where it has some
    std::unique_ptr<Bus> bus_;
    std::unique_ptr<core::Engine> engine_;
    std::unique_ptr<LiveService> live_;
    HttpHandler http_;
    std::vector<std::unique_ptr<Client>> clients_;
    std::vector<std::unique_ptr<Client>> graveyard_;  // over; destroyed when nobody calls back
    std::vector<Client*> waiting_;  // free again, with bytes that arrived meanwhile
    const std::size_t sweep_ticks_;
    std::size_t check_at_ = 0;
    std::int64_t last_tick_ms_ = 0;
    std::int64_t next_tick_ms_ = INT64_MAX;  // of tick_timer_
    net::Loop::TimerId tick_timer_ = 0;
    std::int64_t drain_close_ms_ = 0;    // how long closing may take
    std::int64_t drain_started_ms_ = 0;  // steady; 0: not draining
    bool closed_all_ = false;
};

}  // namespace dyad::server
