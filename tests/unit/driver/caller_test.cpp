#include "driver/caller.hpp"

#include "support/posted.hpp"

#include <string>
#include <thread>

#include <gtest/gtest.h>

namespace dyad::driver {
namespace {

struct Reply {
    CallerPtr caller;
    std::function<void(int)> done;
    int result;
};

void give(std::vector<Reply> replies) {
    answer_all(std::move(replies), [](Reply& reply) { reply.done(reply.result); });
}

TEST(Caller, WhatIsAnsweredRunsWhereItWasAskedFrom) {
    test::Posted cell;
    const CallerPtr caller = Caller::make(cell.post());
    std::thread::id ran;
    std::string heard;
    const std::function<void(std::string)> done = [&](const std::string& text) {
        ran = std::this_thread::get_id();
        heard = text;
    };
    std::thread([&] { answer(caller, done, "an answer"); }).join();
    EXPECT_EQ(heard, "");
    cell.run_once(0);
    EXPECT_EQ(heard, "an answer");
    EXPECT_EQ(ran, std::this_thread::get_id());
}

TEST(Caller, ARoundIsOnePostForEachCallerInOrder) {
    test::Posted left_cell, right_cell;
    const CallerPtr left = Caller::make(left_cell.post());
    const CallerPtr right = Caller::make(right_cell.post());
    std::vector<int> heard;
    const auto hear = [&heard](int result) { heard.push_back(result); };
    give({{left, hear, 1}, {right, hear, 2}, {left, hear, 3}, {right, hear, 4}, {left, hear, 5}});
    EXPECT_EQ(left_cell.posts(), 1);
    EXPECT_EQ(right_cell.posts(), 1);
    left_cell.run_once(0);
    right_cell.run_once(0);
    EXPECT_EQ(heard, (std::vector<int>{1, 3, 5, 2, 4}));
}

TEST(Caller, NothingRunsOnceItIsClosed) {
    test::Posted cell;
    const CallerPtr caller = Caller::make(cell.post());
    int heard = 0;
    const std::function<void(int)> hear = [&](int) { ++heard; };
    answer(caller, hear, 1);
    give({{caller, hear, 2}});
    EXPECT_TRUE(caller->post([&] { ++heard; }));
    caller->close();
    answer(caller, hear, 3);
    give({{caller, hear, 4}});
    EXPECT_FALSE(caller->post([&] { ++heard; }));
    cell.run_once(0);
    EXPECT_EQ(heard, 0);
    EXPECT_EQ(cell.posts(), 3);
}

TEST(Caller, ClosingAmidARoundEndsIt) {
    test::Posted cell;
    const CallerPtr caller = Caller::make(cell.post());
    std::vector<int> heard;
    const auto hear = [&](int result) {
        heard.push_back(result);
        if (result == 2) caller->close();
    };
    give({{caller, hear, 1}, {caller, hear, 2}, {caller, hear, 3}});
    cell.run_once(0);
    EXPECT_EQ(heard, (std::vector<int>{1, 2}));
}

TEST(Caller, WhatAnAnswerHoldsIsReleasedOnTheCellsThread) {
    test::Posted cell;
    const CallerPtr caller = Caller::make(cell.post());
    auto held = std::make_shared<int>(1);
    const std::weak_ptr<int> watched = held;
    std::thread([&] {
        std::vector<Reply> replies;
        replies.push_back({caller, [held = std::move(held)](int) {}, 1});
        give(std::move(replies));
    }).join();
    EXPECT_FALSE(watched.expired());
    cell.run_once(0);
    EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace dyad::driver
