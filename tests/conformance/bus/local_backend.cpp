#include "bus/local/local_bus.hpp"
#include "conformance/bus/bus_law.hpp"

#include <array>

namespace dyad::conformance {
namespace {

class LocalBackend final : public BusBackend {
  public:
    LocalBackend() {
        for (auto& bus : buses_)
            bus = std::make_unique<bus::LocalBus>(hub_, [this] { woken_ = true; });
    }

    Bus& node(std::size_t number) override { return *buses_[number]; }
    void drop(std::size_t number) override { buses_[number].reset(); }
    void pump() override {
        while (std::exchange(woken_, false))
            for (const auto& bus : buses_)
                if (bus) bus->receive_all();
    }
    bool lose_subscriptions(std::size_t) override { return false; }

  private:
    bus::LocalHub hub_;
    std::array<std::unique_ptr<bus::LocalBus>, kNodes> buses_;
    bool woken_ = false;
};

std::unique_ptr<BusBackend> make_backend() {
    return std::make_unique<LocalBackend>();
}

}  // namespace

TEST(LocalBus, AnInboxThatIsFullDropsWhatComesNext) {
    bus::LocalHub hub;
    int wakes = 0;
    bus::LocalBus from(hub, [] {});
    bus::LocalBus to(hub, [&] { ++wakes; });
    to.follow("ada");
    std::size_t heard = 0;
    to.set_receiver([&](const BusMessage&) { ++heard; });
    for (std::size_t i = 0; i < bus::LocalHub::kInboxMax + 5; ++i)
        from.publish(Hint{"ada"});
    to.receive_all();
    EXPECT_EQ(heard, bus::LocalHub::kInboxMax);
    EXPECT_EQ(wakes, 1);
}

INSTANTIATE_TEST_SUITE_P(Local, BusLaw, testing::Values(&make_backend));

}  // namespace dyad::conformance
