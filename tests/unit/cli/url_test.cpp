#include "cli/url.hpp"

#include <gtest/gtest.h>

namespace dyad::cli {
namespace {

struct Good {
    const char* written;
    const char* meant;
    int port;
};
class GoodUrl : public testing::TestWithParam<Good> {};
TEST_P(GoodUrl, IsRead) {
    const Result<Url> url = Url::parse(GetParam().written);
    ASSERT_TRUE(url) << GetParam().written << ": " << url.error().detail;
    EXPECT_EQ(url->text(), GetParam().meant);
    EXPECT_EQ(url->port, GetParam().port) << GetParam().written;
}
INSTANTIATE_TEST_SUITE_P(
    All, GoodUrl,
    testing::Values(Good{"http://127.0.0.1:9000", "http://127.0.0.1:9000", 9000},
                    Good{"http://memory.example.com", "http://memory.example.com", 80},
                    Good{"https://memory.example.com", "https://memory.example.com", 443},
                    Good{"http://a:80/", "http://a", 80}, Good{"https://a:443", "https://a", 443},
                    Good{"https://a:80", "https://a:80", 80}, Good{"http://a:/", "http://a", 80},
                    Good{"http://h:1/team/memory", "http://h:1/team/memory", 1},
                    Good{"http://h:1/team/memory/", "http://h:1/team/memory", 1},
                    Good{"http://h:1/a%2Fb//", "http://h:1/a%2Fb", 1},
                    Good{"HTTP://Memory.Example.COM:81", "http://memory.example.com:81", 81},
                    Good{"HTTPS://h", "https://h", 443}, Good{"http://[::1]/", "http://[::1]", 80},
                    Good{"http://[::1]:81", "http://[::1]:81", 81},
                    Good{"https://[2001:DB8::1]", "https://[2001:db8::1]", 443},
                    Good{"ws://[::1]:81/sync", "http://[::1]:81", 81},
                    Good{"wss://h/team/sync", "https://h/team", 443},
                    Good{"ws://h:2/sync/", "http://h:2", 2},
                    Good{"http://h/sync", "http://h/sync", 80},
                    Good{"localhost:9000", "http://localhost:9000", 9000},
                    Good{"[::1]:9000/x", "http://[::1]:9000/x", 9000}));

struct Bad {
    const char* written;
    const char* says;
};
class BadUrl : public testing::TestWithParam<Bad> {};
TEST_P(BadUrl, IsRefusedByWhatIsWrong) {
    const Result<Url> url = Url::parse(GetParam().written);
    ASSERT_FALSE(url) << GetParam().written;
    EXPECT_EQ(url.error().code, Errc::invalid_field);
    EXPECT_NE(url.error().detail.find(GetParam().says), std::string::npos) << url.error().detail;
}
INSTANTIATE_TEST_SUITE_P(
    All, BadUrl,
    testing::Values(Bad{"", "http://127.0.0.1:8765"}, Bad{"http://", "names no host"},
                    Bad{"http:///x", "names no host"}, Bad{"ftp://a", "scheme \"ftp\""},
                    Bad{"file:///x", "scheme \"file\""}, Bad{"unix://a/x", "scheme \"unix\""},
                    Bad{"http://a:0", "port \"0\""}, Bad{"http://a:65536", "port"},
                    Bad{"http://a:1x", "port"}, Bad{"http://:80", "names no host"},
                    Bad{"http://ada@h", "user name"}, Bad{"http://ada:pw@h:1/x", "user name"},
                    Bad{"http://h/?user=ada", "query"}, Bad{"http://h?", "query"},
                    Bad{"http://h/#x", "fragment"}, Bad{"http://a b", "is no URL"},
                    Bad{"http://[::1", "is no URL"},
                    Bad{"memory.example.com", "http://memory.example.com:8765"},
                    Bad{"localhost", "http://localhost for port 80"}, Bad{"::1", "has no scheme"},
                    Bad{"::1:9000", "http://[::1]:8765"}, Bad{"http:a:1", "has no scheme"},
                    Bad{"http://b\u00fccher", "not ASCII"}, Bad{"http://$HOST:1", "is no URL"},
                    Bad{"http://h/%zz", "is no URL"}, Bad{"http://h/a%2", "is no URL"}));

}  // namespace
}  // namespace dyad::cli
