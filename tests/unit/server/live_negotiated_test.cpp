// The negotiated dialect, on a whole server in this process.
#include "support/loopback.hpp"

#include <atomic>
#include <chrono>
#include <thread>

namespace dyad {
namespace {

using test::Loopback;
using test::Talker;

// The token of the event, in the log that `position` is a place of.
std::string token_of(const json::Value& event, const std::string& position) {
    return position.substr(0, 17) + std::to_string(event.at("offset").to_number<int>()) + "." +
           Talker::text(event, "hash");
}

void put(Talker& client, const std::string& id, const std::string& key, int value) {
    client.command(id, R"({"op":"context.put","contextKey":")" + key +
                           R"(","force":true,"data":{"v":)" + std::to_string(value) + "}}");
}

// The next `count` events, in whatever batches they come.
std::vector<json::Value> events(Talker& client, std::size_t count) {
    std::vector<json::Value> list;
    while (list.size() < count && !testing::Test::HasFailure()) {
        const json::Value message = client.expect("events");
        for (const json::Value& event : message.at("events").as_array())
            list.push_back(event);
    }
    EXPECT_EQ(list.size(), count);
    return list;
}

TEST(LiveNegotiated, WelcomeThenLiveThenAcksAndEventsOfOnesOwn) {
    Loopback server;
    Talker ada = Talker::negotiated(server, "ada", "desk");
    const json::Value welcome = ada.next();
    ASSERT_EQ(Talker::text(welcome, "type"), "welcome");
    const std::string start = Talker::text(welcome.at("payload"), "position");
    EXPECT_EQ(Talker::text(ada.expect("position").at("payload"), "position"), start);
    put(ada, "op-1", "k", 1);
    std::string acked;
    std::string seen;
    while (acked.empty() || seen.empty()) {
        const json::Value message = ada.next();
        if (Talker::text(message, "type") == "ack") {
            EXPECT_EQ(Talker::text(message, "id"), "op-1");
            EXPECT_EQ(message.at("payload").at("version").to_number<int>(), 1);
            acked = Talker::text(message.at("payload"), "position");
        } else if (Talker::text(message, "type") == "events") {
            seen = token_of(message.at("events").at(0), start);
        }
        ASSERT_FALSE(HasFailure());
    }
    EXPECT_EQ(acked, seen);  // the epoch of the welcome was that of the first event
}

TEST(LiveNegotiated, ARepeatedCommandGetsItsAnswerAgain) {
    Loopback server;
    Talker ada = Talker::negotiated(server, "ada", "desk");
    put(ada, "op-1", "k", 1);
    const json::Value first = ada.expect("ack").at("payload");
    put(ada, "op-1", "k", 1);
    const json::Value again = ada.expect("ack").at("payload");
    EXPECT_TRUE(again.at("duplicate").as_bool());
    EXPECT_EQ(Talker::text(again, "position"), Talker::text(first, "position"));
    put(ada, "op-1", "k", 2);
    EXPECT_EQ(Talker::text(ada.expect("error").at("payload"), "code"), "operation_reused");
}

TEST(LiveNegotiated, AMismatchAnswersWithWhatIsStored) {
    Loopback server;
    Talker ada = Talker::negotiated(server, "ada", "desk");
    put(ada, "op-1", "k", 7);
    ada.command("op-2", R"({"op":"context.put","contextKey":"k","data":{},"expectedVersion":5})");
    const json::Value error = ada.expect("error");
    EXPECT_EQ(Talker::text(error, "id"), "op-2");
    EXPECT_EQ(Talker::text(error.at("payload"), "code"), "version_conflict");
    EXPECT_EQ(error.at("payload").at("current").at("data").at("v").to_number<int>(), 7);
}

