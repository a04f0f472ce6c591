// The simulated bus: a broker between the nodes that keeps the law of bus/bus.hpp and no more.
// Messages are lost, late, doubled and in any order; subscriptions begin late, and are lost.
#pragma once

#include "bus/bus.hpp"
#include "sim/trace.hpp"
#include "sim_store/event_queue.hpp"
#include "sim_store/seeded_random.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace dyad::sim {

// In thousandths and microseconds.
struct BusFaults {
    std::int64_t lose = 0;
    std::int64_t lose_announcements = 0;  // those alone
    std::int64_t strangers = 0;  // announcements whose offset the broker does not understand
    std::int64_t repeat = 0;
    std::int64_t delay_max_us = 1'000;
    std::int64_t late = 0;  // much later than the rest
};

// What the bus does against its law, for variants that must be caught.
struct BusFlaws {
    bool follows_nobody = false;        // subscriptions never begin
    bool follows_silently = false;      // they begin late, and nobody is told
    bool echoes_without_probe = false;  // heartbeats come back also where nothing else arrives
    bool drops_hints = false;
    bool drops_heads = false;    // of heartbeats
    bool drops_reports = false;  // of presence
    bool stops_at_gaps = false;  // an announcement that follows none is dropped
};

class SimBus;

class BusNetwork {
  public:
    BusNetwork(EventQueue& queue, Trace& trace, std::uint64_t seed, int nodes)
        : queue_(queue), trace_(trace), random_(seed), buses_(static_cast<std::size_t>(nodes)) {}

    BusFaults faults;
    BusFlaws flaws;
    bool healed = false;

    void send(int from, BusMessage message);
    // Messages on the way are of another time now.
    void forget() { ++generation_; }
    // The newest announcements arrive once more, some time later.
    void repeat_newest();

  private:
    friend class SimBus;

    bool happens(std::int64_t permille) { return !healed && random_.chance(permille); }
    bool loses(const BusMessage& message);
    void send_one(std::size_t to, const std::shared_ptr<const BusMessage>& message,
                  std::int64_t extra_us = 0);

    EventQueue& queue_;
    Trace& trace_;
    SeededRandom random_;
    std::vector<SimBus*> buses_;
    std::deque<std::shared_ptr<const BusMessage>> newest_;
    std::uint64_t generation_ = 0;
    std::uint64_t subscriptions_ = 0;
};

class SimBus final : public Bus {
  public:
    SimBus(BusNetwork& network, int node);
    ~SimBus() override;

    bool cut = false;
    bool admits_cut = true;  // connected() says so

    void publish(BusMessage message) override;
    void follow(const std::string& user_id) override;
    void unfollow(const std::string& user_id) override;
    void renew() override;
    void set_receiver(std::function<void(const BusMessage&)> receive) override {
        receive_ = std::move(receive);
    }
    bool connected() const override { return !cut || !admits_cut; }

    // Something arrives here that was never published.
    void bring(const BusMessage& message) {
        if (receive_) receive_(message);
    }
    // The broker forgets this node, and does not say so.
    void lose_subscriptions();
    const std::set<std::string>& followed() const noexcept { return followed_; }

  private:
    friend class BusNetwork;

    void subscribe(const std::string& user_id);
    void arrive(const BusMessage& message);
    bool stops(const Announcement& announcement);

    BusNetwork& network_;
    const int node_;
    const std::uint64_t id_;     // of this process's bus
    std::uint64_t session_ = 0;  // with the broker
    bool subscribed_ = true;     // to heartbeats
    std::set<std::string> followed_;
    std::set<std::string> heard_;         // those whose subscription has begun
    std::map<std::string, Offset> last_;  // for stops_at_gaps
    std::function<void(const BusMessage&)> receive_;
};

}  // namespace dyad::sim
