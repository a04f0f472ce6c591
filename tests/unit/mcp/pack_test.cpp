#include "server/mcp/product/context_pack.hpp"
#include "support/mcp_rig.hpp"

#include <map>

#include <gtest/gtest.h>

namespace dyad {
namespace {

using test::FakeCallPtr;
using test::McpRig;
namespace mcp = server::mcp;

std::string pack_of(const std::string& session, const std::string& more = "") {
    return R"({"session":")" + session + "\"" + more + "}";
}

TEST(McpPack, RanksPinnedThenWhatMatchesThenWhatIsRecent) {
    McpRig rig;
    rig.set("old/login", R"({"text":"The login uses tokens"})");
    rig.rig.run(60'000);
    rig.set("weather", R"({"text":"Rain"})");
    rig.set("rules", R"({"text":"Never push to main"})", R"(,"tags":["pinned"])");
    rig.set("lunch", R"({"text":"Soup"})");
    const FakeCallPtr pack =
        rig.ask("context_pack", pack_of("ranks", R"(,"task":"Fix the login, please")"));
    EXPECT_EQ(pack->text("/facts/0/key"), "rules");
    EXPECT_EQ(pack->text("/facts/0/why"), "pinned");
    EXPECT_EQ(pack->text("/facts/1/key"), "old/login");
    EXPECT_EQ(pack->text("/facts/1/why"), "matches the task");
    EXPECT_EQ(pack->text("/facts/2/why"), "recent");
    EXPECT_EQ(pack->text("/facts/0/provenance/written_by"), "claude");
    EXPECT_EQ(pack->count("/left_out"), 0u);
    EXPECT_EQ(pack->number("/unchanged"), 0);
}

TEST(McpPack, KeepsTheBudgetAndSaysWhatHadNoRoom) {
    McpRig rig;
    for (int i = 0; i < 40; ++i)
        rig.set("k" + std::to_string(i), R"({"t":")" + std::string(100 + 40 * i, 'x') + "\"}");
    rig.set("huge", R"({"t":")" + std::string(200'000, 'x') + "\"}");
    for (const int budget : {256, 500, 1000, 4000, 32000}) {
        const FakeCallPtr pack =
            rig.ask("context_pack", pack_of("budget" + std::to_string(budget),
                                            R"(,"budget_tokens":)" + std::to_string(budget)));
        EXPECT_LE(mcp::tokens_of(pack->body.size()), static_cast<std::size_t>(budget));
        EXPECT_LE(pack->number("/tokens"), budget);
        EXPECT_GE(pack->number("/tokens"), pack->body.size() / 3);
        const std::size_t all = pack->count("/facts") + pack->count("/left_out") +
                                static_cast<std::size_t>(pack->number("/left_out_more"));
        EXPECT_EQ(all, 41u) << budget;
        if (budget >= 500) {
            EXPECT_GT(pack->count("/facts"), 0u);
        }
        if (budget == 32000) {
            EXPECT_EQ(pack->text("/left_out/0/key"), "huge");
            EXPECT_EQ(pack->text("/left_out/0/why"), "larger than the whole budget");
            EXPECT_GT(pack->number("/left_out/0/tokens"), 60'000);
        }
    }
}

TEST(McpPack, NothingUnchangedIsShownTwiceIn200Turns) {
    McpRig rig;
    std::map<std::string, std::int64_t> seen;  // the version of each that the session knows
    std::map<std::string, std::int64_t> stored;
    std::size_t repeats = 0;
    std::size_t shown = 0;
    for (int turn = 0; turn < 200; ++turn) {
        const std::string key = "fact/" + std::to_string(turn % 37);
        const std::string expected =
            stored.contains(key) ? R"(,"expected_version":)" + std::to_string(stored[key]) : "";
        stored[key] =
            rig.set(key, "{\"turn\":" + std::to_string(turn) + "}", expected)->number("/version");
        const FakeCallPtr pack = rig.ask(
            "context_pack", pack_of("replay", R"(,"task":"fact turn )" + std::to_string(turn) +
                                                  R"(","budget_tokens":600)"));
        for (std::size_t i = 0; i < pack->count("/facts"); ++i) {
            const std::string at = "/facts/" + std::to_string(i);
            const std::string name = pack->text(at + "/key");
            const std::int64_t version = pack->number(at + "/version");
            const auto before = seen.find(name);
            repeats += before != seen.end() && before->second == version;
            EXPECT_EQ(pack->text(at + "/status"), before == seen.end() ? "new" : "changed");
            EXPECT_EQ(version, stored[name]);
            seen[name] = version;
            shown += 1;
        }
        EXPECT_EQ(seen, stored) << turn;  // and nothing is kept from it
    }
    EXPECT_EQ(repeats, 0u);
    EXPECT_EQ(shown, 200u);
}

TEST(McpPack, WhatIsGoneIsToldOnce) {
    McpRig rig;
    rig.set("a", R"({"n":1})");
    rig.set("b", R"({"n":1})");
    EXPECT_EQ(rig.ask("context_pack", pack_of("gone"))->count("/facts"), 2u);
    rig.ask("memory_delete", R"({"key":"a"})");
    const FakeCallPtr pack = rig.ask("context_pack", pack_of("gone"));
    EXPECT_EQ(pack->text("/removed/0"), "a");
    EXPECT_EQ(pack->count("/facts"), 0u);
    EXPECT_EQ(pack->number("/unchanged"), 1);
    EXPECT_EQ(rig.ask("context_pack", pack_of("gone"))->count("/removed"), 0u);
    rig.set("a", R"({"n":1})");
    EXPECT_EQ(rig.ask("context_pack", pack_of("gone"))->text("/facts/0/status"), "new");
}

TEST(McpPack, AFreshSessionIsShownEverythingAgain) {
    McpRig rig;
    rig.set("a", R"({"n":1})");
    EXPECT_EQ(rig.ask("context_pack", pack_of("fresh"))->count("/facts"), 1u);
    EXPECT_EQ(rig.ask("context_pack", pack_of("fresh"))->count("/facts"), 0u);
    const FakeCallPtr again = rig.ask("context_pack", pack_of("fresh", R"(,"fresh":true)"));
    EXPECT_EQ(again->text("/facts/0/status"), "new");
    EXPECT_EQ(rig.ask("context_pack", pack_of("another"))->count("/facts"), 1u);
    rig.user = "eve";
    EXPECT_EQ(rig.ask("context_pack", pack_of("fresh"))->count("/facts"), 0u);
}

TEST(McpPack, WithoutASessionTheInstanceIsOne) {
    McpRig rig;
    rig.instance = "the instance";
    rig.set("a", R"({"n":1})");
    EXPECT_EQ(rig.ask("context_pack", "{}")->text("/session"), "the instance");
    EXPECT_EQ(rig.ask("context_pack", "{}")->count("/facts"), 0u);
    rig.instance = "another instance";
    EXPECT_EQ(rig.ask("context_pack", "{}")->count("/facts"), 1u);
}

TEST(McpPack, ATaskBecomesAQueryForAnyOfItsWords) {
    EXPECT_EQ(mcp::query_of("Fix the OAuth login!"), "fix OR oauth OR login");
    EXPECT_EQ(mcp::query_of("the AND OR not (\"\")"), "");
    EXPECT_EQ(mcp::query_of("a a b"), "");
    EXPECT_EQ(mcp::query_of("登录 修复"), "登录 OR 修复");
    std::string task;
    for (int i = 0; i < 2000; ++i)
        task += "word" + std::to_string(i) + " ";
    EXPECT_LE(mcp::query_of(task).size(), static_cast<std::size_t>(limits::query_bytes_max));
    EXPECT_GT(mcp::query_of(task).size(), 900u);
}

TEST(McpShown, WhoAskedLongestAgoIsForgottenFirst) {
    mcp::Shown shown(100'000, 3);
    const auto show = [&](const std::string& session) {
        std::size_t known = 0;
        shown.with("ada", session, [&](mcp::Shown::Facts& facts) {
            known = facts.size();
            facts["k"] = 1;
        });
        return known;
    };
    for (const char* const session : {"a", "b", "c", "a", "d"})
        show(session);
    EXPECT_EQ(shown.sessions(), 3u);
    EXPECT_EQ(show("a"), 1u);
    EXPECT_EQ(show("b"), 0u);  // gone for d
}

TEST(McpShown, ItsBytesAreBounded) {
    mcp::Shown shown(10'000, 100);
    for (int i = 0; i < 50; ++i)
        shown.with("ada", std::to_string(i), [&](mcp::Shown::Facts& facts) {
            for (int k = 0; k < 5; ++k)
                facts[std::to_string(k) + std::string(100, 'k')] = 1;
        });
    EXPECT_LE(shown.sessions(), 10u);
    EXPECT_GE(shown.sessions(), 5u);
    shown.with("ada", "large", [&](mcp::Shown::Facts& facts) {
        for (int k = 0; k < 1000; ++k)
            facts[std::to_string(k)] = 1;
    });
    EXPECT_EQ(shown.sessions(), 0u);  // too large to be remembered
    shown.with("ada", "large", [](mcp::Shown::Facts& facts) { EXPECT_TRUE(facts.empty()); });
}

// Two nodes, and what each tells the other.
struct TwoShown {
    mcp::Shown nodes[2];
    std::vector<SessionNote> told;

    void with(std::size_t at, const mcp::Shown::Look& look, bool anew = false) {
        nodes[at].with(
            "ada", "s", look,
            [&](SessionNote note) {
                nodes[1 - at].take(note);
                told.push_back(std::move(note));
            },
            anew);
    }
    mcp::Shown::Facts facts(std::size_t at) {
        mcp::Shown::Facts copy;
        nodes[at].with("ada", "s", [&](mcp::Shown::Facts& facts) { copy = facts; });
        return copy;
    }
};

TEST(McpShown, WhatOneNodeShowsTheOthersKnow) {
    TwoShown two;
    sim::SeededRandom random(5);
    for (int turn = 0; turn < 500; ++turn) {
        const bool anew = random.chance(20);
        const auto at = static_cast<std::size_t>(turn % 2);
        two.with(
            at,
            [&](mcp::Shown::Facts& facts) {
                for (int i = 0; i < 3; ++i)
                    facts["k" + std::to_string(random.between(0, 40))] =
                        static_cast<Version>(random.between(1, 9));
                if (turn % 5 == 0) facts.erase(facts.begin());
            },
            anew);
        ASSERT_EQ(two.facts(0), two.facts(1)) << turn;
        ASSERT_FALSE(two.facts(0).empty());
    }
}

TEST(McpShown, OnlyWhatHasChangedIsTold) {
    TwoShown two;
    two.with(0, [](mcp::Shown::Facts& facts) { facts = {{"a", 1}, {"b", 1}, {"c", 1}}; });
    two.with(0, [](mcp::Shown::Facts&) {});
    ASSERT_EQ(two.told.size(), 1u);
    EXPECT_EQ(two.told[0].user, "ada");
    EXPECT_EQ(two.told[0].session, "s");
    two.with(1, [](mcp::Shown::Facts& facts) {
        facts.erase("a");
        facts["b"] = 2;
    });
    ASSERT_EQ(two.told.size(), 2u);
    EXPECT_EQ(two.told[1].topic, Topic::shown);
    EXPECT_EQ(two.told[1].entries,
              (std::vector<std::pair<std::string, std::uint64_t>>{{"b", 2}, {"a", 0}}));
}

TEST(McpShown, ASessionThatBeginsAgainDoesSoEverywhere) {
    TwoShown two;
    two.nodes[1].with("ada", "s", [](mcp::Shown::Facts& facts) { facts["a"] = 1; });
    two.with(0, [](mcp::Shown::Facts&) {}, true);  // which knows of nothing that was shown
    EXPECT_TRUE(two.facts(1).empty());
    ASSERT_EQ(two.told.size(), 1u);
    EXPECT_EQ(two.told[0].topic, Topic::shown_anew);
}

TEST(McpShown, WhatHasNoRoomInOneNoteGoesInSeveral) {
    TwoShown two;
    two.with(
        0,
        [](mcp::Shown::Facts& facts) {
            for (int i = 0; i < 2 * limits::session_note_entries_max + 1; ++i)
                facts[std::to_string(i)] = 1;
        },
        true);
    EXPECT_EQ(two.told.size(), 3u);
    EXPECT_EQ(two.facts(0), two.facts(1));
    for (const SessionNote& note : two.told)
        EXPECT_LE(note.entries.size(), static_cast<std::size_t>(limits::session_note_entries_max));
}

TEST(McpShown, NotesOnSomethingElseChangeNothing) {
    mcp::Shown shown;
    shown.take({.topic = Topic::subscribed, .session = "s", .entries = {{"a", 1}}});
    shown.take({.topic = static_cast<Topic>(200), .session = "s", .entries = {{"a", 1}}});
    EXPECT_EQ(shown.sessions(), 0u);
}

}  // namespace
}  // namespace dyad
