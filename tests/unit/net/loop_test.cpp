// The event loop, over socket pairs.
#include "net/loop.hpp"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dyad::net {
namespace {

struct Pair {
    Fd ours;
    Fd theirs;
    Pair() {
        int fds[2];
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        ours.reset(fds[0]);
        theirs.reset(fds[1]);
    }
    void poke() const { EXPECT_EQ(write(theirs.get(), "x", 1), 1); }
};

struct Counter : Watcher {
    int calls = 0;
    std::uint32_t last = 0;
    std::function<void()> then;
    void on_ready(std::uint32_t events) override {
        ++calls;
        last = events;
        if (then) then();
    }
};

TEST(Loop, TellsAWatcherOfItsEventsUntilItIsRemoved) {
    Loop loop;
    const Pair pair;
    Counter counter;
    ASSERT_TRUE(loop.add(pair.ours.get(), EPOLLIN, &counter));
    loop.run_once(0);
    EXPECT_EQ(counter.calls, 0);
    pair.poke();
    loop.run_once(0);
    loop.run_once(0);
    EXPECT_EQ(counter.calls, 2) << "what was not read is told again";
    loop.modify(pair.ours.get(), 0, &counter);
    loop.run_once(0);
    EXPECT_EQ(counter.calls, 2);
    loop.modify(pair.ours.get(), EPOLLIN, &counter);
    loop.run_once(0);
    EXPECT_EQ(counter.calls, 3);
    loop.remove(pair.ours.get(), &counter);
    loop.run_once(0);
    EXPECT_EQ(counter.calls, 3);
}

TEST(Loop, AWatcherMayBeDestroyedWhileItsEventWaitsInTheSameTurn) {
    Loop loop;
    constexpr std::size_t kCount = 20;
    std::vector<Pair> pairs(kCount);
    std::vector<std::unique_ptr<Counter>> watchers(kCount);
    int calls = 0;
    for (std::size_t i = 0; i < kCount; ++i) {
        watchers[i] = std::make_unique<Counter>();
        // Whoever is first destroys all the others.
        watchers[i]->then = [&, i] {
            ++calls;
            for (std::size_t j = 0; j < kCount; ++j) {
                if (j == i || !watchers[j]) continue;
                loop.remove(pairs[j].ours.get(), watchers[j].get());
                watchers[j].reset();
            }
        };
        ASSERT_TRUE(loop.add(pairs[i].ours.get(), EPOLLIN, watchers[i].get()));
        pairs[i].poke();
    }
    loop.run_once(0);
    EXPECT_EQ(calls, 1);
}

TEST(Loop, AWatcherMayRemoveItself) {
    Loop loop;
    const Pair pair;
    auto counter = std::make_unique<Counter>();
    ASSERT_TRUE(loop.add(pair.ours.get(), EPOLLIN, counter.get()));
    pair.poke();
    bool called = false;
    counter->then = [&] {
        called = true;
        loop.remove(pair.ours.get(), counter.get());
    };
    loop.run_once(0);
    counter.reset();
    loop.run_once(0);
    EXPECT_TRUE(called);
}

TEST(Loop, WhatItCannotWatchIsToldSoInTheNextTurn) {
    Loop loop;
    const Fd file(open("/dev/null", O_RDONLY | O_CLOEXEC));
    Counter told;
    Counter removed;
    EXPECT_FALSE(loop.add(-1, EPOLLIN, &told));
    loop.fail_later(&told);
    loop.fail_later(&removed);
    loop.remove(file.get(), &removed);
    loop.run_once(-1);
    EXPECT_EQ(told.calls, 1);
    EXPECT_EQ(told.last, 0U);
    EXPECT_EQ(removed.calls, 0);
    loop.run_once(0);
    EXPECT_EQ(told.calls, 1);
}

TEST(Loop, RunsPostsOfManyThreadsOnceAndInTheOrderOfEach) {
    Loop loop;
    constexpr int kThreads = 4;
    constexpr int kPosts = 2000;
    std::vector<int> next(kThreads, 0);
    int disorder = 0;
    int left = kThreads * kPosts;
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < kPosts; ++i)
                loop.post([&, t, i] {
                    disorder += next[static_cast<std::size_t>(t)]++ != i;
                    if (--left == 0) loop.stop();
                });
        });
    loop.run();
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(left, 0);
    EXPECT_EQ(disorder, 0);
}

TEST(Loop, WhatAPostPostsRunsInTheNextTurn) {
    Loop loop;
    int turns = 0;
    int ran_in = -1;
    loop.set_end_of_turn([&] { ++turns; });
    loop.post([&] { loop.post([&] { ran_in = turns; }); });
    loop.run_once(0);
    EXPECT_EQ(ran_in, -1);
    loop.run_once(0);
    EXPECT_EQ(ran_in, 1);
}

TEST(Loop, StopFromAnotherThreadEndsRunAfterWhatWasPostedBefore) {
    Loop loop;
    bool ran = false;
    std::thread other([&] {
        loop.post([&] { ran = true; });
        loop.stop();
    });
    loop.run();
    other.join();
    EXPECT_TRUE(ran);
}

TEST(Loop, TheEndOfATurnComesAfterEventsPostsAndTimers) {
    Loop loop;
    const Pair pair;
    std::string order;
    Counter counter;
    counter.then = [&] {
        order += 'e';
        static_cast<void>(loop.receive_buffer());
        char byte;
        EXPECT_EQ(::read(pair.ours.get(), &byte, 1), 1);
    };
    ASSERT_TRUE(loop.add(pair.ours.get(), EPOLLIN, &counter));
    loop.set_end_of_turn([&] { order += '.'; });
    pair.poke();
    loop.post([&] { order += 'p'; });
    loop.after(0, [&] { order += 't'; });
    loop.run_once(0);
    EXPECT_EQ(order, "ept.");
    loop.remove(pair.ours.get(), &counter);
}

TEST(Loop, TimersRunInOrderOfTheirTimeAndCancelledOnesDoNot) {
    Loop loop;
    std::string order;
    loop.after(30, [&] { loop.stop(); });
    loop.after(20, [&] { order += 'c'; });
    const Loop::TimerId cancelled = loop.after(10, [&] { order += 'x'; });
    loop.after(5, [&] { order += 'a'; });
    loop.after(5, [&] { order += 'b'; });
    loop.cancel(cancelled);
    loop.cancel(cancelled);
    loop.cancel(12345);
    const std::int64_t before = loop.now_ms();
    loop.run();
    EXPECT_EQ(order, "abc");
    EXPECT_GE(loop.now_ms() - before, 30);
}

TEST(Loop, ATimerThatAsksForItselfDoesNotKeepTheTurn) {
    Loop loop;
    int runs = 0;
    std::function<void()> again = [&] {
        ++runs;
        loop.after(0, again);
    };
    loop.after(0, again);
    loop.run_once(0);
    EXPECT_EQ(runs, 1);
    loop.run_once(-1);
    EXPECT_EQ(runs, 2);
}

TEST(Loop, HasOneReceiveBufferOfAtLeast64KiB) {
    Loop loop;
    EXPECT_GE(loop.receive_buffer().size(), 65536U);
    EXPECT_EQ(loop.receive_buffer().data(), loop.receive_buffer().data());
}

}  // namespace
}  // namespace dyad::net
