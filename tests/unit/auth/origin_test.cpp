#include "auth/origin.hpp"

#include "auth/identity.hpp"

#include <gtest/gtest.h>

namespace dyad::auth {
namespace {

constexpr std::string_view kOwn = "127.0.0.1:8765";

OriginPolicy policy() {
    return OriginPolicy("127.0.0.1", 8765, {"https://Dyad.Example:443/", "no origin"},
                        {"Dyad.Example:443", "nas.local", "proxy:8080", "no/host"});
}

TEST(OriginPolicy, TakesItsOwnOriginsAndThoseOfTheSettings) {
    for (const char* origin : {"http://127.0.0.1:8765", "http://localhost:8765",
                               "http://[::1]:8765", "https://dyad.example"})
        EXPECT_TRUE(policy().origin_allowed(origin, kOwn)) << origin;
    EXPECT_TRUE(policy().origin_allowed("https://dyad.example", "elsewhere.example"));
}

TEST(OriginPolicy, RefusesEverythingThatOnlyLooksAlike) {
    for (const char* origin : {"",
                               "null",
                               "http://localhost",
                               "http://localhost:87650",
                               "http://localhost:876",
                               "https://localhost:8765",
                               "http://localhost:8765/",
                               "http://localhost:8765.evil.example",
                               "http://evil.example",
                               "http://sub.localhost:8765",
                               "http://127.0.0.2:8765",
                               "http://0.0.0.0:8765",
                               "http://localhost:8765@evil.example",
                               "*",
                               "http://dyad.example",
                               "https://dyad.example:444",
                               "https://sub.dyad.example",
                               "https://dyad.example.evil",
                               "http://localhost:8765 http://evil.example",
                               "http://LOCALHOST:8765",
                               "http://localhost:08765",
                               "http://localhost.:8765",
                               "no origin",
                               "https://dyad.example:443",
                               "https://Dyad.Example"})
        EXPECT_FALSE(policy().origin_allowed(origin, kOwn)) << origin;
}

TEST(OriginPolicy, APageFromTheNameAndPortThatIsAskedIsTheServersOwnOnTheLoopback) {
    struct {
        const char* origin;
        const char* host;
        bool allowed;
    } const cases[] = {
        {"http://localhost:9000", "localhost:9000", true},
        {"http://localhost:9000", "LOCALHOST:9000", true},
        {"http://127.0.0.1:9000", "127.0.0.1:9000", true},
        {"http://[::1]:9000", "[::1]:9000", true},
        {"http://dyad.localhost:9000", "dyad.localhost:9000", true},
        {"http://localhost", "localhost", true},
        {"http://localhost", "localhost:80", true},
        {"https://localhost:8443", "localhost:8443", true},
        {"https://localhost", "localhost", true},
        // another server of this machine
        {"http://localhost:3000", "localhost:8765", false},
        {"http://localhost:8765", "localhost:9000", false},
        {"http://127.0.0.1:9000", "localhost:9000", false},
        {"http://localhost", "localhost:8765", false},
        {"http://a.localhost:9000", "b.localhost:9000", false},
        // a name that anybody could have
        {"http://evil.example:8765", "evil.example:8765", false},
        {"http://nas.local:8765", "nas.local:8765", false},
        {"http://dyad.example", "dyad.example", false},
        {"ws://localhost:9000", "localhost:9000", false},
    };
    for (const auto& c : cases)
        EXPECT_EQ(policy().origin_allowed(c.origin, c.host), c.allowed)
            << c.origin << " of " << c.host;
}

TEST(OriginPolicy, TakesTheNamesOfTheLoopbackWithAnyPortAndThoseOfTheSettings) {
    for (const char* host :
         {"127.0.0.1:8765", "localhost:8765", "LOCALHOST:8765", "[::1]:8765", "localhost",
          "127.0.0.1", "localhost:80", "127.0.0.2:9000", "localhost.:8765", "a.localhost",
          "[0:0:0:0:0:0:0:1]:1", "dyad.example:443", "Dyad.Example:443", "dyad.example",
          "nas.local", "NAS.local:8765", "nas.local:443", "proxy:8080"})
        EXPECT_TRUE(policy().host_allowed(host)) << host;
    for (const char* host : {"",
                             "localhost:8765 ",
                             "evil.example:8765",
                             "localhost.evil.example:8765",
                             "0.0.0.0:8765",
                             "[::]:8765",
                             "dyad.example:444",
                             "user@localhost:8765",
                             "localhost:0",
                             "localhost:65536",
                             "localhost:x",
                             "localhost:80:80",
                             "127.0.0.1.evil.example",
                             "127.1",
                             "0x7f.1",
                             "2130706433",
                             "127.0.0.256",
                             "127.0.0.1.",
                             "[::1",
                             "::1",
                             "proxy",
                             "proxy:80",
                             "local host",
                             ".localhost",
                             "a..localhost",
                             "no/host"})
        EXPECT_FALSE(policy().host_allowed(host)) << host;
}

TEST(Origins, AreWrittenAsABrowserWritesThem) {
    const std::pair<const char*, const char*> cases[] = {
        {"https://a.example.com", "https://a.example.com"},
        {"https://A.Example.COM", "https://a.example.com"},
        {"HTTPS://a.example.com", "https://a.example.com"},
        {"https://a.example.com:443", "https://a.example.com"},
        {"https://a.example.com:0443", "https://a.example.com"},
        {"http://a.example.com:80", "http://a.example.com"},
        {"http://a.example.com:443", "http://a.example.com:443"},
        {"https://a.example.com:", "https://a.example.com"},
        {"https://a.example.com/", "https://a.example.com"},
        {"https://a.example.com:443/", "https://a.example.com"},
        {"http://localhost:3000/", "http://localhost:3000"},
        {"http://[0:0:0:0:0:0:0:1]:3000", "http://[::1]:3000"},
        {"http://[2001:DB8:0:0:1:0:0:1]", "http://[2001:db8::1:0:0:1]"},
        {"http://[::ffff:1.2.3.4]", "http://[::ffff:102:304]"},
        {"http://[::]", "http://[::]"},
        {"http://[1::]", "http://[1::]"},
        {"https://xn--bcher-kva.example", "https://xn--bcher-kva.example"},
        {"chrome-extension://ABCDEF", "chrome-extension://abcdef"},
        {"moz-extension://0-1-2-3/", "moz-extension://0-1-2-3"},
        {"tauri://localhost", "tauri://localhost"},
        {"app://obsidian.md", "app://obsidian.md"},
    };
    for (const auto& [text, written] : cases) {
        const Result<std::string> origin = parse_origin(text);
        ASSERT_TRUE(origin) << text << ": " << origin.error().detail;
        EXPECT_EQ(*origin, written) << text;
    }
}

TEST(Origins, WhatCanNeverMatchIsRefusedAndSaysWhy) {
    const std::pair<const char*, const char*> cases[] = {
        {"*", "each origin"},
        {"null", "https://"},
        {"", "https://"},
        {"a.example.com", "https://"},
        {"https://", "host name"},
        {"https://*.example.com", "wildcard"},
        {"https://a.example.com/app", "no path"},
        {"https://a.example.com//", "no path"},
        {"https://a.example.com?x", "no path"},
        {"https://a.example.com#x", "no path"},
        {"https://u:p@a.example.com", "user"},
        {"https://a.example.com:0", "port"},
        {"https://a.example.com:65536", "port"},
        {"https://a.example.com:x", "port"},
        {"https://b\xc3\xbc"
         "cher.example",
         "ASCII"},
        {"https://a b", "host name"},
        {"https://a%20b", "host name"},
        {"http://127.1", "IPv4"},
        {"http://0x7f.0.0.1", "IPv4"},
        {"http://[::1", "IPv6"},
        {"http://[fe80::1%25eth0]", "IPv6"},
        {"ws://a.example.com", "http://"},
        {"wss://a.example.com", "http://"},
        {"file:///tmp/x.html", "scheme"},
        {"1x://a", "https://"},
        {"https://a.example.com,https://b.example.com", "no path"},
        {"https://a.example.com, b", "host name"},
    };
    for (const auto& [text, why] : cases) {
        const Result<std::string> origin = parse_origin(text);
        ASSERT_FALSE(origin) << text;
        EXPECT_EQ(origin.error().code, Errc::invalid_field);
        EXPECT_NE(origin.error().detail.find(why), std::string::npos) << origin.error().detail;
    }
    for (const char* host : {"https://a.example.com", "a/b", "*", "*.local", "", "a:0", "u@a"})
        EXPECT_FALSE(parse_host(host)) << host;
}

TEST(OriginPolicy, KnowsTheBoundAddressButNotEveryAddress) {
    EXPECT_TRUE(OriginPolicy("192.168.1.5", 80, {}, {}).host_allowed("192.168.1.5"));
    EXPECT_TRUE(OriginPolicy("fe80::1", 8765, {}, {}).host_allowed("[fe80::1]:8765"));
    EXPECT_FALSE(OriginPolicy("0.0.0.0", 8765, {}, {}).host_allowed("0.0.0.0:8765"));
    EXPECT_FALSE(OriginPolicy("::", 8765, {}, {}).host_allowed("[::]:8765"));
}

TEST(OriginPolicy, KnowsLoopbackAddresses) {
    for (const char* host :
         {"127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "LocalHost", "a.localhost"})
        EXPECT_TRUE(is_loopback(host)) << host;
    for (const char* host : {"0.0.0.0", "::", "192.168.1.5", "127.evil.example", "128.0.0.1", ""})
        EXPECT_FALSE(is_loopback(host)) << host;
}

TEST(Identity, ClaimsNothingMeansTheServersUser) {
    EXPECT_EQ(principal_of("", "ada")->user, "ada");
    EXPECT_EQ(principal_of("bob", "ada")->user, "bob");
    EXPECT_EQ(principal_of(std::string(257, 'u'), "ada").error().code, Errc::too_large);
    EXPECT_EQ(principal_of("a\nb", "ada").error().code, Errc::invalid_field);
}

}  // namespace
}  // namespace dyad::auth
