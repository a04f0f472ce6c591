#include "core/proven_time.hpp"

#include "base/check.hpp"
#include "core/mutation.hpp"

#include <algorithm>
#include <cstdlib>

namespace dyad::core {
namespace {

constexpr std::int64_t kStepMax_ms = 60'000;  // a sleeping machine's clock proves nothing
constexpr std::int64_t kSameClock_ms = 600'000;
constexpr std::int64_t kSlewDivisor = 10;  // an adjustment moves a line at most by this part
constexpr std::size_t kCorrectionsMax = 8;
constexpr std::int64_t kCorrectionLife_ms = 400LL * 24 * 3600'000;

}  // namespace

ProvenTime::ProvenTime(const ProofConfig& config, const Reading& now)
    : config_(config), now_(now), dated_from_ms_(now.wall_ms), dated_to_ms_(now.wall_ms) {
    destroy_.at_ms = date_.at_ms = now.wall_ms;
}

void ProvenTime::restore(const ClockMark& mark) {
    known_ = true;
    if (mark.proven_ms == 0) return;  // a new store: there is nothing to destroy
    corrections_ = mark.corrections;
    if (mark.dated.by_ms > config_.tolerance_ms) correct(mark.dated);
    // Another process soon after, but the same clock.
    const bool same = std::abs(now_.wall_ms - mark.wall_ms) < kSameClock_ms;
    if (same) dated_from_ms_ = std::min(dated_from_ms_, mark.dated.from_ms);
    destroy_.at_ms = mark.proven_ms;
    destroy_.off_ms = now_.wall_ms - destroy_.at_ms;
    if (destroy_.off_ms >= 0 && destroy_.off_ms < kSameClock_ms) destroy_ = {.at_ms = now_.wall_ms};
    destroy_.stood_ms = same ? mark.stood_ms : 0;
    if (date_.at_ms < mark.proven_ms) date_.at_ms = dated_from_ms_ = mark.proven_ms;
}

ClockMark ProvenTime::mark() const {
    CHECK(known_);
    return {.proven_ms = destroy_.at_ms,
            .stood_ms = destroy_.stood_ms,
            .wall_ms = now_.wall_ms,
            .dated = {dated_from_ms_, std::max(date_.at_ms, dated_to_ms_), date_.off_ms},
            .corrections = corrections_};
}

std::int64_t ProvenTime::hold_ms(std::int64_t off_ms) const {
    const double far = static_cast<double>(off_ms) / static_cast<double>(config_.hold_scale_ms);
    const double longest = static_cast<double>(config_.hold_max_ms);
    auto hold = static_cast<std::int64_t>(
        std::min(static_cast<double>(config_.hold_min_ms) * std::max(1.0, far * far), longest));
    if (now_.synchronised) hold = std::min(hold, config_.hold_synchronised_ms);
    return hold;
}

std::int64_t ProvenTime::hold_left_ms() const noexcept {
    return destroy_.off_ms == 0
               ? 0
               : std::max<std::int64_t>(0, hold_ms(destroy_.off_ms) - destroy_.stood_ms);
}

std::optional<std::int64_t> ProvenTime::advance(Line& line, std::int64_t passed_ms) const {
    line.at_ms += passed_ms;
    const std::int64_t off = now_.wall_ms - line.at_ms;
    if (std::abs(off) <= config_.tolerance_ms) {
        const std::int64_t most = passed_ms / kSlewDivisor;
        line.at_ms += std::clamp(off, -most, most);
        line.off_ms = line.stood_ms = 0;
        return std::nullopt;
    }
    const bool stands = std::abs(off - line.off_ms) <= config_.tolerance_ms;
    line.stood_ms = stands ? line.stood_ms + std::min(passed_ms, kStepMax_ms) : 0;
    line.off_ms = off;
    if (line.stood_ms < hold_ms(off)) return std::nullopt;
    line = {.at_ms = now_.wall_ms};
    return off;
}

bool ProvenTime::read(const Reading& now) {
    const std::int64_t passed_ms = std::max<std::int64_t>(0, now.steady_ms - now_.steady_ms);
    now_ = now;
    bool changed = false;
    if (known_) {
        const bool held = destroy_.off_ms != 0;
        changed = advance(destroy_, passed_ms).has_value() || held != (destroy_.off_ms != 0);
    }
    const std::int64_t dated_to_ms = std::max(date_.at_ms + passed_ms, dated_to_ms_);
    if (const auto jump = advance(date_, passed_ms)) {
        if (*jump > 0)
            correct({dated_from_ms_, dated_to_ms, *jump});
        else
            dated_from_ms_ = std::min(dated_from_ms_, date_.at_ms);
        dated_to_ms_ = date_.at_ms;
        changed = true;
    }
    return changed;
}

void ProvenTime::correct(const ClockCorrection& correction) {
    if (broken(Mutation::forget_corrections)) return;
    std::erase_if(corrections_, [this](const ClockCorrection& old) {
        return old.to_ms + old.by_ms + kCorrectionLife_ms < destroy_.at_ms;
    });
    corrections_.push_back(correction);
    if (corrections_.size() <= kCorrectionsMax) return;
    ClockCorrection& first = corrections_[0];
    const ClockCorrection& second = corrections_[1];
    first = {std::min(first.from_ms, second.from_ms), std::max(first.to_ms, second.to_ms),
             first.by_ms + second.by_ms};
    corrections_.erase(corrections_.begin() + 1);
}

std::int64_t ProvenTime::destroy_ms() const noexcept {
    return known_ ? std::min({destroy_.at_ms, date_.at_ms, now_.wall_ms}) : 0;
}

std::int64_t ProvenTime::behind_ms(std::int64_t dated_ms) const {
    std::int64_t by_ms = 0;
    for (const ClockCorrection& one : corrections_)
        if (one.from_ms <= dated_ms && dated_ms <= one.to_ms) by_ms += one.by_ms;
    return by_ms;
}

std::int64_t ProvenTime::end_ms(std::int64_t dated_ms, std::int64_t end_ms) const {
    return end_ms + behind_ms(dated_ms);
}

std::int64_t ProvenTime::cutoff_ms(std::int64_t age_ms) const {
    const std::int64_t before = destroy_ms() - age_ms;
    std::vector<std::int64_t> edges;  // between them all dates lie behind by the same
    for (const ClockCorrection& one : corrections_) {
        edges.push_back(one.from_ms);
        edges.push_back(one.to_ms + 1);
    }
    std::sort(edges.begin(), edges.end());
    std::int64_t from = before - 1;
    for (const std::int64_t to : edges) {
        from = std::min(from, to - 1);
        const std::int64_t behind = behind_ms(to - 1);
        if (to - 1 + behind >= before) return std::clamp(before - behind, from, to);
        from = to;
    }
    return before;
}

}  // namespace dyad::core
