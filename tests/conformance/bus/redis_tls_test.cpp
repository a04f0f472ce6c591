// TLS with a real redis-server: certificates that are good, and those that must be refused.
#include "conformance/bus/redis_rig.hpp"

#include <cstdlib>
#include <fstream>

namespace dyad::conformance {

class RedisTlsTest : public RedisServerTest {
  protected:
    void SetUp() override {
        RedisServerTest::SetUp();
        if (IsSkipped()) return;
        const std::string ca = folder_ / "ca", key = folder_ / "redis";
        std::ofstream(folder_ / "names") << "subjectAltName=DNS:localhost";
        run("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test-ca -keyout " + ca +
            ".key -out " + ca + ".crt");
        run("openssl req -newkey rsa:2048 -nodes -subj /CN=redis -keyout " + key + ".key -out " +
            key + ".csr");
        run("openssl x509 -req -days 2 -in " + key + ".csr -CA " + ca + ".crt -CAkey " + ca +
            ".key -CAcreateserial -extfile " + (folder_ / "names") + " -out " + key + ".crt");
        const std::uint16_t port = free_port();
        redis_ = std::make_unique<RedisProcess>(
            std::vector<std::string>{"--port", "0", "--tls-port", std::to_string(port),
                                     "--tls-cert-file", key + ".crt", "--tls-key-file",
                                     key + ".key", "--tls-ca-cert-file", ca + ".crt",
                                     "--tls-auth-clients", "no"},
            port);
        options_ = {.url = redis_->url(), .tls = true, .ca_file = ca + ".crt"};
        options_.url.host = "localhost";
    }
    static void run(const std::string& command) {
        ASSERT_EQ(std::system((command + " >/dev/null 2>&1").c_str()), 0) << command;
    }

    ScratchFolder folder_;
    std::unique_ptr<RedisProcess> redis_;
    RedisOptions options_;
};

TEST_F(RedisTlsTest, ACertificateThatIsTrustedAndMadeOutToTheHostWillDo) {
    auto a = connected_node(options_);
    auto b = connected_node(options_);
    b->bus.follow("ada");
    ASSERT_TRUE(wait([&] { return b->all<Hint>().size() == 1; }));
    const Announcement large = context_events("ada", 3, 200'000);  // many TLS records
    a->bus.publish(large);
    ASSERT_TRUE(wait([&] { return b->all<Announcement>().size() == 1; }));
    EXPECT_EQ(b->all<Announcement>()[0].batch->texts, large.batch->texts);
}

TEST_F(RedisTlsTest, ACertificateOfAnotherHostIsRefused) {
    options_.url.host = "127.0.0.1";
    expect_says(problem_of(options_), "not made out to 127.0.0.1");
}

TEST_F(RedisTlsTest, AnAuthorityThatIsNotTrustedIsRefused) {
    options_.ca_file.clear();
    expect_says(problem_of(options_), "is not trusted");
    options_.ca_file = folder_ / "nothing";
    expect_says(problem_of(options_), "cannot be read");
}

TEST_F(RedisTlsTest, WhoSpeaksTheOtherWayIsToldOf) {
    RedisOptions plain = options_;
    plain.tls = false;
    const std::string problem = problem_of(plain);
    expect_says(problem, "rediss://");
    RedisProcess redis;
    options_.url.port = redis.port();
    options_.url.host = "127.0.0.1";
    expect_says(problem_of(options_), "redis:// instead of rediss://");
}

}  // namespace dyad::conformance
