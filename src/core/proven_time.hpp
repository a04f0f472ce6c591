// What time it is, as far as that is proved: by it the heart destroys what is over, and dates what
// is new. docs/decisions/0011-time.md says why.
//
// The wall clock may be wrong: ahead for a moment, wrong at a start, corrected later. The steady
// clock (a sleep of the machine counts) tells how much time passed while the process ran; the mark
// of the process before says how late it was at least. A wall clock that leaves the line of these
// two is believed once it has stood for a while, the longer the further it went.
//
// Two such lines: `destroy` begins where the last process ended, so that a start with a wrong date
// destroys nothing; `date` begins with the wall clock, as most machines were just switched off.
#pragma once

#include "model/clock_mark.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace dyad::core {

struct ProofConfig {
    std::int64_t tolerance_ms = 2'000;      // so far off it is an adjustment
    std::int64_t hold_min_ms = 5 * 60'000;  // a jump stands at least so long; one that is n times
    std::int64_t hold_scale_ms = 48LL * 3600'000;  // as far as this stands n * n times as long,
    std::int64_t hold_max_ms = 24LL * 3600'000;    // but no longer than this (0: believed at once),
    std::int64_t hold_synchronised_ms = 10 * 60'000;  // or this, where a time source sets the clock
};

class ProvenTime {
  public:
    struct Reading {
        std::int64_t wall_ms = 0;
        std::int64_t steady_ms = 0;
        bool synchronised = false;
    };

    ProvenTime(const ProofConfig& config, const Reading& now);
    // What the process before left. Until it is known nothing is due.
    void restore(const ClockMark& mark);
    ClockMark mark() const;
    // The clocks as they are now. Often enough, or a step counts for a minute at most. True where a
    // clock is believed, or no longer believed, since: worth a new mark.
    bool read(const Reading& now);

    bool known() const noexcept { return known_; }
    // What may be destroyed: what was over by then. Never ahead of the wall clock, nor of date_ms.
    std::int64_t destroy_ms() const noexcept;
    // The date of a new event; dates of one log never go back.
    std::int64_t date_ms() const noexcept { return date_.at_ms; }
    std::int64_t date_after(std::int64_t newest_ms) noexcept {
        const std::int64_t date = std::max(date_.at_ms, newest_ms);
        dated_to_ms_ = std::max(dated_to_ms_, date);
        return date;
    }
    // The latest moment before which every event is older than `age_ms`.
    std::int64_t cutoff_ms(std::int64_t age_ms) const;
    // When something that was dated `dated_ms` and ends at `end_ms` is over.
    std::int64_t end_ms(std::int64_t dated_ms, std::int64_t end_ms) const;
    bool has_corrections() const noexcept { return !corrections_.empty(); }

    // How far the wall clock is ahead (behind: negative) of what is believed; 0 where it is
    // believed. And how much longer it has to stand.
    std::int64_t held_by_ms() const noexcept { return destroy_.off_ms; }
    std::int64_t hold_left_ms() const noexcept;

  private:
    struct Line {
        std::int64_t at_ms = 0;
        std::int64_t off_ms = 0;    // the wall clock's, where it left the line; else 0
        std::int64_t stood_ms = 0;  // so long
    };

    std::int64_t hold_ms(std::int64_t off_ms) const;
    // By how much what was dated then lies behind, as far as that came out since.
    std::int64_t behind_ms(std::int64_t dated_ms) const;
    // By how much the line jumped; nothing where it did not.
    std::optional<std::int64_t> advance(Line& line, std::int64_t passed_ms) const;
    void correct(const ClockCorrection& correction);

    ProofConfig config_;
    Reading now_;
    bool known_ = false;
    Line destroy_;
    Line date_;
    std::int64_t dated_from_ms_;  // the first date that was given since the clock is what it is
    std::int64_t dated_to_ms_;    // the last one
    std::vector<ClockCorrection> corrections_;
};

}  // namespace dyad::core
