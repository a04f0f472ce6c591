#include "core/proven_time.hpp"

#include <gtest/gtest.h>

namespace dyad::core {
namespace {

constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;
constexpr std::int64_t kNow = 1'800'000'000'000;

// One machine: what really happens, and what its clocks say.
struct Machine {
    explicit Machine(std::int64_t wall_off = 0) : off(wall_off) { start(); }

    ProvenTime::Reading reading() const { return {kNow + passed + off, passed, synchronised}; }
    // A new process; `mark` is what the one before left.
    void start() { time.emplace(ProofConfig{}, reading()); }
    void restart(std::int64_t off_for_ms) {
        const ClockMark mark = time->mark();
        passed += off_for_ms;
        start();
        time->restore(mark);
    }
    void run(std::int64_t ms, std::int64_t step = 30 * kSecond) {
        for (std::int64_t left = ms; left > 0; left -= step) {
            passed += std::min(left, step);
            time->read(reading());
        }
    }
    // How far what may be destroyed is ahead of the truth.
    std::int64_t destroys_ahead() const { return time->destroy_ms() - kNow - passed; }
    std::int64_t dates_ahead() const { return time->date_ms() - kNow - passed; }

    std::int64_t passed = 0;
    std::int64_t off;  // the wall clock's
    bool synchronised = false;
    std::optional<ProvenTime> time;
};

Machine running() {
    Machine machine;
    machine.time->restore({.proven_ms = kNow});
    machine.run(kHour);
    return machine;
}

TEST(ProvenTime, FollowsAClockThatIsRight) {
    Machine machine = running();
    EXPECT_EQ(machine.destroys_ahead(), 0);
    EXPECT_EQ(machine.dates_ahead(), 0);
    EXPECT_EQ(machine.time->held_by_ms(), 0);
}

TEST(ProvenTime, NothingIsDueBeforeTheMarkIsKnown) {
    Machine machine;
    machine.run(kDay);
    EXPECT_EQ(machine.time->destroy_ms(), 0);
    EXPECT_EQ(machine.dates_ahead(), 0);
}

TEST(ProvenTime, AClockThatIsWrongForAMomentChangesNothing) {
    for (const std::int64_t jump :
         {40 * kDay, -40 * kDay, 10 * kMinute, -10 * kMinute, 3 * kSecond}) {
        Machine machine = running();
        machine.off = jump;
        machine.run(40 * kSecond, kSecond);
        EXPECT_LE(machine.destroys_ahead(), 0) << jump;
        EXPECT_EQ(machine.dates_ahead(), 0) << jump;
        EXPECT_NE(machine.time->held_by_ms(), 0) << jump;
        machine.off = 0;
        machine.run(kSecond);
        EXPECT_EQ(machine.destroys_ahead(), 0) << jump;
        EXPECT_EQ(machine.dates_ahead(), 0) << jump;
        EXPECT_FALSE(machine.time->has_corrections());
    }
}

TEST(ProvenTime, TheFurtherAClockJumpsTheLongerItStandsBeforeItIsBelieved) {
    Machine machine = running();
    machine.off = 2 * kDay;
    machine.run(5 * kMinute);
    EXPECT_EQ(machine.destroys_ahead(), 0);
    machine.run(kMinute);
    EXPECT_EQ(machine.destroys_ahead(), 2 * kDay);
    machine.off += 10 * kDay;  // five times as far: 125 minutes
    machine.run(2 * kHour);
    EXPECT_EQ(machine.destroys_ahead(), 2 * kDay);
    machine.run(10 * kMinute);
    EXPECT_EQ(machine.destroys_ahead(), 12 * kDay);
    machine.off = 400 * kDay;
    machine.run(23 * kHour);
    EXPECT_EQ(machine.destroys_ahead(), 12 * kDay);
    machine.run(2 * kHour);
    EXPECT_EQ(machine.destroys_ahead(), 400 * kDay);
}

TEST(ProvenTime, AClockThatIsSetByATimeSourceIsBelievedSooner) {
    Machine machine = running();
    machine.off = 40 * kDay;
    machine.synchronised = true;
    machine.run(9 * kMinute);
    EXPECT_EQ(machine.destroys_ahead(), 0);
    machine.run(2 * kMinute);
    EXPECT_EQ(machine.destroys_ahead(), 40 * kDay);
}

TEST(ProvenTime, EveryJumpStandsForItself) {
    Machine machine = running();
    for (int i = 1; i <= 100; ++i) {  // it never stands
        machine.off = i * kDay;
        machine.run(50 * kSecond);
    }
    EXPECT_EQ(machine.destroys_ahead(), 0);
}

TEST(ProvenTime, AnAdjustmentIsFollowedSlowly) {
    Machine machine = running();
    machine.off = 1'500;
    machine.run(5 * kSecond, kSecond);
    EXPECT_GT(machine.dates_ahead(), 0);
    EXPECT_LT(machine.dates_ahead(), 1'500);
    machine.run(kMinute, kSecond);
    EXPECT_EQ(machine.dates_ahead(), 1'500);
    EXPECT_EQ(machine.time->held_by_ms(), 0);
}

TEST(ProvenTime, ASleepOfTheMachineIsTimeThatPassed) {
    Machine machine = running();
    machine.run(14 * kHour, 14 * kHour);
    EXPECT_EQ(machine.destroys_ahead(), 0);
    EXPECT_EQ(machine.time->held_by_ms(), 0);
}

TEST(ProvenTime, ASleepProvesNothingOfAWrongClock) {
    Machine machine = running();
    machine.off = 40 * kDay;
    machine.run(kMinute);
    machine.run(3 * kDay, 3 * kDay);
    EXPECT_EQ(machine.destroys_ahead(), 0);
}

TEST(ProvenTime, AStartAtAWrongDateDestroysNothing) {
    for (const std::int64_t off : {40 * kDay, 9'000 * kDay}) {
        Machine machine = running();
        machine.off = off;
        machine.restart(kHour);
        machine.run(10 * kMinute);
        EXPECT_LE(machine.destroys_ahead(), 0) << off;
        machine.off = 0;
        machine.restart(kMinute);
        machine.run(10 * kMinute);
        EXPECT_EQ(machine.time->held_by_ms(), 0) << off;
        EXPECT_EQ(machine.destroys_ahead(), 0) << off;
        EXPECT_EQ(machine.dates_ahead(), 0) << off;
    }
}

TEST(ProvenTime, AMachineThatWasOffForTheNightIsUpToDateWithinTheHour) {
    Machine machine = running();
    machine.restart(14 * kHour);
    EXPECT_EQ(machine.dates_ahead(), 0);  // new events have the right date at once
    EXPECT_EQ(machine.destroys_ahead(), -14 * kHour);
    machine.run(18 * kMinute);
    EXPECT_EQ(machine.destroys_ahead(), 0);
}

TEST(ProvenTime, WhatStoodIsNotForgottenByARestart) {
    Machine machine = running();
    machine.restart(6 * kDay);
    for (int i = 0; i < 8; ++i) {  // 5 minutes each, and 45 are needed
        machine.run(5 * kMinute);
        EXPECT_LT(machine.destroys_ahead(), 0);
        machine.restart(kMinute);
    }
    machine.run(6 * kMinute);
    EXPECT_EQ(machine.destroys_ahead(), 0);
}

TEST(ProvenTime, AStartInThePastDatesFromWhatIsProved) {
    Machine machine = running();
    machine.off = -20'000 * kDay;  // no battery: 1970
    machine.restart(kHour);
    EXPECT_EQ(machine.dates_ahead(), -kHour);  // as late as the last process knew
    EXPECT_LT(machine.destroys_ahead(), -19'000 * kDay);
}

// A machine without a battery: it starts in the past, is written to, and learns the time later.
TEST(ProvenTime, WhatASlowClockDatedLivesAsLongAsItShould) {
    Machine machine(-60 * kDay);
    machine.time->restore({.proven_ms = kNow - 60 * kDay});
    machine.run(kHour);
    const std::int64_t dated = machine.time->date_after(0);
    machine.off = 0;
    machine.run(30 * kHour);
    ASSERT_EQ(machine.destroys_ahead(), 0);
    ASSERT_EQ(machine.dates_ahead(), 0);
    // A week's retention: it looks two months old and is a day old.
    EXPECT_LE(machine.time->cutoff_ms(7 * kDay), dated);
    EXPECT_GT(machine.time->end_ms(dated, dated + 30 * kDay), machine.time->destroy_ms());
    EXPECT_EQ(machine.time->end_ms(dated - kDay, dated), dated);  // what was there before
    machine.restart(kMinute);
    machine.run(kHour);
    EXPECT_LE(machine.time->cutoff_ms(7 * kDay), dated);
    machine.run(6 * kDay);
    EXPECT_GT(machine.time->cutoff_ms(7 * kDay), dated);
    EXPECT_LT(machine.time->cutoff_ms(7 * kDay), kNow);
    machine.run(kDay);
    EXPECT_EQ(machine.time->cutoff_ms(7 * kDay), kNow + machine.passed - 7 * kDay);
}

TEST(ProvenTime, ARestartBeforeTheRightTimeIsBelievedForgetsNoCorrection) {
    Machine machine(-60 * kDay);
    machine.time->restore({.proven_ms = kNow - 60 * kDay});
    machine.run(kHour);
    const std::int64_t dated = machine.time->date_after(0);
    machine.off = 0;
    machine.run(5 * kMinute);
    machine.restart(kMinute);
    machine.run(40 * kHour);
    ASSERT_EQ(machine.destroys_ahead(), 0);
    EXPECT_LE(machine.time->cutoff_ms(7 * kDay), dated);
}

TEST(ProvenTime, ARestartWhileTheClockIsWrongForgetsNothingThatItDated) {
    Machine machine(-60 * kDay);
    machine.time->restore({.proven_ms = kNow - 60 * kDay});
    machine.run(kHour);
    const std::int64_t dated = machine.time->date_after(0);
    machine.restart(kMinute);
    machine.run(kHour);
    machine.off = 0;
    machine.run(40 * kHour);
    ASSERT_EQ(machine.destroys_ahead(), 0);
    EXPECT_LE(machine.time->cutoff_ms(7 * kDay), dated);
}

TEST(ProvenTime, ManyCorrectionsBecomeFewAndDestroyNothingEarly) {
    Machine machine(-600 * kDay);
    machine.time->restore({.proven_ms = kNow - 600 * kDay});
    for (int i = 1; i <= 20; ++i) {
        machine.run(kHour);
        machine.off += 30 * kDay;
        machine.run(20 * kHour);
    }
    ASSERT_EQ(machine.destroys_ahead(), 0);
    EXPECT_LE(machine.time->mark().corrections.size(), 8U);
    EXPECT_LE(machine.time->cutoff_ms(30 * kDay), kNow - 600 * kDay);  // all of it is days old
}

// A log's dates never go back: what is dated by its last event is as wrong as that one.
TEST(ProvenTime, CorrectsWhatWasDatedAheadOfItsLine) {
    Machine machine(-60 * kDay);
    machine.time->restore({.proven_ms = kNow - 60 * kDay});
    const std::int64_t dated = machine.time->date_after(kNow - 58 * kDay);
    EXPECT_EQ(dated, kNow - 58 * kDay);
    machine.run(kHour);
    machine.off = 0;
    machine.run(30 * kHour);
    ASSERT_EQ(machine.destroys_ahead(), 0);
    EXPECT_LE(machine.time->cutoff_ms(7 * kDay), dated);
}

TEST(ProvenTime, BelievesAtOnceWhereItIsToldTo) {
    ProofConfig config;
    config.hold_max_ms = 0;
    ProvenTime time(config, {.wall_ms = kNow});
    time.restore({.proven_ms = kNow - 40 * kDay});
    time.read({.wall_ms = kNow + kSecond, .steady_ms = kSecond});
    EXPECT_EQ(time.destroy_ms(), kNow + kSecond);
}

TEST(ClockMark, ReadsWhatItWrites) {
    ClockMark mark{
        .proven_ms = kNow, .stood_ms = 7, .wall_ms = -8, .dated = {1, 2, -3}, .corrections = {}};
    EXPECT_EQ(*decode_clock_mark(encode_clock_mark(mark)), mark);
    mark.corrections = {{1, 2, 3}, {4, 5, 6}};
    EXPECT_EQ(*decode_clock_mark(encode_clock_mark(mark)), mark);
    for (const char* bad :
         {"", "1", "1 2 3 4 5", "1 2 3 4 5 6 7", "1 2 3 4 5 x", "1  2 3 4 5 6", "1,2,3,4,5,6"})
        EXPECT_FALSE(decode_clock_mark(bad)) << bad;
}

}  // namespace
}  // namespace dyad::core
