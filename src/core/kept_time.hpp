// The time that is proved, with the clocks that it is read from and the mark that is kept of it in
// the store, so that a restart does not forget it.
#pragma once

#include "base/clock.hpp"
#include "core/proven_time.hpp"
#include "store/archive.hpp"

#include <cstdint>
#include <memory>

namespace dyad::core {

class KeptTime {
  public:
    // Asks the store for the mark. Lifetime: within the ports'.
    KeptTime(const ProofConfig& config, Clock& clock, Archive& archive);

    const ProvenTime& operator*() const noexcept { return time_; }
    const ProvenTime* operator->() const noexcept { return &time_; }
    std::int64_t date_after(std::int64_t newest_ms) { return time_.date_after(newest_ms); }
    // Looks at the clocks.
    void read();
    void load();
    void save();
    // Saves where that is due by this steady time.
    void tick(std::int64_t now_ms);
    std::int64_t next_ms() const noexcept { return next_mark_ms_; }

  private:
    ProvenTime::Reading clocks() const;

    Clock& clock_;
    Archive& archive_;
    bool synchronised_ = false;
    ProvenTime time_;
    std::int64_t next_mark_ms_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // answers after it do nothing
};

}  // namespace dyad::core
