// The plain dialect, on a whole server in this process.
#include "support/loopback.hpp"

namespace dyad {
namespace {

using test::Loopback;
using test::Talker;

TEST(LivePlain, AWriteReachesTheUsersOtherClientsOnly) {
    Loopback server;
    Talker ada = Talker::plain(server, "ada", "desk");
    Talker laptop = Talker::plain(server, "ada", "laptop");
    Talker bob = Talker::plain(server, "bob", "desk");
    ada.put("op-1", "notes", R"({"x":1})");
    const json::Value seen = laptop.expect("context-sync");
    EXPECT_EQ(Talker::text(seen, "userId"), "ada");
    EXPECT_EQ(Talker::text(seen, "instanceId"), "desk");
    EXPECT_EQ(json::canonical(seen.at("payload").at("data")), R"({"x":1})");
    EXPECT_EQ(seen.at("payload").at("version").to_number<int>(), 1);
    // A pong is the first thing that the others get: nothing came before it.
    for (Talker* other : {&ada, &bob}) {
        other->say("ping", "p", "{}");
        EXPECT_EQ(Talker::text(other->next(), "type"), "pong");
    }
}

TEST(LivePlain, TheSameOperationIsAppliedOnce) {
    Loopback server;
    Talker ada = Talker::plain(server, "ada", "desk");
    Talker laptop = Talker::plain(server, "ada", "laptop");
    ada.put("op-1", "k", R"({"n":1})");
    ada.put("op-1", "k", R"({"n":1})");
    ada.put("op-2", "k", R"({"n":2})");
    EXPECT_EQ(laptop.expect("context-sync").at("payload").at("version").to_number<int>(), 1);
    const json::Value second = laptop.expect("context-sync");
    EXPECT_EQ(second.at("payload").at("version").to_number<int>(), 2);
    EXPECT_EQ(json::canonical(second.at("payload").at("data")), R"({"n":2})");
}

TEST(LivePlain, AnotherUserOnTheSameConnectionIsRefused) {
    Loopback server;
    Talker ada = Talker::plain(server, "ada", "desk");
    ada.say(R"({"id":"x","type":"ping","userId":"bob","instanceId":"desk","payload":{}})");
    EXPECT_EQ(Talker::text(ada.expect("error").at("payload"), "code"), "forbidden_user");
    EXPECT_NE(ada.end().find("4403"), std::string::npos);
}

TEST(LivePlain, ErrorsNameTheRequestAndTheConnectionLives) {
    Loopback server;
    Talker ada = Talker::plain(server, "ada", "desk");
    ada.say("context-sync", "op-7", R"({"contextKey":"k"})");
    const json::Value missing = ada.expect("error").at("payload");
    EXPECT_EQ(Talker::text(missing, "code"), "missing_field");
    EXPECT_EQ(Talker::text(missing, "requestId"), "op-7");
    ada.say("no-such-type", "op-8", "{}");
    EXPECT_EQ(Talker::text(ada.expect("error").at("payload"), "code"), "unknown_type");
    ada.say("this is no JSON");
    EXPECT_EQ(Talker::text(ada.expect("error").at("payload"), "code"), "invalid_json");
    ada.settle();
}

TEST(LivePlain, WithoutAUserTheServersIsMeant) {
    Loopback server;
    Talker nobody = Talker::plain(server, "", "desk");
    Talker named = Talker::plain(server, "default-user", "laptop");
    nobody.put("op", "k", "{}");
    EXPECT_EQ(Talker::text(named.expect("context-sync"), "userId"), "default-user");
}

TEST(LivePlain, AStateOfManyFragmentsArrivesWholeAndNewestFirst) {
    Loopback server;
    Talker ada = Talker::plain(server, "ada", "desk");
    const std::string filler(100'000, 'x');
    for (int i = 0; i < 9; ++i)
        ada.put("op-" + std::to_string(i), "k" + std::to_string(i), R"({"f":")" + filler + "\"}");
    ada.say("state-request", "s", "{}");
    // While the answer is on its way, others come behind it, not into it.
    ada.say("ping", "after", "{}");
    const json::Value state = ada.expect("state-response");
    std::vector<std::string> keys;
    for (const auto& context : state.at("payload").at("contexts").as_array())
        keys.emplace_back(context.at("contextKey").as_string());
    ASSERT_LT(keys.size(), 9U);  // it has a bound; the others follow
    while (keys.size() < 9U)
        keys.emplace_back(ada.expect("context-sync").at("payload").at("contextKey").as_string());
    for (std::size_t i = 0; i < keys.size(); ++i)
        EXPECT_EQ(keys[i], "k" + std::to_string(8 - i));
    EXPECT_TRUE(state.at("payload").at("modeState").is_null());
}

TEST(LivePlain, ModesAreSaidWithAllFourNames) {
    Loopback server;
    Talker ada = Talker::plain(server, "ada", "desk");
    Talker laptop = Talker::plain(server, "ada", "laptop");
    ada.say("mode-update", "m1", R"({"currentMode":"didactic","previousMode":"inspired"})");
    ada.say("mode-update", "m2", R"({"fromMode":"didactic","toMode":"parallel"})");
    static_cast<void>(laptop.expect("mode-update"));
    const json::Value mode = laptop.expect("mode-update").at("payload");
    EXPECT_EQ(Talker::text(mode, "currentMode"), "parallel");
    EXPECT_EQ(Talker::text(mode, "toMode"), "parallel");
    EXPECT_EQ(Talker::text(mode, "previousMode"), "didactic");
    EXPECT_EQ(Talker::text(mode, "fromMode"), "didactic");
}

TEST(LivePlain, ClientsThatAnswerPingsLiveOn) {
    server::Settings settings;
    settings.ping_interval_ms = 400;
    settings.stale_timeout_ms = 1000;
    Loopback server(1, settings);
    Talker ada = Talker::plain(server, "ada", "desk");
    for (int i = 0; i < 4; ++i)  // the client below answers the protocol's own pings by itself
        static_cast<void>(ada.expect("ping"));
    ada.settle();
}

TEST(LivePlain, CellsTellEachOther) {
    Loopback server(2);
    Talker first = Talker::plain(server, "ada", "one");  // connections go round the cells
    Talker second = Talker::plain(server, "ada", "two");
    for (int i = 0; i < 20; ++i) {
        Talker& writer = i % 2 == 0 ? first : second;
        Talker& reader = i % 2 == 0 ? second : first;
        writer.put("op-" + std::to_string(i), "k", R"({"i":)" + std::to_string(i) + "}");
        const json::Value seen = reader.expect("context-sync");
        EXPECT_EQ(seen.at("payload").at("data").at("i").to_number<int>(), i);
        EXPECT_EQ(seen.at("payload").at("version").to_number<int>(), i + 1);
    }
}

}  // namespace
}  // namespace dyad