TEST(LiveNegotiated, ResumesExactlyAfterItsPosition) {
    Loopback server;
    std::string position;
    {
        Talker ada = Talker::negotiated(server, "ada", "desk");
        const std::string start = Talker::text(ada.expect("welcome").at("payload"), "position");
        put(ada, "op-1", "k", 1);
        position = token_of(events(ada, 1)[0], start);
    }
    Talker laptop = Talker::negotiated(server, "ada", "laptop");
    for (int i = 2; i <= 50; ++i)
        put(laptop, "op-" + std::to_string(i), "k", i);
    events(laptop, 49);
    Talker back = Talker::negotiated(server, "ada", "desk", R"(,"resume":")" + position + "\"");
    EXPECT_EQ(Talker::text(back.expect("welcome").at("payload"), "position"), position);
    int offset = 2;
    for (const json::Value& event : events(back, 49))
        EXPECT_EQ(event.at("offset").to_number<int>(), offset++);
    EXPECT_TRUE(back.expect("position").at("payload").at("live").as_bool());
}

TEST(LiveNegotiated, APlaceThatIsNotInThisLogIsReset) {
    Loopback server;
    Talker writer = Talker::negotiated(server, "ada", "desk");
    put(writer, "op-1", "k", 1);
    static_cast<void>(writer.expect("ack"));
    for (const char* token : {"0123456789abcdef.1.0011223344556677", "nonsense"}) {
        Talker back = Talker::negotiated(server, "ada", "laptop",
                                         R"(,"resume":")" + std::string(token) + "\"");
        static_cast<void>(back.expect("reset"));
        const json::Value snapshot = back.expect("snapshot").at("payload");
        EXPECT_TRUE(snapshot.at("last").as_bool());
        EXPECT_EQ(snapshot.at("contexts").as_array().size(), 1U);
    }
}

TEST(LiveNegotiated, ASnapshotThatWasAskedForComesInPartsWithoutReset) {
    Loopback server;
    Talker writer = Talker::negotiated(server, "ada", "desk");
    const std::string filler(50'000, 'x');
    for (int i = 0; i < 20; ++i)
        writer.command("op-" + std::to_string(i),
                       R"({"op":"context.put","contextKey":"k)" + std::to_string(i) +
                           R"(","force":true,"data":{"f":")" + filler + "\"}}");
    for (int i = 0; i < 20; ++i)
        static_cast<void>(writer.expect("ack"));
    Talker reader = Talker::negotiated(server, "ada", "laptop", R"(,"snapshot":true)");
    ASSERT_EQ(Talker::text(reader.next(), "type"), "welcome");
    std::size_t contexts = 0;
    int part = 0;
    for (bool last = false; !last; ++part) {
        const json::Value message = reader.next();
        ASSERT_EQ(Talker::text(message, "type"), "snapshot");
        EXPECT_EQ(message.at("payload").at("part").to_number<int>(), part);
        contexts += message.at("payload").at("contexts").as_array().size();
        last = message.at("payload").at("last").as_bool();
    }
    EXPECT_EQ(contexts, 20U);
    EXPECT_GT(part, 5);
}

TEST(LiveNegotiated, HelloComesFirst) {
    Loopback server;
    Talker rude(server, "dyad.v2");
    rude.command("op", R"({"op":"context.delete","contextKey":"k"})");
    EXPECT_EQ(Talker::text(rude.expect("error").at("payload"), "code"), "invalid_request");
    EXPECT_NE(rude.end().find("4400"), std::string::npos);
}

TEST(LiveNegotiated, NoResponseIsRecordedWhereTheGlassBoxIsSwitchedOff) {
    server::Settings settings;
    settings.enable_glass_box_tracking = false;
    Loopback server(1, settings);
    Talker ada = Talker::negotiated(server, "ada", "desk");
    ada.command("op-1",
                R"({"op":"response.record","response":{"chatId":"c","messageId":"m",
                    "mode":"parallel","timestamp":1,"final":{"sourceType":"local","provider":"p",
                    "model":"m","responseHash":"aa","timestamp":1},"sources":[]}})");
    const json::Value error = ada.expect("error").at("payload");
    EXPECT_EQ(Talker::text(error, "code"), "switched_off");
    EXPECT_FALSE(error.at("retry").as_bool());
    EXPECT_NE(Talker::text(error, "detail").find("ENABLE_GLASS_BOX_TRACKING"), std::string::npos);
    put(ada, "op-2", "k", 1);  // the first one has left nothing in the log
    EXPECT_EQ(ada.expect("ack").at("payload").at("version").to_number<int>(), 1);
}

