// HTTP connections, on a whole server in this process.
#include "support/dial.hpp"
#include "support/loopback.hpp"

#include <poll.h>
#include <sys/socket.h>

namespace dyad {
namespace {

using test::Loopback;

// Sends `text` and reads until the server closes or `answers` status lines have come.
std::string talk(const Loopback& server, std::string text, std::size_t answers) {
    const std::string port = std::to_string(server.url().port);
    for (std::size_t at; (at = text.find("PORT")) != std::string::npos;)
        text.replace(at, 4, port);
    const net::Fd fd = test::dial("127.0.0.1", server.url().port);
    EXPECT_TRUE(fd.valid());
    EXPECT_EQ(send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
    std::string got;
    const auto count = [&got] {
        std::size_t lines = 0;
        for (std::size_t at = 0; (at = got.find("HTTP/1.1 ", at)) != std::string::npos; ++at)
            ++lines;
        return lines;
    };
    char buffer[65536];
    while (count() < answers || got.find("\r\n\r\n") == std::string::npos) {
        pollfd ready{.fd = fd.get(), .events = POLLIN, .revents = 0};
        if (poll(&ready, 1, 10'000) != 1) break;
        const ssize_t size = recv(fd.get(), buffer, sizeof buffer, 0);
        if (size <= 0) break;
        got.append(buffer, static_cast<std::size_t>(size));
    }
    return got;
}

TEST(HttpSession, AnswersPipelinedRequestsInTheirOrder) {
    Loopback server;
    const std::string got = talk(server,
                                 "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n"
                                 "GET /nothing-here HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n"
                                 "GET /sync HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n"
                                 "GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n",
                                 4);
    std::size_t at = 0;
    for (const char* status : {"HTTP/1.1 200", "HTTP/1.1 404", "HTTP/1.1 426", "HTTP/1.1 421"}) {
        at = got.find(status, at);
        ASSERT_NE(at, std::string::npos) << status << "\n" << got;
        ++at;
    }
}

TEST(HttpSession, RefusesForeignOriginsAndHostsEverywhere) {
    Loopback server;
    for (const char* path : {"/", "/sync", "/healthz", "/api/v1/contexts"}) {
        const std::string get = std::string("GET ") + path + " HTTP/1.1\r\n";
        EXPECT_EQ(talk(server, get + "Host: evil.example\r\n\r\n", 1).substr(9, 3), "421") << path;
        EXPECT_EQ(
            talk(server, get + "Host: 127.0.0.1:PORT\r\nOrigin: http://evil.example\r\n\r\n", 1)
                .substr(9, 3),
            "403")
            << path;
        EXPECT_EQ(talk(server,
                       get + "Host: 127.0.0.1:PORT\r\nOrigin: http://localhost:PORT\r\n"
                             "Origin: http://localhost:PORT\r\n\r\n",
                       1)
                      .substr(9, 3),
                  "403")
            << path;
    }
}

TEST(HttpSession, UpgradesOnlyWhereAndHowItShould) {
    Loopback server;
    const auto upgrade = [&server](const std::string& line, const std::string& more) {
        return talk(server,
                    line +
                        "\r\nHost: 127.0.0.1:PORT\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\n" +
                        more + "\r\n",
                    1)
            .substr(9, 3);
    };
    const std::string key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    const std::string version = "Sec-WebSocket-Version: 13\r\n";
    EXPECT_EQ(upgrade("GET /sync HTTP/1.1", key + version), "101");
    EXPECT_EQ(upgrade("GET /?x HTTP/1.1", key + version), "101");
    EXPECT_EQ(upgrade("GET /sync HTTP/1.1", version), "400");
    EXPECT_EQ(upgrade("GET /sync HTTP/1.1", key + key + version), "400");
    EXPECT_EQ(upgrade("GET /sync HTTP/1.1", key), "426");
    EXPECT_EQ(upgrade("GET /sync HTTP/1.1", key + "Sec-WebSocket-Version: 8\r\n"), "426");
    EXPECT_EQ(upgrade("POST /sync HTTP/1.1", key + version), "405");
    EXPECT_NE(upgrade("GET /%73ync HTTP/1.1", key + version), "101");
    EXPECT_NE(upgrade("GET /sync/ HTTP/1.1", key + version), "101");
}

TEST(HttpSession, AWebSocketThatShowsNoLifeIsClosed) {
    server::Settings settings;
    settings.ping_interval_ms = 400;
    settings.stale_timeout_ms = 1000;
    Loopback server(1, settings);
    const std::string got = talk(server,
                                 "GET /sync HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n"
                                 "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                 "Sec-WebSocket-Version: 13\r\n\r\n",
                                 2);
    EXPECT_NE(got.find("\"ping\""), std::string::npos);
    const std::size_t close = got.rfind('\x88');
    ASSERT_NE(close, std::string::npos);
    EXPECT_EQ(got.substr(close + 2, 2), "\x11\x38");  // 4408
}

TEST(HttpSession, HeadHasNoBodyAndTheConnectionGoesOn) {
    Loopback server;
    const std::string got = talk(server,
                                 "HEAD /healthz HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n"
                                 "GET /nothing-here HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
                                 2);
    const std::size_t end = got.find("\r\n\r\n");
    ASSERT_NE(end, std::string::npos);
    EXPECT_EQ(got.substr(end + 4, 12), "HTTP/1.1 404");
}

TEST(HttpSession, ABrokenRequestIsAnsweredAndTheConnectionEnds) {
    Loopback server;
    const std::string got = talk(server,
                                 "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nX: a\r\n b\r\n"
                                 "\r\nGET /healthz HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
                                 2);
    EXPECT_EQ(got.substr(9, 3), "400");
    EXPECT_EQ(got.find("HTTP/1.1 200"), std::string::npos);
}

}  // namespace
}  // namespace dyad
