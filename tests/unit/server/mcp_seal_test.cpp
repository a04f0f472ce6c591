#include "server/mcp/seal.hpp"
#include "server/mcp/sessions.hpp"

#include <gtest/gtest.h>

namespace dyad {
namespace {

using namespace server::mcp;

TEST(McpSeal, OpensWhatItSealedForTheSamePurposeOnly) {
    const Sealer sealer(nullptr);
    for (const std::string& plain : {std::string(), std::string("state"), std::string(5000, 'x')}) {
        const std::string sealed = sealer.seal("a", plain);
        EXPECT_EQ(sealed.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                           "0123456789-_"),
                  std::string::npos);
        EXPECT_EQ(sealer.open("a", sealed), plain);
        EXPECT_NE(sealer.seal("a", plain), sealed);  // nobody sees that two are alike
        EXPECT_FALSE(sealer.open("b", sealed));
        EXPECT_FALSE(Sealer(nullptr).open("a", sealed));
    }
}

TEST(McpSeal, NoBitMayBeAnother) {
    const Sealer sealer(nullptr);
    const std::string sealed = sealer.seal("a", "the state of a call");
    const std::string bytes = *from_base64url(sealed);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        std::string other = bytes;
        other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << bit % 8));
        EXPECT_FALSE(sealer.open("a", to_base64url(other))) << bit;
    }
    for (std::size_t size = 0; size < sealed.size(); ++size)
        EXPECT_FALSE(sealer.open("a", sealed.substr(0, size)));
    EXPECT_FALSE(sealer.open("a", sealed + "A"));
    EXPECT_FALSE(sealer.open("a", sealed + "="));
}

TEST(McpSeal, NodesThatKnowTheSecretOpenEachOthers) {
    std::string secret;
    const auto now = [&secret] { return secret; };
    const Sealer one(now), other(now);
    const std::string before = one.seal("a", "x");
    EXPECT_FALSE(other.open("a", before));
    secret = "of the store";
    EXPECT_EQ(other.open("a", one.seal("a", "y")), "y");
    EXPECT_EQ(one.open("a", before), "x");  // sealed before it was known
}

TEST(McpSessions, AreKnownByTheirIdUntilTheyEnd) {
    const Sealer sealer(nullptr);
    Sessions sessions(sealer);
    Session session{"s1", "2025-06-18", "ada \"x\"", "claude-code", {}};
    session.capabilities.elicitation_form = true;
    const std::string id = sessions.begin("/mcp", session);
    const auto found = sessions.find("/mcp", id);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->serial, "s1");
    EXPECT_EQ(found->version, "2025-06-18");
    EXPECT_EQ(found->user, "ada \"x\"");
    EXPECT_EQ(found->instance, "claude-code");
    EXPECT_TRUE(found->capabilities.elicitation_form && !found->capabilities.roots);
    EXPECT_FALSE(sessions.find("/mcp/reference", id));
    sessions.end("s1");
    EXPECT_FALSE(sessions.find("/mcp", id));
}

TEST(McpSessions, TheLeastRecentlyUsedMakesRoom) {
    const Sealer sealer(nullptr);
    Sessions sessions(sealer);
    EXPECT_TRUE(sessions.subscribe("first", "u"));
    EXPECT_TRUE(sessions.subscribe("second", "u"));
    EXPECT_TRUE(sessions.subscribe("first", "v"));
    for (int i = 2; i < 4096; ++i)
        EXPECT_TRUE(sessions.subscribe("s" + std::to_string(i), "u"));
    EXPECT_TRUE(sessions.is_subscribed("second", "u"));
    EXPECT_TRUE(sessions.subscribe("one more", "u"));
    EXPECT_FALSE(sessions.is_subscribed("second", "u"));
    EXPECT_TRUE(sessions.is_subscribed("first", "u"));
}

TEST(McpSessions, WhoWaitsIsToldOnce) {
    const Sealer sealer(nullptr);
    Sessions sessions(sealer);
    std::vector<std::string> told;
    const auto waiting = [&told] {
        return Sessions::Waiting{[](const std::function<void()>& work) { work(); },
                                 [&told](std::string what) { told.push_back(std::move(what)); }};
    };
    sessions.wait("a", waiting());
    sessions.wait("b", waiting());
    sessions.forget("b");
    for (const char* key : {"a", "a", "b", "c"})
        sessions.tell(key, key);
    EXPECT_EQ(told, std::vector<std::string>{"a"});
    // Who took a place over keeps it when the one before goes.
    sessions.wait("place", waiting());
    Sessions::Waiting newer = waiting();
    newer.owner = 2;
    sessions.wait("place", std::move(newer));
    sessions.forget("place");
    sessions.tell("place", "newer");
    EXPECT_EQ(told.back(), "newer");
}

TEST(McpSessions, TakeWhatOtherNodesTell) {
    const Sealer sealer([] { return "of the store"; });
    Sessions sessions(sealer);
    Sessions other(sealer);
    const Session session{"s1", "2025-06-18", "ada", "claude-code", {}};
    const std::string id = sessions.begin("/mcp", session);
    sessions.take({.topic = Topic::subscribed, .session = "s1", .entries = {{"a", 0}, {"b", 0}}});
    EXPECT_EQ(sessions.subscriptions("s1"), (std::set<std::string>{"a", "b"}));
    sessions.take({.topic = Topic::unsubscribed, .session = "s1", .entries = {{"a", 0}}});
    EXPECT_EQ(sessions.subscriptions("s1"), std::set<std::string>{"b"});

    std::vector<std::string> heard;
    const auto wait = [&](const std::string& key) {
        sessions.wait(key, {[](const std::function<void()>& work) { work(); },
                            [&](const std::string& what) { heard.push_back(what); }});
    };
    wait("answer s1 1");
    wait("stream s1");
    const SessionNote note = other.message("answer s1 1", R"({"action":"accept"})");
    EXPECT_EQ(note.entries.front().first.find("accept"), std::string::npos) << "it is sealed";
    SessionNote elsewhere = note;
    elsewhere.session = "stream s1";  // what was told to one is nothing to another
    sessions.take(elsewhere);
    const Sealer stranger([] { return "of another store"; });
    sessions.take(Sessions(stranger).message("answer s1 1", "{}"));
    EXPECT_TRUE(heard.empty());
    sessions.take(note);
    sessions.take(note);
    sessions.take(other.message("stream s1", ""));
    EXPECT_EQ(heard, (std::vector<std::string>{R"({"action":"accept"})", ""}));

    EXPECT_TRUE(sessions.find("/mcp", id));
    sessions.take({.topic = Topic::session_ended, .session = "s1"});
    EXPECT_FALSE(sessions.find("/mcp", id));
    EXPECT_TRUE(sessions.subscriptions("s1").empty());
}

}  // namespace
}  // namespace dyad
