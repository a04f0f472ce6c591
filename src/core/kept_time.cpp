#include "core/kept_time.hpp"

#include "base/log.hpp"

namespace dyad::core {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kFirstMarkMs = 2'000;
constexpr std::int64_t kMarkMs = 3'600'000;
constexpr std::string_view kScope = "distributed_memory";

}  // namespace

KeptTime::KeptTime(const ProofConfig& config, Clock& clock, Archive& archive)
    : clock_(clock),
      archive_(archive),
      time_(config, clocks()),
      next_mark_ms_(clock.steady_ms() + kMarkMs) {
    load();
}

ProvenTime::Reading KeptTime::clocks() const {
    return {.wall_ms = clock_.wall_ms() + archive_.clock_offset_ms(),
            .steady_ms = clock_.steady_ms(),
            .synchronised = synchronised_};
}

void KeptTime::read() {
    const bool held = time_.held_by_ms() != 0;
    if (held) synchronised_ = clock_.synchronised();
    if (!time_.read(clocks())) return;
    if (const std::int64_t off_ms = time_.held_by_ms(); off_ms != 0)
        log::warn(kScope, "the clock is " + std::to_string(std::abs(off_ms) / 1000) + " s " +
                              (off_ms > 0 ? "ahead of" : "behind") +
                              " what is proved; nothing expires by it until it has stood for " +
                              std::to_string(time_.hold_left_ms() / 1000) + " s");
    else if (held)
        log::info(kScope, "the clock is believed again");
    save();
}

void KeptTime::load() {
    archive_.load_clock([this, alive = std::weak_ptr<bool>(alive_)](const Result<ClockMark>& mark) {
        if (alive.expired() || time_.known()) return;
        if (!mark) {
            log::warn(kScope, "nothing expires: " + mark.error().to_string());
            return;
        }
        time_.read(clocks());
        time_.restore(*mark);
        if (time_.held_by_ms() > kHourMs)
            log::info(kScope, "the last known time was " +
                                  std::to_string(time_.held_by_ms() / kHourMs) +
                                  " h ago; nothing expires by the time since until the clock has "
                                  "stood for " +
                                  std::to_string(time_.hold_left_ms() / 1000) + " s");
        next_mark_ms_ = clock_.steady_ms() + kFirstMarkMs;  // others want to be served first
    });
}

void KeptTime::save() {
    if (!time_.known()) return;
    next_mark_ms_ = clock_.steady_ms() + kMarkMs;
    archive_.save_clock(time_.mark());
}

void KeptTime::tick(std::int64_t now_ms) {
    if (now_ms >= next_mark_ms_) save();
}

}  // namespace dyad::core
