// Who asked for privacy without the log saying so, and what ends that.
#include "core/privacy.hpp"

#include <gtest/gtest.h>

namespace dyad::core {

TEST(PrivacyAsks, AnAskStandsFromTheMomentItIsMade) {
    PrivacyAsks asks;
    EXPECT_EQ(asks.standing("desk"), 0u);
    asks.ask("desk", 5, 77);
    EXPECT_EQ(asks.standing("desk"), 5u);
    EXPECT_EQ(asks.standing("other"), 0u);
    EXPECT_TRUE(asks.stands("desk", 5));
    EXPECT_FALSE(asks.stands("desk", 0)) << "what came before the ask is not private";
    asks.refuse("desk", 5);
    EXPECT_EQ(asks.standing("desk"), 5u);
    EXPECT_TRUE(asks.stands("desk", 5));
}

TEST(PrivacyAsks, WhatTheLogSaysTakesItsPlace) {
    PrivacyAsks asks;
    asks.ask("desk", 5, 77);
    asks.noted("desk", 78);
    EXPECT_EQ(asks.standing("desk"), 5u) << "another operation";
    asks.noted("desk", 77);
    EXPECT_TRUE(asks.empty());
}

TEST(PrivacyAsks, OnlyALaterModeEndsIt) {
    PrivacyAsks asks;
    asks.ask("desk", 5, 77);
    asks.ended("desk", 4);
    EXPECT_EQ(asks.standing("desk"), 5u) << "asked for before, durable after";
    asks.refuse("desk", 5);
    asks.ended("desk", 4);
    EXPECT_EQ(asks.standing("desk"), 5u);
    asks.ended("desk", 6);
    EXPECT_TRUE(asks.empty());
}

TEST(PrivacyAsks, AModeBetweenTwoAsksEndsTheFirstOnly) {
    PrivacyAsks asks;
    asks.refuse("desk", 5);
    asks.refuse("desk", 9);
    EXPECT_TRUE(asks.stands("desk", 5));
    asks.ended("desk", 7);
    EXPECT_FALSE(asks.stands("desk", 5));
    EXPECT_TRUE(asks.stands("desk", 9));
}

TEST(PrivacyAsks, AnAskRefusedBehindANewerOneStandsFromWhenItCame) {
    PrivacyAsks asks;
    asks.ask("desk", 5, 77);
    asks.ask("desk", 9, 78);
    asks.refuse("desk", 9);  // the queue is full; the one before waits in it
    asks.refuse("desk", 5);
    EXPECT_TRUE(asks.stands("desk", 5));
    EXPECT_TRUE(asks.stands("desk", 7)) << "a command that came between the two";
    EXPECT_FALSE(asks.stands("desk", 4));
}

TEST(PrivacyAsks, ARepetitionIsNoAsk) {
    PrivacyAsks asks;
    asks.ask("desk", 5, 77);
    asks.forget_repeated("desk", 5);
    EXPECT_TRUE(asks.empty());
    asks.refuse("desk", 6);
    asks.ask("desk", 8, 78);
    asks.forget_repeated("desk", 8);
    EXPECT_EQ(asks.standing("desk"), 6u) << "the one before stands";
}

TEST(PrivacyAsks, WhatOthersSaidCountsOnceTheLogWasReadPastTheRefusal) {
    PrivacyAsks asks;
    asks.ask("desk", 5, 77);
    asks.ended_elsewhere("desk", 100);
    EXPECT_EQ(asks.standing("desk"), 5u) << "it is on its way";
    asks.refuse("desk", 5);
    asks.ended_elsewhere("desk", 101);
    EXPECT_EQ(asks.standing("desk"), 5u) << "it may be from before";
    asks.settle("desk", 5, 101);
    asks.ended_elsewhere("desk", 101);
    EXPECT_EQ(asks.standing("desk"), 5u);
    asks.ended_elsewhere("desk", 102);
    EXPECT_TRUE(asks.empty());
}

TEST(PrivacyAsks, WhatTheLogForgetsIsKeptForEveryCommand) {
    PrivacyAsks asks;
    asks.keep("desk", 40);
    EXPECT_NE(asks.standing("desk"), 0u);
    EXPECT_TRUE(asks.stands("desk", 0)) << "it came while the log said it";
    asks.ended_elsewhere("desk", 40);
    EXPECT_FALSE(asks.empty());
    asks.ended("desk", 5);
    EXPECT_TRUE(asks.empty());
    asks.keep("desk", 40);
    asks.ended_elsewhere("desk", 41);
    EXPECT_TRUE(asks.empty());
}

TEST(PrivacyAsks, TheNewestOfThoseWhoAreAwayAreKept) {
    PrivacyAsks asks;
    asks.refuse("here", 1);
    asks.ask("waits", 2, 7);
    for (std::uint64_t i = 3; i < 9; ++i)
        asks.refuse("away" + std::to_string(i), i);
    asks.trim(2, [](const std::string& id) { return id == "here"; });
    EXPECT_EQ(asks.standing("here"), 1u);
    EXPECT_EQ(asks.standing("waits"), 2u);
    EXPECT_EQ(asks.standing("away6"), 0u);
    EXPECT_EQ(asks.standing("away7"), 7u);
    EXPECT_EQ(asks.standing("away8"), 8u);
}

}  // namespace dyad::core
