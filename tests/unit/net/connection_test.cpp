// The byte stream with a client, over socket pairs.
#include "net/connection.hpp"

#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dyad::net {
namespace {

class Recorder final : public Connection {
  public:
    using Connection::Connection;
    std::string received;
    int drained = 0;
    int closed = 0;
    std::function<void()> when_drained;

  private:
    void on_bytes(std::span<char> bytes) override { received.append(bytes.data(), bytes.size()); }
    void on_drained() override {
        ++drained;
        if (when_drained) when_drained();
    }
    void on_closed() override { ++closed; }
};

struct Line {
    Loop loop;
    Fd peer;
    std::optional<Recorder> connection;

    Line() {
        int fds[2];
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        peer.reset(fds[1]);
        connection.emplace(loop, Fd(fds[0]));
    }
    void turn() { loop.run_once(0); }
    // All that the peer can read, in turns with the loop.
    std::string drain() {
        std::string out;
        char buffer[65536];
        for (int idle = 0; idle < 3;) {
            const ssize_t got = ::read(peer.get(), buffer, sizeof buffer);
            if (got > 0) out.append(buffer, static_cast<std::size_t>(got));
            idle = got > 0 ? 0 : idle + 1;
            turn();
        }
        return out;
    }
    // Sends until the socket is full; returns what was sent.
    std::string fill() {
        std::string sent;
        for (char letter = 'a'; connection->held_bytes() == 0;
             letter = letter == 'z' ? 'a' : static_cast<char>(letter + 1)) {
            const std::string piece(30'000, letter);
            sent += piece;
            connection->send(piece);
        }
        return sent;
    }
};

TEST(Connection, IsSmall) {
    EXPECT_LE(sizeof(Connection), 40U);
}

TEST(Connection, ReceivesAndSendsAtOnce) {
    Line s;
    ASSERT_EQ(write(s.peer.get(), "hello", 5), 5);
    s.turn();
    EXPECT_EQ(s.connection->received, "hello");
    const iovec parts[] = {{const_cast<char*>("ab"), 2}, {nullptr, 0}, {const_cast<char*>("c"), 1}};
    EXPECT_TRUE(s.connection->send(parts));
    char buffer[8];
    EXPECT_EQ(::read(s.peer.get(), buffer, sizeof buffer), 3) << "before any turn of the loop";
    EXPECT_EQ(s.connection->held_bytes(), 0U);
    EXPECT_EQ(s.connection->drained, 0);
}

TEST(Connection, HoldsWhatTheSocketDoesNotTakeAndSaysWhenItHasGone) {
    Line s;
    std::string sent = s.fill();
    EXPECT_GT(s.connection->held_bytes(), 0U);
    EXPECT_FALSE(s.connection->send("more"));
    sent += "more";
    s.turn();
    EXPECT_EQ(s.connection->drained, 0);
    EXPECT_EQ(s.drain(), sent);
    EXPECT_EQ(s.connection->held_bytes(), 0U);
    EXPECT_EQ(s.connection->drained, 1);
    EXPECT_TRUE(s.connection->send("again"));
    EXPECT_EQ(s.drain(), "again");
}

TEST(Connection, SendsMorePartsThanOneCallTakes) {
    Line s;
    std::vector<std::string> texts;
    std::string all;
    for (int i = 0; i < 5000; ++i)
        all += texts.emplace_back(std::to_string(i) + ",");
    std::vector<iovec> parts;
    for (std::string& text : texts)
        parts.push_back({text.data(), text.size()});
    EXPECT_TRUE(s.connection->send(parts));
    EXPECT_EQ(s.connection->held_bytes(), 0U);
    EXPECT_EQ(s.drain(), all);
}

TEST(Connection, KeepsTheOrderOfManyPartsWhenTheSocketFillsUp) {
    Line s;
    std::vector<std::string> texts;
    std::string all;
    for (int i = 0; i < 5000; ++i)
        all += texts.emplace_back(std::string(200, static_cast<char>('a' + i % 26)));
    std::vector<iovec> parts;
    for (std::string& text : texts)
        parts.push_back({text.data(), text.size()});
    EXPECT_FALSE(s.connection->send(parts));
    EXPECT_EQ(s.drain(), all);
}

TEST(Connection, DoesNotKeepWhatHasGoneWhileSomethingIsAlwaysHeld) {
    Line s;
    std::string sent = s.fill();
    std::string got;
    char buffer[8192];
    std::size_t most = 0;
    for (int i = 0; i < 2000; ++i) {
        const std::string piece(8192, static_cast<char>('A' + i % 26));
        sent += piece;
        s.connection->send(piece);
        most = std::max(most, s.connection->held_bytes());
        const ssize_t read = ::read(s.peer.get(), buffer, sizeof buffer);
        ASSERT_GT(read, 0);
        got.append(buffer, static_cast<std::size_t>(read));
        s.turn();
    }
    EXPECT_LT(most, 1'000'000U);
    got += s.drain();
    EXPECT_EQ(got, sent);
}

TEST(Connection, SendsFromTheCallThatSaysItIsDrained) {
    Line s;
    std::string sent = s.fill();
    s.connection->when_drained = [&] {
        if (s.connection->drained == 1) s.connection->send("tail");
    };
    EXPECT_EQ(s.drain(), sent + "tail");
}

TEST(Connection, ClosesAfterItsOutputAndWaitsForThePeer) {
    Line s;
    const std::string sent = s.fill();
    s.connection->close_after_output();
    EXPECT_TRUE(s.connection->closing());
    EXPECT_FALSE(s.connection->send("too late"));
    ASSERT_EQ(write(s.peer.get(), "ignored", 7), 7);
    EXPECT_EQ(s.drain(), sent);
    char byte;
    EXPECT_EQ(::read(s.peer.get(), &byte, 1), 0) << "our side is shut";
    EXPECT_EQ(s.connection->received, "");
    EXPECT_EQ(s.connection->drained, 0);
    EXPECT_EQ(s.connection->closed, 0);
    s.peer.reset();
    s.turn();
    EXPECT_EQ(s.connection->closed, 1);
    s.turn();
    EXPECT_EQ(s.connection->closed, 1);
}

TEST(Connection, TheEndOfAnIdlePeerIsTheEnd) {
    Line s;
    ASSERT_EQ(write(s.peer.get(), "bye", 3), 3);
    s.peer.reset();
    s.turn();
    s.turn();
    EXPECT_EQ(s.connection->received, "bye");
    EXPECT_EQ(s.connection->closed, 1);
}

TEST(Connection, APeerThatShutItsSideStillGetsWhatIsHeld) {
    Line s;
    const std::string sent = s.fill();
    ASSERT_EQ(shutdown(s.peer.get(), SHUT_WR), 0);
    s.turn();
    s.turn();
    EXPECT_EQ(s.connection->closed, 0);
    EXPECT_FALSE(s.connection->closing()) << "its owner still bounds how long this may take";
    EXPECT_EQ(s.drain(), sent);
    EXPECT_EQ(s.connection->closed, 1);
}

TEST(Connection, APeerThatShutItsSideGetsWhatIsHeldWhenTheOwnerClosesToo) {
    Line s;
    const std::string sent = s.fill();
    ASSERT_EQ(shutdown(s.peer.get(), SHUT_WR), 0);
    s.turn();
    s.connection->close_after_output();
    EXPECT_EQ(s.drain(), sent);
    EXPECT_EQ(s.connection->closed, 1);
}

TEST(Connection, APeerThatIsGoneEndsItInsteadOfItsOutput) {
    Line s;
    s.fill();
    s.peer.reset();
    s.turn();
    EXPECT_EQ(s.connection->closed, 1);
    EXPECT_FALSE(s.connection->send("x"));
}

TEST(Connection, AFailedSendEndsItOutsideOfTheCall) {
    Line s;
    s.connection->pause_reading(true);
    s.peer.reset();
    EXPECT_FALSE(s.connection->send("x"));
    EXPECT_EQ(s.connection->closed, 0);
    EXPECT_TRUE(s.connection->closing());
    EXPECT_FALSE(s.connection->send("y"));
    s.turn();
    EXPECT_EQ(s.connection->closed, 1);
}

TEST(Connection, ReadsNothingWhileItIsPaused) {
    Line s;
    s.connection->pause_reading(true);
    ASSERT_EQ(write(s.peer.get(), "wait", 4), 4);
    s.turn();
    s.turn();
    EXPECT_EQ(s.connection->received, "");
    s.connection->pause_reading(false);
    s.turn();
    EXPECT_EQ(s.connection->received, "wait");
}

TEST(Connection, OneThatTheLoopCannotWatchIsClosedInTheNextTurn) {
    Loop loop;
    Recorder connection(loop, Fd(open("/dev/null", O_RDWR | O_CLOEXEC)));
    connection.pause_reading(true);
    connection.close_after_output();
    EXPECT_EQ(connection.closed, 0);
    loop.run_once(-1);
    EXPECT_EQ(connection.closed, 1);
}

TEST(Connection, MayBeDestroyedWithOutputHeld) {
    Line s;
    const std::string sent = s.fill();
    s.connection.reset();
    s.turn();
    const std::string got = s.drain();
    EXPECT_TRUE(got.size() < sent.size() && sent.starts_with(got));
    char byte;
    EXPECT_EQ(::read(s.peer.get(), &byte, 1), 0) << "it is closed";
}

// Longer than the clock's steps.
void wait_a_while(Line& s) {
    usleep(150'000);
    s.turn();
}

TEST(Connection, KnowsSinceWhenNothingMoves) {
    Line s;
    const auto since = [&s] { return s.connection->stalled_since_ms(); };
    EXPECT_EQ(since(), INT64_MAX);
    s.fill();
    const std::int64_t full = since();
    EXPECT_LE(full, s.loop.now_ms());
    EXPECT_GT(full, s.loop.now_ms() - 1000);
    wait_a_while(s);
    s.connection->send("more");
    EXPECT_EQ(since(), full) << "what is held did not move";
    std::string some(10'000, ' ');
    for (const std::size_t held = s.connection->held_bytes();
         s.connection->held_bytes() == held && ::read(s.peer.get(), some.data(), some.size()) > 0;)
        s.turn();
    EXPECT_GT(since(), full) << "a part of it did";
    s.drain();
    EXPECT_EQ(since(), INT64_MAX);
}

TEST(Connection, ClosingBeginsTheTimeAnew) {
    Line s;
    const auto since = [&s] { return s.connection->stalled_since_ms(); };
    s.fill();
    const std::int64_t full = since();
    wait_a_while(s);
    s.connection->close_after_output();
    const std::int64_t closing = since();
    EXPECT_GT(closing, full);
    wait_a_while(s);
    EXPECT_EQ(since(), closing);
    s.drain();
    const std::int64_t shut = since();
    EXPECT_GT(shut, closing) << "now it waits for its peer's end";
    wait_a_while(s);
    EXPECT_EQ(since(), shut);
}

}  // namespace
}  // namespace dyad::net
