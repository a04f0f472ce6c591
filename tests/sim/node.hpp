// One node of the simulated cluster: the heart with its simulated clock, bus and store. A crash
// takes the process with everything in it; a restart begins a new run of the node.
#pragma once

#include "core/engine.hpp"
#include "sim/history.hpp"
#include "sim/plain_form.hpp"
#include "sim/scenario.hpp"
#include "sim/sim_bus.hpp"
#include "sim_store/sim_store.hpp"

#include <memory>
#include <string>
#include <vector>

namespace dyad::sim {

class SimClock final : public Clock {
  public:
    explicit SimClock(const EventQueue& queue) : queue_(queue) {}
    std::int64_t wall_ms() const override { return kStart_ms + elapsed_ms() + wall_offset_ms; }
    std::int64_t steady_ms() const override { return elapsed_ms() + steady_offset_ms; }

    std::int64_t wall_offset_ms = 0;
    std::int64_t steady_offset_ms = 0;  // only ever grows

  private:
    static constexpr std::int64_t kStart_ms = 1'700'000'000'000;
    std::int64_t elapsed_ms() const { return queue_.now_us() / 1'000; }
    const EventQueue& queue_;
};

// Plain frames of the simulation: user id and plain form of an event, each with its length before
// it.
class FrameRenderer final : public core::Renderer {
  public:
    void render_plain(std::string_view user_id, const EventOrigin& origin, const Change& change,
                      std::string& out) const override {
        const std::string form = plain_form(origin, change);
        for (const std::string_view part : {user_id, std::string_view(form)}) {
            put_le<std::uint32_t>(out, static_cast<std::uint32_t>(part.size()));
            out.append(part);
        }
    }
};

struct Node {
    Node(EventQueue& queue, int id) : clock(queue), process{id, 0} {}

    SimClock clock;
    FrameRenderer renderer;
    ProcessId process;
    bool cut_from_database = false;
    bool cut_from_bus = false;
    // Of one process; the engine goes first.
    std::unique_ptr<SeededRandom> random;
    std::unique_ptr<SimStore> store;
    std::unique_ptr<SimBus> bus;
    std::unique_ptr<core::Engine> engine;

    bool alive() const noexcept { return engine != nullptr; }
    void stop() {
        engine.reset();
        bus.reset();
        store.reset();
    }
};

}  // namespace dyad::sim
