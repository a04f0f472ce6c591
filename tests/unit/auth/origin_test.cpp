#include "auth/origin.hpp"

#include "auth/identity.hpp"

#include <gtest/gtest.h>

namespace dyad::auth {
namespace {

OriginPolicy policy() {
    return OriginPolicy("127.0.0.1", 8765, {"https://dyad.example"}, {"dyad.example:443"});
}

TEST(OriginPolicy, TakesItsOwnOriginsAndThoseOfTheSettings) {
    for (const char* origin : {"http://127.0.0.1:8765", "http://localhost:8765",
                               "http://[::1]:8765", "https://dyad.example"})
        EXPECT_TRUE(policy().origin_allowed(origin)) << origin;
}

TEST(OriginPolicy, RefusesEverythingThatOnlyLooksAlike) {
    for (const char* origin :
         {"", "null", "http://localhost", "http://localhost:87650", "http://localhost:876",
          "https://localhost:8765", "http://localhost:8765/", "http://localhost:8765.evil.example",
          "http://evil.example", "http://sub.localhost:8765", "http://127.0.0.2:8765",
          "http://0.0.0.0:8765", "http://localhost:8765@evil.example", "*", "http://dyad.example",
          "https://dyad.example:444", "https://sub.dyad.example", "https://dyad.example.evil",
          "http://localhost:8765 http://evil.example"})
        EXPECT_FALSE(policy().origin_allowed(origin)) << origin;
}

TEST(OriginPolicy, TakesHostsOfTheLoopbackWithTheBoundPortOnly) {
    for (const char* host : {"127.0.0.1:8765", "localhost:8765", "LOCALHOST:8765", "[::1]:8765",
                             "dyad.example:443", "Dyad.Example:443"})
        EXPECT_TRUE(policy().host_allowed(host)) << host;
    for (const char* host :
         {"", "localhost", "127.0.0.1", "localhost:80", "localhost:8765 ", "evil.example:8765",
          "localhost.evil.example:8765", "127.0.0.2:8765", "0.0.0.0:8765", "[::]:8765",
          "dyad.example", "user@localhost:8765", "localhost.:8765"})
        EXPECT_FALSE(policy().host_allowed(host)) << host;
}

TEST(OriginPolicy, KnowsTheBoundAddressButNotEveryAddress) {
    EXPECT_TRUE(OriginPolicy("192.168.1.5", 80, {}, {}).host_allowed("192.168.1.5"));
    EXPECT_TRUE(OriginPolicy("fe80::1", 8765, {}, {}).host_allowed("[fe80::1]:8765"));
    EXPECT_FALSE(OriginPolicy("0.0.0.0", 8765, {}, {}).host_allowed("0.0.0.0:8765"));
    EXPECT_FALSE(OriginPolicy("::", 8765, {}, {}).host_allowed("[::]:8765"));
}

TEST(OriginPolicy, KnowsLoopbackAddresses) {
    for (const char* host : {"127.0.0.1", "127.8.9.1", "::1", "localhost"})
        EXPECT_TRUE(is_loopback(host)) << host;
    for (const char* host : {"0.0.0.0", "::", "192.168.1.5", "127.evil.example", "128.0.0.1", ""})
        EXPECT_FALSE(is_loopback(host)) << host;
}

TEST(Identity, ClaimsNothingMeansTheServersUser) {
    EXPECT_EQ(*user_of("", "ada"), "ada");
    EXPECT_EQ(*user_of("bob", "ada"), "bob");
    EXPECT_EQ(user_of(std::string(257, 'u'), "ada").error().code, Errc::too_large);
    EXPECT_EQ(user_of("a\nb", "ada").error().code, Errc::invalid_field);
}

}  // namespace
}  // namespace dyad::auth
