#include "driver/mailbox.hpp"

#include <array>
#include <chrono>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace dyad::driver {
namespace {

TEST(Mailbox, GivesWhatWasPutInItsOrder) {
    Mailbox<int> mailbox;
    for (int i = 0; i < 3; ++i)
        EXPECT_TRUE(mailbox.put(int{i}));
    std::deque<int> out{-1};
    mailbox.take(out, -1);
    EXPECT_EQ(out, (std::deque<int>{-1, 0, 1, 2}));
    EXPECT_TRUE(mailbox.put(3, false));
    EXPECT_EQ(mailbox.take_one(), 3);
}

TEST(Mailbox, ATakerThatWillNotWaitGetsNothing) {
    Mailbox<int> mailbox;
    std::deque<int> out;
    mailbox.take(out, 0);
    mailbox.take(out, 1);
    EXPECT_TRUE(out.empty());
}

TEST(Mailbox, ASleeperIsWokenBySomethingQuietToo) {
    Mailbox<int> mailbox;
    std::deque<int> out;
    std::thread taker([&] {
        while (out.empty())
            mailbox.take(out, -1);
    });
    mailbox.put(1, false);
    taker.join();
    EXPECT_EQ(out.size(), 1u);
}

TEST(Mailbox, WhatIsPutQuietlyDoesNotEndATimeOfWaiting) {
    using Clock = std::chrono::steady_clock;
    constexpr auto kPatience = std::chrono::milliseconds(50);
    Mailbox<int> mailbox;
    std::deque<int> out;
    Clock::duration waited{};
    std::thread taker([&] {
        const auto begin = Clock::now();
        while (Clock::now() - begin < kPatience && out.empty())
            mailbox.take(out, kPatience.count());
        waited = Clock::now() - begin;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    mailbox.put(1, false);
    taker.join();
    if (out.empty()) mailbox.take(out, 0);  // put after the time was over, on a slow machine
    EXPECT_EQ(out.size(), 1u);
}

TEST(Mailbox, StopEndsOneWaitAndTakesOnUntilNothingIsLeft) {
    Mailbox<int> mailbox;
    std::deque<int> out;
    EXPECT_FALSE(mailbox.ended());
    mailbox.put(1);
    mailbox.stop();
    EXPECT_TRUE(mailbox.is_stopping());
    EXPECT_FALSE(mailbox.ended());
    EXPECT_TRUE(mailbox.put(2));
    mailbox.take(out, -1);
    EXPECT_EQ(out, (std::deque<int>{1, 2}));
    out.clear();
    mailbox.take(out, -1);  // returns, once
    EXPECT_TRUE(out.empty());
    EXPECT_TRUE(mailbox.ended());
}

TEST(Mailbox, WhatItRefusesAfterTheEndIsAsItWas) {
    Mailbox<std::unique_ptr<int>> mailbox;
    mailbox.stop();
    EXPECT_TRUE(mailbox.ended());
    auto item = std::make_unique<int>(7);
    EXPECT_FALSE(mailbox.put(std::move(item)));
    ASSERT_NE(item, nullptr);
    EXPECT_EQ(mailbox.take_one(), std::nullopt);
}

// Each worker sees a rising sequence, all of them together everything once.
TEST(Mailbox, SeveralWorkersTakeEverythingOnce) {
    constexpr int kWorkers = 4;
    constexpr int kPutters = 3;
    constexpr int kEach = 2000;
    Mailbox<std::pair<int, int>> mailbox;
    std::array<std::vector<std::pair<int, int>>, kWorkers> taken;
    std::vector<std::thread> workers;
    for (auto& mine : taken)
        workers.emplace_back([&mailbox, &mine] {
            while (auto item = mailbox.take_one())
                mine.push_back(*item);
        });
    std::vector<std::thread> putters;
    for (int putter = 0; putter < kPutters; ++putter)
        putters.emplace_back([&mailbox, putter] {
            for (int i = 0; i < kEach; ++i)
                EXPECT_TRUE(mailbox.put({putter, i}, i % 3 != 0));
        });
    for (std::thread& putter : putters)
        putter.join();
    mailbox.stop();
    for (std::thread& worker : workers)
        worker.join();
    std::set<std::pair<int, int>> all;
    for (const auto& mine : taken) {
        std::array<int, kPutters> last{-1, -1, -1};
        for (const auto& [putter, i] : mine) {
            EXPECT_GT(i, last[putter]);
            last[putter] = i;
            EXPECT_TRUE(all.emplace(putter, i).second);
        }
    }
    EXPECT_EQ(all.size(), static_cast<std::size_t>(kPutters * kEach));
}

TEST(Mailbox, AllWorkersThatSleepAreWokenOnePerItem) {
    constexpr std::size_t kWorkers = 3;
    Mailbox<int> mailbox;
    std::atomic<std::size_t> busy{0};
    std::atomic<bool> go{false};
    std::vector<std::thread> workers;
    for (std::size_t i = 0; i < kWorkers; ++i)
        workers.emplace_back([&] {
            while (mailbox.take_one()) {
                busy += 1;
                go.wait(false);
            }
        });
    for (std::size_t i = 0; i < kWorkers; ++i)
        mailbox.put(int{0});
    while (busy < kWorkers)  // each blocks with its item: nobody else can have taken it
        std::this_thread::yield();
    go = true;
    go.notify_all();
    mailbox.stop();
    for (std::thread& worker : workers)
        worker.join();
}

}  // namespace
}  // namespace dyad::driver
