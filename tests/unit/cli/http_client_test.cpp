// The blocking clients, against a scripted server on the loopback interface.
#include "cli/http_client.hpp"

#include "base/clock.hpp"
#include "cli/websocket_client.hpp"
#include "net/socket.hpp"

#include <functional>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dyad::cli {
namespace {

using namespace std::string_literals;

void say(int fd, std::string_view bytes) {
    EXPECT_EQ(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
}

// Reads until `end` has come.
std::string hear(int fd, std::string_view end) {
    std::string got;
    char byte;
    while (!got.ends_with(end) && ::read(fd, &byte, 1) == 1)
        got += byte;
    return got;
}

// Accepts one connection and plays `script` on it.
class Server {
  public:
    explicit Server(std::function<void(int)> script)
        : socket_(*net::listen_tcp("127.0.0.1", 0)), thread_([this, script = std::move(script)] {
              pollfd wait{socket_.get(), POLLIN, 0};
              EXPECT_EQ(poll(&wait, 1, 5000), 1);
              const net::Fd fd(accept(socket_.get(), nullptr, nullptr));  // a blocking one
              script(fd.get());
          }) {}
    ~Server() { thread_.join(); }
    Url url() const {
        return {.host = "127.0.0.1", .port = net::local_port(socket_.get()), .prefix = {}};
    }

  private:
    net::Fd socket_;
    std::thread thread_;
};

ClientResponse get(const std::string& answer) {
    const Server server([&](int fd) {
        hear(fd, "\r\n\r\n");
        say(fd, answer);
    });
    const Result<ClientResponse> response = http_request(server.url(), {});
    EXPECT_TRUE(response) << response.error().to_string();
    return response ? *response : ClientResponse{};
}

std::string error_of(const std::string& answer) {
    const Server server([&](int fd) {
        hear(fd, "\r\n\r\n");
        say(fd, answer);
    });
    const Result<ClientResponse> response = http_request(server.url(), {});
    EXPECT_FALSE(response);
    return response ? "" : response.error().detail;
}

TEST(HttpRequest, SendsWhatWasAskedFor) {
    std::string heard;
    Url url;
    {
        const Server server([&](int fd) {
            heard = hear(fd, "{}");
            say(fd, "HTTP/1.1 204 No Content\r\n\r\n");
        });
        url = server.url();
        const Result<ClientResponse> response =
            http_request(url, {"PUT", "/api?x=1", {{"If-Match", "3"}}, "{}", 2000});
        ASSERT_TRUE(response);
        EXPECT_EQ(response->status, 204);
        EXPECT_EQ(response->body, "");
    }
    EXPECT_TRUE(heard.starts_with("PUT /api?x=1 HTTP/1.1\r\nHost: " + url.authority() + "\r\n"));
    for (const char* line : {"If-Match: 3", "Content-Length: 2", "Connection: close"})
        EXPECT_NE(heard.find("\r\n"s + line + "\r\n"), std::string::npos) << heard;
    for (const char* name : {"Expect:", "Content-Type:"})
        EXPECT_EQ(heard.find(name), std::string::npos) << heard;
    EXPECT_TRUE(heard.ends_with("\r\n\r\n{}"));
}

TEST(HttpRequest, ReadsBodiesByLengthByChunksAndToTheEnd) {
    EXPECT_EQ(get("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more").body, "hello");
    EXPECT_EQ(get("HTTP/1.1 200 OK\r\nTransfer-Encoding: "
                  "chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n")
                  .body,
              "abcde");
    EXPECT_EQ(get("HTTP/1.1 200 OK\r\n\r\nto the end").body, "to the end");
    EXPECT_EQ(get("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").body, "");
}

TEST(HttpRequest, ReadsTheHeaderAndPassesOverInterimAnswers) {
    const ClientResponse response =
        get("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: no\r\n\r\n"
            "HTTP/1.1 409 Conflict\r\nX-Name: \tv \t\r\nContent-Length: 1\r\n\r\n!");
    EXPECT_EQ(response.status, 409);
    EXPECT_EQ(response.header("x-name"), "v");
    EXPECT_EQ(response.header("a"), std::nullopt);
    EXPECT_EQ(response.body, "!");
}

TEST(HttpRequest, AnAnswerThatIsCutShortIsAnError) {
    EXPECT_NE(error_of("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"), "");
    EXPECT_NE(error_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"), "");
    EXPECT_NE(error_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "");
    EXPECT_NE(error_of("HTTP/1.1 200"), "");
    EXPECT_NE(error_of(""), "");
}

TEST(HttpRequest, SaysWhereTheAnswerIsNoHttp) {
    for (const char* answer :
         {"SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1\r\n\r\n"})
        EXPECT_NE(error_of(answer).find("does not speak HTTP"), std::string::npos) << answer;
}

TEST(HttpRequest, GivesUpOnASilentServer) {
    const Server server([](int fd) { hear(fd, "never"); });
    ClientRequest request;
    request.timeout_ms = 50;
    const Result<ClientResponse> response = http_request(server.url(), request);
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, Errc::timed_out);
}

Result<ClientResponse> stream(const Url& url, std::function<bool(std::string_view)> on_body) {
    ClientRequest request;
    request.stream_type = "text/event-stream";
    request.on_body = std::move(on_body);
    return http_request(url, request);
}

TEST(HttpStream, HandsOverEachPartAsItComesWithoutItsChunks) {
    std::string got;
    {
        const Server server([&](int fd) {
            hear(fd, "\r\n\r\n");
            say(fd,
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                "Transfer-Encoding: chunked\r\n\r\n6\r\ndata: \r\n");
            say(fd, "3\r\na\n\n\r\n0\r\n\r\n");
            hear(fd, "never");
        });
        EXPECT_TRUE(stream(server.url(), [&](std::string_view part) {
            got += part;
            return true;
        }));
    }
    EXPECT_EQ(got, "data: a\n\n");
}

TEST(HttpStream, EndsWhenItsReaderHasEnough) {
    const Server server([&](int fd) {
        hear(fd, "\r\n\r\n");
        say(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\nfirst");
        hear(fd, "never");
    });
    int calls = 0;
    const Result<ClientResponse> response =
        stream(server.url(), [&](std::string_view) { return ++calls < 1; });
    ASSERT_TRUE(response);
    EXPECT_TRUE(response->streamed);
    EXPECT_EQ(calls, 1);
}

TEST(HttpStream, ReadsABodyOfAnotherTypeAsAWhole) {
    const Server server([](int fd) {
        hear(fd, "\r\n\r\n");
        say(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>");
    });
    int calls = 0;
    const Result<ClientResponse> response =
        stream(server.url(), [&](std::string_view) { return ++calls < 10; });
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body, "<p>");
    EXPECT_FALSE(response->streamed);
    EXPECT_EQ(calls, 0);
}

TEST(HttpClient, SendsNoHeadInWhichAValueBecomesALine) {
    const Url url{.host = "127.0.0.1",
                  .port = 1,
                  .prefix = {}};  // where nothing answers: it does not come so far
    for (const char* value : {"zed\r\nDyad-User: eve", "zed\nx: y", "zed\r"}) {
        ClientRequest request;
        request.headers = {{"Dyad-Instance", value}};
        const Result<ClientResponse> response = http_request(url, request);
        ASSERT_FALSE(response);
        EXPECT_EQ(response.error().code, Errc::invalid_field);
    }
}

// ---- WebSocket ------------------------------------------------------------------------------

void shake_hands(int fd, std::string_view behind = {}) {
    const std::string request = hear(fd, "\r\n\r\n");
    const std::string name = "Sec-WebSocket-Key: ";
    const std::size_t at = request.find(name);
    ASSERT_NE(at, std::string::npos);
    const Result<std::string> accept = net::accept_key(request.substr(at + name.size(), 24));
    ASSERT_TRUE(accept);
    say(fd, net::upgrade_response(*accept, "") + std::string(behind));
}

std::string text_frame(std::string_view text) {
    std::string frame;
    net::append_frame(frame, net::Opcode::text, text);
    return frame;
}

struct Heard : net::FrameHandler {
    std::string calls;
    bool on_message(net::Opcode, std::string_view payload) override {
        calls.append("message ").append(payload).append(";");
        return true;
    }
    bool on_ping(std::string_view) override { return true; }
    bool on_pong(std::string_view payload) override {
        calls.append("pong ").append(payload).append(";");
        return true;
    }
    bool on_close(std::uint16_t code, std::string_view) override {
        calls.append("close ").append(std::to_string(code)).append(";");
        return false;
    }
};

TEST(WebSocketClient, ReceivesSendsAnswersPingsAndClosesOrderly) {
    Heard heard;
    {
        const Server server([&](int fd) {
            std::string ping;
            net::append_frame(ping, net::Opcode::ping, "p");
            shake_hands(fd, text_frame("with the handshake"));
            say(fd, ping + text_frame("later"));
            net::FrameReader reader;
            char buffer[1000];
            ssize_t got = 0;
            while ((got = ::read(fd, buffer, sizeof buffer)) > 0)
                EXPECT_EQ(reader.feed(std::span(buffer, static_cast<std::size_t>(got)), heard),
                          nullptr);
        });
        Result<WebSocketClient> client = WebSocketClient::connect(server.url(), "/sync", "", 2000);
        ASSERT_TRUE(client) << client.error().to_string();
        EXPECT_EQ(*client->receive(2000), "with the handshake");
        EXPECT_EQ(*client->receive(2000), "later");
        EXPECT_TRUE(client->send("mine"));
        client->close();
        client->close();
        EXPECT_FALSE(client->receive(10));
        EXPECT_FALSE(client->send("too late"));
    }
    EXPECT_EQ(heard.calls, "pong p;message mine;close 1000;");
}

TEST(WebSocketClient, TellsTheCodeAndReasonOfTheServersClose) {
    const Server server([](int fd) {
        std::string frame;
        net::append_frame(frame, net::Opcode::close, net::close_payload(4403, "not yours"));
        shake_hands(fd, frame);
        hear(fd, "never");
    });
    Result<WebSocketClient> client = WebSocketClient::connect(server.url(), "/", "", 2000);
    ASSERT_TRUE(client);
    const Result<std::string> message = client->receive(2000);
    ASSERT_FALSE(message);
    EXPECT_NE(message.error().detail.find("4403: not yours"), std::string::npos);
}

TEST(WebSocketClient, PingsDoNotMakeAWaitLonger) {
    const Server server([](int fd) {
        shake_hands(fd);
        std::string ping;
        net::append_frame(ping, net::Opcode::ping, "");
        for (int i = 0; i < 40; ++i) {
            if (::send(fd, ping.data(), ping.size(), MSG_NOSIGNAL) < 0) break;
            usleep(20'000);
        }
    });
    Result<WebSocketClient> client = WebSocketClient::connect(server.url(), "/", "", 2000);
    ASSERT_TRUE(client);
    const SystemClock clock;
    const std::int64_t before = clock.steady_ms();
    const Result<std::string> message = client->receive(100);
    ASSERT_FALSE(message);
    EXPECT_EQ(message.error().code, Errc::timed_out);
    EXPECT_LT(clock.steady_ms() - before, 500);
}

TEST(WebSocketClient, DoesNotTrustAServerThatCannotAnswerItsKey) {
    for (const std::string& answer :
         {net::upgrade_response("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", ""),
          "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"s, "HTTP/1.1 200 OK\r\n\r\n"s}) {
        const Server server([&](int fd) {
            hear(fd, "\r\n\r\n");
            say(fd, answer);
        });
        const Result<WebSocketClient> client =
            WebSocketClient::connect(server.url(), "/", "", 2000);
        ASSERT_FALSE(client) << answer;
        EXPECT_NE(client.error().detail.find("refused the WebSocket"), std::string::npos);
    }
}

}  // namespace
}  // namespace dyad::cli
