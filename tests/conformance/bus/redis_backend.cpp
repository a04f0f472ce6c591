// The law on a real redis-server. Subscriptions are lost as on a bad network: the connection of the
// node that listens falls silent, and neither side is told.
#include "conformance/bus/bus_law.hpp"
#include "conformance/bus/redis_support.hpp"

namespace dyad::conformance {
namespace {

constexpr std::string_view kPumpUser = "pump";

// Hands on all but what pump() sends.
class PumpedBus final : public Bus {
  public:
    explicit PumpedBus(std::unique_ptr<bus::RedisBus> bus) : bus_(std::move(bus)) {
        set_receiver({});
    }
    void publish(BusMessage message) override { bus_->publish(std::move(message)); }
    void follow(const std::string& user_id) override { bus_->follow(user_id); }
    void unfollow(const std::string& user_id) override { bus_->unfollow(user_id); }
    void renew() override {
        deaf_ = false;
        bus_->renew();
    }
    bool connected() const override { return bus_->connected(); }
    void set_receiver(std::function<void(const BusMessage&)> receive) override {
        bus_->set_receiver([this, receive = std::move(receive)](const BusMessage& message) {
            const auto* foreign = std::get_if<Foreign>(&message);
            if (foreign != nullptr && foreign->user_id == kPumpUser)
                pumped_ = foreign->timestamp_ms;
            else if (receive)
                receive(message);
        });
    }

    std::unique_ptr<bus::RedisBus> bus_;
    std::int64_t pumped_ = 0;
    bool deaf_ = false;
};

class RedisBackend final : public BusBackend {
  public:
    RedisBackend() : forwarder_(loop_, redis_.port()), client_(redis_.port()) {
        for (std::size_t i = 0; i < kNodes; ++i) {
            bus::RedisOptions options{.url = redis_.url(), .instance_id = "us"};
            if (i == 1) options.url.port = forwarder_.port();
            auto bus = std::make_unique<bus::RedisBus>(loop_, options, random_);
            bus->set_secret("a secret");
            buses_[i] = std::make_unique<PumpedBus>(std::move(bus));
        }
        wait_for_all();
    }

    Bus& node(std::size_t number) override { return *buses_[number]; }
    void drop(std::size_t number) override { buses_[number].reset(); }
    // When a second mark has arrived everywhere, all has that was written before the first.
    void pump() override {
        wait_for_all();
        for (int i = 0; i < 2; ++i) {
            loop_.run_once(0);
            const std::int64_t mark = ++marks_;
            client_.ask({"PUBLISH", "dyad:event:mcp:server-added",
                         R"({"eventId":"e","eventType":"mcp:server-added","userId":"pump",)"
                         R"("instanceId":"p","timestamp":)" +
                             std::to_string(mark) + R"(,"payload":{}})"});
            ASSERT_TRUE(run_until(loop_, [&] {
                return all([&](const PumpedBus& bus) { return bus.pumped_ >= mark; });
            }));
        }
    }
    bool lose_subscriptions(std::size_t number) override {
        CHECK(number == 1);
        // Its newest connection is the one that listens.
        forwarder_.fall_silent();
        buses_[1]->deaf_ = true;
        return true;
    }

  private:
    template <class Is>
    bool all(Is is) {
        for (const auto& bus : buses_)
            if (bus && !bus->deaf_ && !is(*bus)) return false;
        return true;
    }
    void wait_for_all() {
        ASSERT_TRUE(run_until(
            loop_, [&] { return all([](const PumpedBus& bus) { return bus.connected(); }); }));
    }

    net::Loop loop_;
    SystemRandom random_;
    RedisProcess redis_;
    Forwarder forwarder_;
    PlainClient client_;
    std::int64_t marks_ = 0;
    std::array<std::unique_ptr<PumpedBus>, kNodes> buses_;
};

std::unique_ptr<BusBackend> make_backend() {
    return std::make_unique<RedisBackend>();
}

}  // namespace

TEST(RedisBus, IsHeldAgainstTheLawWhereThereIsRedis) {
    if (redis_is_missing()) GTEST_SKIP() << "redis-server is not installed";
}

INSTANTIATE_TEST_SUITE_P(Redis, BusLaw,
                         testing::ValuesIn(redis_is_missing()
                                               ? std::vector<MakeBusBackend>{}
                                               : std::vector<MakeBusBackend>{&make_backend}));
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(BusLaw);

}  // namespace dyad::conformance
