// Listening, and what is said where that fails; on the loopback interface.
#include "net/listener.hpp"

#include "support/dial.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dyad::net {
namespace {

TEST(ListenTcp, SaysWhichProcessHoldsThePort) {
    const Result<Fd> first = listen_tcp("127.0.0.1", 0);
    ASSERT_TRUE(first);
    const std::uint16_t port = local_port(first->get());
    const Result<Fd> second = listen_tcp("127.0.0.1", port);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::unavailable);
    const std::string& text = second.error().detail;
    EXPECT_NE(text.find("port " + std::to_string(port) + " is in use by process " +
                        std::to_string(getpid()) + " ("),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("--port"), std::string::npos) << text;
}

TEST(ListenTcp, RefusesWhatIsNoAddress) {
    for (const char* host : {"", "nowhere.invalid", "256.1.1.1", "1::2::3", "*"}) {
        const Result<Fd> fd = listen_tcp(host, 0);
        ASSERT_FALSE(fd) << host;
        EXPECT_EQ(fd.error().code, Errc::invalid_field) << host;
    }
    const Result<Fd> foreign = listen_tcp("192.0.2.1", 0);
    ASSERT_FALSE(foreign);
    EXPECT_NE(foreign.error().detail.find("192.0.2.1"), std::string::npos);
}

struct ListenCase {
    const char* host;
    std::vector<std::string> reachable;
    std::vector<std::string> not_reachable;
};

TEST(ListenAll, LocalhostAndEveryAddressStandForBothFamilies) {
    const std::vector<std::string> both = {"127.0.0.1", "::1", "localhost"};
    const ListenCase cases[] = {{"localhost", both, {}},
                                {"::", both, {}},
                                {"[::]", both, {}},
                                {"0.0.0.0", both, {}},
                                {"127.0.0.1", {"127.0.0.1", "localhost"}, {"::1"}},
                                {"::1", {"::1", "localhost"}, {"127.0.0.1"}}};
    for (const ListenCase& c : cases) {
        const auto sockets = listen_all(c.host, 0);
        ASSERT_TRUE(sockets) << c.host << ": " << sockets.error().detail;
        const std::uint16_t port = local_port(sockets->front().get());
        for (const std::string& address : c.reachable)
            EXPECT_TRUE(test::dial(address, port).valid()) << c.host << " at " << address;
        for (const std::string& address : c.not_reachable)
            EXPECT_FALSE(test::dial(address, port).valid()) << c.host << " at " << address;
    }
}

Result<Fd> only_v4(const std::string& address, std::uint16_t port) {
    if (address.find(':') == std::string::npos) return listen_tcp(address, port);
    return fail(Errc::invalid_field, "host: cannot listen on " + address);
}
Result<Fd> only_v6(const std::string& address, std::uint16_t port) {
    if (address.find(':') != std::string::npos) return listen_tcp(address, port);
    return fail(Errc::invalid_field, "host: cannot listen on " + address);
}
Result<Fd> neither(const std::string& address, std::uint16_t) {
    return fail(Errc::invalid_field, "host: cannot listen on " + address);
}

TEST(ListenAll, AFamilyThatTheMachineDoesNotHaveIsLeftOut) {
    for (const char* host : {"localhost", "::", "0.0.0.0"}) {
        const auto four = listen_all(host, 0, only_v4);
        ASSERT_TRUE(four) << host;
        EXPECT_EQ(four->size(), 1U);
        EXPECT_TRUE(test::dial("localhost", local_port(four->front().get())).valid());
        const auto six = listen_all(host, 0, only_v6);
        ASSERT_TRUE(six) << host;
        EXPECT_TRUE(test::dial("localhost", local_port(six->front().get())).valid());
        const auto none = listen_all(host, 0, neither);
        ASSERT_FALSE(none) << host;
        EXPECT_EQ(none.error().code, Errc::invalid_field);
    }
    EXPECT_FALSE(listen_all("::1", 0, only_v4)) << "asked for by its address";
}

TEST(ListenAll, APortThatIsTakenInOneFamilyIsAnErrorThatNamesIt) {
    const std::pair<const char*, const char*> cases[] = {
        {"127.0.0.1", "localhost"}, {"::1", "localhost"}, {"::1", "0.0.0.0"}, {"::1", "::"}};
    for (const auto& [taken, host] : cases) {
        const Result<Fd> first = listen_tcp(taken, 0);
        ASSERT_TRUE(first);
        const std::uint16_t port = local_port(first->get());
        const auto second = listen_all(host, port);
        ASSERT_FALSE(second) << taken << " " << host;
        EXPECT_EQ(second.error().code, Errc::unavailable);
        const std::string& text = second.error().detail;
        EXPECT_NE(text.find("port " + std::to_string(port) + " is in use by process " +
                            std::to_string(getpid())),
                  std::string::npos)
            << text;
    }
}