TEST(LiveNegotiated, PresenceFollowsWhoComesAndGoes) {
    Loopback server;
    Talker ada = Talker::negotiated(server, "ada", "desk");
    const auto present = [&ada](std::size_t count) {
        for (int i = 0; i < 20; ++i)
            if (ada.expect("presence").at("payload").at("instances").as_array().size() == count)
                return true;
        return false;
    };
    {
        Talker laptop = Talker::plain(server, "ada", "laptop");
        Talker bob = Talker::plain(server, "bob", "elsewhere");
        EXPECT_TRUE(present(2));
    }
    EXPECT_TRUE(present(1));
}

TEST(LiveNegotiated, AStreamOfEventsIsNoInstanceThatIsPresent) {
    Loopback server;
    std::atomic<bool> streaming = false;
    std::atomic<bool> over = false;
    std::thread stream([&] {
        cli::ClientRequest request;
        request.target = "/api/v1/events/stream";
        request.headers = {{"Dyad-User", "ada"}};
        request.stream_type = "text/event-stream";
        request.on_body = [&](std::string_view) {
            streaming = true;
            return !over;
        };
        static_cast<void>(cli::http_request(server.url(), request));
    });
    while (!streaming)
        std::this_thread::yield();
    Talker ada = Talker::negotiated(server, "ada", "desk");
    const json::Value present = ada.expect("presence").at("payload").at("instances");
    ASSERT_EQ(present.as_array().size(), 1U);
    EXPECT_EQ(Talker::text(present.at(0), "instanceId"), "desk");
    over = true;
    put(ada, "op-1", "k", 1);  // wakes the stream, which then ends
    stream.join();
}

TEST(LiveNegotiated, AClientThatDoesNotReadCostsTheOthersNothing) {
    Loopback server;
    Talker slow = Talker::negotiated(server, "ada", "slow");
    static_cast<void>(slow.expect("welcome"));
    Talker quick = Talker::negotiated(server, "ada", "quick");
    static_cast<void>(quick.expect("welcome"));
    const std::string filler(20'000, 'y');
    constexpr int kEvents = 1500;  // 30 MB: more than sockets and feeds hold
    int offset = 0;
    for (int i = 0; i < kEvents; ++i) {
        quick.command(
            "op-" + std::to_string(i),
            R"({"op":"context.put","contextKey":"k","force":true,"data":{"f":")" + filler + "\"}}");
        if (i % 50 != 49) continue;
        for (const json::Value& event : events(quick, 50))
            EXPECT_EQ(event.at("offset").to_number<int>(), ++offset);
        ASSERT_FALSE(HasFailure());
    }
    offset = 0;
    for (const json::Value& event : events(slow, kEvents))
        ASSERT_EQ(event.at("offset").to_number<int>(), ++offset);
}

TEST(LiveNegotiated, ADrainSaysGoodByeAndIsQuick) {
    Loopback server;
    Talker ada = Talker::negotiated(server, "ada", "desk");
    Talker plain = Talker::plain(server, "ada", "laptop");
    static_cast<void>(ada.expect("welcome"));
    put(ada, "op-1", "k", 1);
    static_cast<void>(ada.expect("ack"));
    const auto begin = std::chrono::steady_clock::now();
    server.server().drain();
    EXPECT_EQ(ada.expect("goaway").at("payload").at("reconnectAfterMs").to_number<int>(), 2000);
    EXPECT_NE(ada.end().find("1012"), std::string::npos);
    EXPECT_NE(plain.end().find("1012"), std::string::npos);
    server.stop();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

}  // namespace
}  // namespace dyad
