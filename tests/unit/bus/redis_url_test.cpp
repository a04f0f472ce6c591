#include "bus/redis/redis_url.hpp"

#include "base/limits.hpp"
#include "bus/redis/redis_connection.hpp"

#include <gtest/gtest.h>

namespace dyad::bus {

TEST(RedisUrl, SaysWhereAndAsWhom) {
    struct Case {
        const char* text;
        RedisUrl url;
    };
    const Case cases[] = {
        {"redis://localhost:6379", {}},
        {"redis://localhost", {}},
        {"redis://localhost/", {}},
        {"redis://10.0.0.1:7000/15", {.host = "10.0.0.1", .port = 7000, .database = 15}},
        {"rediss://username:password@redis-cloud.com:6380",
         {.tls = true,
          .host = "redis-cloud.com",
          .port = 6380,
          .user = "username",
          .password = "password"}},
        {"redis://:secret@h", {.host = "h", .password = "secret"}},
        {"redis://u@h", {.host = "h", .user = "u"}},
        {"redis://a%40b:p%3a%2F%25w@h/1?protocol=3",
         {.host = "h", .user = "a@b", .password = "p:/%w", .database = 1}},
        {"redis://u:p@ss/word@h", {.host = "h", .user = "u", .password = "p@ss/word"}},
        {"redis://[::1]:6380/2", {.host = "::1", .port = 6380, .database = 2}},
        {"redis://[fe80::1]", {.host = "fe80::1"}},
    };
    for (const Case& one : cases) {
        const auto read = RedisUrl::parse(one.text);
        ASSERT_TRUE(read.has_value()) << one.text;
        EXPECT_EQ(read->tls, one.url.tls) << one.text;
        EXPECT_EQ(read->host, one.url.host) << one.text;
        EXPECT_EQ(read->port, one.url.port) << one.text;
        EXPECT_EQ(read->user, one.url.user) << one.text;
        EXPECT_EQ(read->password, one.url.password) << one.text;
        EXPECT_EQ(read->database, one.url.database) << one.text;
    }
}

TEST(RedisUrl, WhatIsWrongIsRefusedWithoutThePassword) {
    for (const char* text :
         {"", "localhost:6379", "http://h", "redis:/h", "redis://", "redis://:6379",
          "redis://u:hunter2@", "redis://u:hunter2@h:0", "redis://u:hunter2@h:70000",
          "redis://u:hunter2@h:x", "redis://u:hunter2@h/x", "redis://u:hunter2%zz@h",
          "redis://a:1,b:2", "redis://[::1", "redis://[::1]6379", "redis://h:"}) {
        const auto read = RedisUrl::parse(text);
        ASSERT_FALSE(read.has_value()) << text;
        EXPECT_EQ(read.error().code, Errc::invalid_field);
        EXPECT_EQ(read.error().detail.find("hunter2"), std::string::npos) << read.error().detail;
    }
}

TEST(RedisConnection, PausesGrowToTheirCeilingAndAreNotAllAlike) {
    SystemRandom random;
    for (const std::int64_t ceiling_at : {0, 1, 10, 1000}) {
        std::int64_t before_least = 0;
        for (std::int64_t failures = 0; failures <= ceiling_at + 2;
             failures += 1 + ceiling_at / 8) {
            std::int64_t least = INT64_MAX, most = 0;
            for (int i = 0; i < 200; ++i) {
                const std::int64_t pause = reconnect_pause_ms(failures, ceiling_at, random);
                least = std::min(least, pause);
                most = std::max(most, pause);
            }
            EXPECT_LE(most, limits::redis_reconnect_ms_max);
            EXPECT_GE(least, 25);
            EXPECT_GT(most, least);
            EXPECT_GE(least * 2, before_least) << "it does not shrink but by chance";
            before_least = least;
            if (failures >= ceiling_at) EXPECT_GE(least, limits::redis_reconnect_ms_max / 2);
        }
    }
}

}  // namespace dyad::bus
