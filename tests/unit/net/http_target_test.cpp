// The forms of a request's target, and what is known of a request that is refused.
#include "net/http.hpp"

#include <gtest/gtest.h>

namespace dyad::net {
namespace {

TEST(RequestReader, TheAuthorityOfAnAbsoluteTargetStandsForHost) {
    struct {
        const char* line;
        const char* target;
        const char* path;
        const char* host;
    } const cases[] = {
        {"GET http://b:8/x/y?q=1", "/x/y?q=1", "/x/y", "b:8"},
        {"GET HTTP://b/", "/", "/", "b"},
        {"GET http://b", "/", "/", "b"},
        {"GET http://[::1]:8?q=1", "/?q=1", "/", "[::1]:8"},
        {"OPTIONS http://b:8", "*", "*", "b:8"},
        {"OPTIONS *", "*", "*", "a"},
        {"GET /x?u=http://c/", "/x?u=http://c/", "/x", "a"},
        {"GET /http://c/", "/http://c/", "/http://c/", "a"},
    };
    for (const auto& c : cases) {
        RequestReader reader;
        const std::string text = std::string(c.line) + " HTTP/1.1\r\nHost: a\r\n\r\n";
        std::string_view bytes = text;
        const auto state = reader.feed(bytes);
        ASSERT_TRUE(state && *state == RequestReader::State::complete) << c.line;
        const Request request = reader.take();
        EXPECT_EQ(request.target, c.target) << c.line;
        EXPECT_EQ(request.path, c.path) << c.line;
        EXPECT_EQ(request.header("host"), c.host) << c.line;
    }
}

TEST(RequestReader, OfARefusedRequestItIsKnownForWhomTheRefusalIs) {
    const std::string start = "HEAD /a/b?c HTTP/1.1\r\nHost: a\r\nORIGIN:\t https://x.example \r\n";
    for (const std::string& rest :
         {std::string("Bad Name: x\r\n\r\n"), "X: " + std::string(20'000, 'x') + "\r\n\r\n",
          std::string("Content-Length: 99999999\r\n\r\n")}) {
        RequestReader reader;
        const std::string text = start + rest;
        std::string_view bytes = text;
        ASSERT_FALSE(reader.feed(bytes));
        EXPECT_EQ(reader.head().method, "HEAD");
        EXPECT_EQ(reader.head().target, "/a/b?c");
        EXPECT_EQ(reader.head().header("origin"), "https://x.example");
    }
}

}  // namespace
}  // namespace dyad::net
