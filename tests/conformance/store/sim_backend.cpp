#include "conformance/store/store_law.hpp"
#include "sim_store/sim_store.hpp"

namespace dyad::conformance {
namespace {

class SimBackend final : public Backend {
  public:
    SimBackend() { open(); }

    Store& first() override { return *first_; }
    Store& second() override { return *second_; }
    void drop_second() override { second_.reset(); }
    void pump() override { queue_.run_all(); }
    void restart(bool cleanly) override {
        first_.reset();
        second_.reset();
        queue_.run_all();
        if (!cleanly) database_.crash();
        open();
    }

  private:
    void open() {
        first_ = std::make_unique<sim::SimStore>(queue_, database_, ++seed_, nullptr, true);
        second_ = std::make_unique<sim::SimStore>(queue_, database_, ++seed_, nullptr, true);
    }

    sim::EventQueue queue_;
    sim::SimDatabase database_;
    std::uint64_t seed_ = 0;
    std::unique_ptr<sim::SimStore> first_;
    std::unique_ptr<sim::SimStore> second_;
};

std::unique_ptr<Backend> make_backend() {
    return std::make_unique<SimBackend>();
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Sim, StoreLaw, testing::Values(&make_backend));
INSTANTIATE_TEST_SUITE_P(Sim, StoreProjections, testing::Values(&make_backend));
INSTANTIATE_TEST_SUITE_P(Sim, StoreRetention, testing::Values(&make_backend));

}  // namespace dyad::conformance
