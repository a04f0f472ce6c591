#include "conformance/bus/bus_law.hpp"
#include "sim/sim_bus.hpp"

#include <array>

namespace dyad::conformance {
namespace {

class SimBusBackend final : public BusBackend {
  public:
    SimBusBackend() {
        for (std::size_t i = 0; i < kNodes; ++i)
            buses_[i] = std::make_unique<sim::SimBus>(network_, static_cast<int>(i));
    }

    Bus& node(std::size_t number) override { return *buses_[number]; }
    void drop(std::size_t number) override { buses_[number].reset(); }
    void pump() override { queue_.run_all(); }
    bool lose_subscriptions(std::size_t number) override {
        buses_[number]->lose_subscriptions();
        return true;
    }

  private:
    sim::EventQueue queue_;
    sim::Trace trace_{queue_, false};
    sim::BusNetwork network_{queue_, trace_, 1, kNodes};
    std::array<std::unique_ptr<sim::SimBus>, kNodes> buses_;
};

std::unique_ptr<BusBackend> make_backend() {
    return std::make_unique<SimBusBackend>();
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Sim, BusLaw, testing::Values(&make_backend));

}  // namespace dyad::conformance
