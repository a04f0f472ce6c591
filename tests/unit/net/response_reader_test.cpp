#include "net/http_response.hpp"

#include <gtest/gtest.h>

namespace dyad::net {
namespace {

struct Read {
    ResponseReader reader;
    std::string body;
    std::string rest;
    bool complete = false;
    std::string error;
};

Read read(std::string_view text, std::size_t at_once) {
    Read out;
    while (!text.empty() && !out.complete && out.error.empty()) {
        std::string_view part = text.substr(0, at_once);
        text.remove_prefix(part.size());
        const Result<bool> fed = out.reader.feed(part, out.body);
        if (!fed) out.error = fed.error().detail;
        out.complete = fed && *fed;
        out.rest = std::string(part) + std::string(text);
    }
    return out;
}

TEST(ResponseReader, ReadsEveryFramingHoweverItIsCutUp) {
    for (const std::size_t at_once : {1ul, 3ul, 1000ul}) {
        Read one = read(
            "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 5\r\n\r\nhelloHTTP", at_once);
        EXPECT_TRUE(one.complete);
        EXPECT_EQ(one.body, "hello");
        EXPECT_EQ(one.rest, "HTTP");
        EXPECT_EQ(one.reader.status(), 200);
        EXPECT_EQ(one.reader.header("content-type"), "a/b");
        EXPECT_TRUE(one.reader.keeps_alive());

        one = read(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
            "3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n",
            at_once);
        EXPECT_TRUE(one.complete);
        EXPECT_EQ(one.body, "abcde");
        EXPECT_FALSE(one.reader.keeps_alive());

        one =
            read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
                 at_once);
        EXPECT_TRUE(one.complete);
        EXPECT_EQ(one.reader.status(), 202);

        one = read("HTTP/1.1 204 No Content\r\n\r\n", at_once);
        EXPECT_TRUE(one.complete);

        one = read("HTTP/1.0 200 OK\r\n\r\nuntil the end", at_once);
        EXPECT_FALSE(one.complete);
        EXPECT_TRUE(one.reader.ended());
        EXPECT_EQ(one.body, "until the end");
        EXPECT_FALSE(one.reader.keeps_alive());
    }
}

TEST(ResponseReader, WhatIsNoHttpIsAnError) {
    for (const char* const text :
         {"SSH-2.0-OpenSSH_9.2\r\n", "HTTK\r\n\r\n", "HTTP/1.1 20\r\n\r\n", "HTTP/1.1 abc\r\n\r\n",
          "HTTP/2 200\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
          "HTTP/1.1 200 OK\r\nbad line\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"})
        EXPECT_NE(read(text, 1).error, "") << text;
    EXPECT_NE(read("HTTP/1.1 200 OK\r\nx: " + std::string(70'000, 'y'), 1000).error, "");
    EXPECT_TRUE(ResponseReader().untouched());
}

}  // namespace
}  // namespace dyad::net