TEST(ListenAll, APortThatTheSystemChoseIsFreeInBoth) {
    static int calls = 0;
    calls = 0;
    const ListenFn second_time = [](const std::string& address, std::uint16_t port) {
        if (address == "::1" && ++calls == 1) return Result<Fd>(fail(Errc::unavailable, "in use"));
        return listen_tcp(address, port);
    };
    const auto sockets = listen_all("localhost", 0, second_time);
    ASSERT_TRUE(sockets);
    ASSERT_EQ(sockets->size(), 2U);
    EXPECT_EQ(local_port((*sockets)[0].get()), local_port((*sockets)[1].get()));
}

TEST(PortHolder, KnowsNothingOfAFreePort) {
    std::uint16_t port = 0;
    {
        const Result<Fd> fd = listen_tcp("127.0.0.1", 0);
        ASSERT_TRUE(fd);
        port = local_port(fd->get());
        EXPECT_EQ(port_holder(port).process, getpid());
        EXPECT_NE(port_holder(port).text, "");
    }
    EXPECT_EQ(port_holder(port).text, "");
}

struct Accepting {
    Loop loop;
    std::vector<Fd> taken;
    Listener listener;

    Accepting()
        : listener(loop, *listen_tcp("127.0.0.1", 0),
                   [this](Fd fd) { taken.push_back(std::move(fd)); }) {}
    Fd dial() { return test::dial("127.0.0.1", listener.port()); }
};

TEST(Listener, HandsOverNonBlockingSocketsThatSendAtOnce) {
    Accepting a;
    const Fd client = a.dial();
    ASSERT_TRUE(client.valid());
    a.loop.run_once(1000);
    ASSERT_EQ(a.taken.size(), 1U);
    int no_delay = 0;
    socklen_t size = sizeof no_delay;
    ASSERT_EQ(getsockopt(a.taken[0].get(), IPPROTO_TCP, TCP_NODELAY, &no_delay, &size), 0);
    EXPECT_NE(no_delay, 0);
    char byte;
    EXPECT_EQ(receive_some(a.taken[0].get(), std::span(&byte, 1)).state, Io::would_block);
    EXPECT_EQ(recv(a.taken[0].get(), &byte, 1, 0), -1) << "must not block";
}

TEST(Listener, TakesABoundedNumberPerTurnAndLosesNone) {
    Accepting a;
    std::vector<Fd> clients;
    for (int i = 0; i < 150; ++i)
        ASSERT_TRUE(clients.emplace_back(a.dial()).valid());
    a.loop.run_once(1000);
    EXPECT_LE(a.taken.size(), 64U);
    for (int i = 0; i < 10; ++i)
        a.loop.run_once(0);
    EXPECT_EQ(a.taken.size(), 150U);
}

TEST(Listener, ThePortIsFreeAfterClose) {
    Accepting a;
    const std::uint16_t port = a.listener.port();
    a.listener.close();
    a.listener.close();
    EXPECT_FALSE(test::dial("127.0.0.1", port).valid());
    EXPECT_TRUE(listen_tcp("127.0.0.1", port));
}

// Lowers the limit of open descriptors to what is open now.
class NoDescriptorsLeft {
  public:
    NoDescriptorsLeft() {
        EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0);
        const int lowest = dup(0);
        close(lowest);
        rlimit now = before_;
        now.rlim_cur = static_cast<rlim_t>(lowest);
        EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &now), 0);
    }
    ~NoDescriptorsLeft() { EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &before_), 0); }

  private:
    rlimit before_{};
};

TEST(Listener, WithoutDescriptorsItClosesConnectionsInsteadOfSpinning) {
    Accepting a;
    std::vector<Fd> clients;
    for (int i = 0; i < 3; ++i)
        ASSERT_TRUE(clients.emplace_back(a.dial()).valid());
    {
        const NoDescriptorsLeft none;
        for (int i = 0; i < 3; ++i)
            a.loop.run_once(1000);
        EXPECT_TRUE(a.taken.empty());
    }
    for (const Fd& client : clients) {
        char byte;
        EXPECT_EQ(receive_some(client.get(), std::span(&byte, 1)).state, Io::closed);
    }
    const Fd later = a.dial();
    ASSERT_TRUE(later.valid());
    for (int i = 0; i < 3 && a.taken.empty(); ++i)
        a.loop.run_once(200);
    EXPECT_EQ(a.taken.size(), 1U) << "it goes on once there are descriptors";
}

}  // namespace
}  // namespace dyad::net
