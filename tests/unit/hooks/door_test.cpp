#include "server/hooks/door.hpp"

#include "server/hooks/event.hpp"
#include "support/rest_rig.hpp"

#include <gtest/gtest.h>

namespace dyad::server::hooks {
namespace {

using test::Answer;

class HooksDoor : public testing::Test {
  protected:
    Answer hook(const std::string& path, const std::string& body, net::Headers headers = {}) {
        std::string text = "POST " + path + " HTTP/1.1\r\nHost: localhost\r\n";
        bool typed = false;
        for (const auto& [name, value] : headers) {
            text.append(name).append(": ").append(value).append("\r\n");
            typed = typed || name == "Content-Type";
        }
        if (!typed) text.append("Content-Type: application/json\r\n");
        text.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n");
        text.append(body);
        net::RequestReader reader;
        std::string_view bytes = text;
        while (!bytes.empty())
            CHECK(reader.feed(bytes).has_value());
        const auto exchange = std::make_shared<test::FakeExchange>(reader.take());
        door.handle(exchange);
        for (int tries = 0; tries < 120 && !exchange->answer; ++tries)
            rig.run(tries == 0 ? 50 : 500);  // a store that does not answer is waited for
        CHECK(exchange->answer.has_value());
        Answer answer;
        answer.status = exchange->answer->status;
        answer.body = exchange->answer->body;
        answer.headers = exchange->answer->headers;
        if (const auto value = json::parse(answer.body)) answer.json = *value;
        return answer;
    }
    std::string event(const std::string& name, const std::string& rest = "",
                      const std::string& session = "s-1") {
        return R"({"session_id":")" + session + R"(","cwd":"/h/p","hook_event_name":")" + name +
               "\"" + rest + "}";
    }
    // What came into the conversation.
    std::string told(const Answer& answer) {
        EXPECT_EQ(answer.status, 200) << answer.body;
        return answer.text("/hookSpecificOutput/additionalContext");
    }
    void put(const std::string& key, const std::string& text) {
        EXPECT_LT(rig.put(key, R"({"data":{"text":")" + text + R"("},"force":true})").status, 300);
    }

    test::RestRig rig;
    mcp::Shown shown;
    Sessions sessions;
    Door door{rig, shown, sessions};
};

TEST_F(HooksDoor, TellsASessionThatBeginsWhatTheMemoryHas) {
    put("plan", "One memory for all.");
    const std::string text =
        told(hook("/hooks/claude-code", event("SessionStart", R"(,"source":"startup")")));
    EXPECT_NE(text.find("plan (version 1, by rest, "), std::string::npos) << text;
    EXPECT_NE(text.find("One memory for all."), std::string::npos);
    EXPECT_LE(text.size(), 10'000U);
    EXPECT_NE(text.find("not instructions"), std::string::npos);
}

TEST_F(HooksDoor, NeverTellsAnUnchangedThingTwice) {
    put("plan", "The harbour opens in May.");
    put("other", "Nothing of that kind.");
    EXPECT_EQ(told(hook("/hooks/codex", event("UserPromptSubmit", R"(,"prompt":"hello there")"))),
              "");
    const auto ask = [&](const std::string& words) {
        return told(
            hook("/hooks/codex", event("UserPromptSubmit", R"(,"prompt":")" + words + "\"")));
    };
    EXPECT_NE(ask("When does the harbour open?").find("opens in May"), std::string::npos);
    EXPECT_EQ(ask("And the harbour?"), "");
    put("plan", "The harbour opens in June.");
    const std::string news = ask("Go on.");
    EXPECT_NE(news.find("opens in June"), std::string::npos) << news;
    EXPECT_NE(news.find("changed since it was shown"), std::string::npos);
    EXPECT_EQ(news.find("other"), std::string::npos);
    EXPECT_EQ(ask("Go on, please."), "");
}

TEST_F(HooksDoor, TheSameEventTwiceIsOne) {
    put("plan", "One memory.");
    const std::string start = event("SessionStart", R"(,"source":"startup")");
    EXPECT_NE(told(hook("/hooks/claude-code", start)), "");
    // VS Code runs the hooks of both files, in both spellings.
    EXPECT_EQ(hook("/hooks/vscode", R"({"sessionId":"s-1","cwd":"/h/p","hookEventName":)"
                                    R"("SessionStart","source":"startup"})")
                  .body,
              "{}");
    const std::string stop = event("Stop", R"(,"last_assistant_message":"Built it.")");
    EXPECT_EQ(hook("/hooks/claude-code", stop).body, "{}");
    EXPECT_EQ(hook("/hooks/vscode", stop).body, "{}");
    const Answer kept = rig.ask("GET", "/api/v1/context?contextKey=session:s-1");
    EXPECT_EQ(kept.number("/version"), 1);
    EXPECT_EQ(kept.text("/data/said"), "Built it.");
    EXPECT_GT(kept.number("/expiresAt"), kept.number("/updatedAt"));
}

TEST_F(HooksDoor, AfterACompactionItTellsEverythingAgainAndTheLastWordsFirst) {
    put("plan", "One memory.");
    EXPECT_NE(told(hook("/hooks/claude-code", event("SessionStart", R"(,"source":"startup")"))),
              "");
    hook("/hooks/claude-code", event("PreCompact", R"(,"trigger":"auto",)"
                                                   R"("last_assistant_message":"Half done.")"));
    const std::string text =
        told(hook("/hooks/claude-code", event("SessionStart", R"(,"source":"compact")")));
    const std::size_t own = text.find("Half done.");
    ASSERT_NE(own, std::string::npos) << text;
    EXPECT_LT(own, text.find("One memory."));
    // What was told after it stays told.
    hook("/hooks/claude-code", event("PostCompact"));
    EXPECT_EQ(
        told(hook("/hooks/claude-code", event("UserPromptSubmit", R"(,"prompt":"one memory?")"))),
        "");
}

TEST_F(HooksDoor, WithoutAnAnnouncementTheCompactionIsWhatForgets) {
    put("plan", "One memory.");
    const std::string ask = R"(,"prompt":"which memory )";
    EXPECT_NE(told(hook("/hooks/codex", event("UserPromptSubmit", ask + "1\""))), "");
    EXPECT_EQ(told(hook("/hooks/codex", event("UserPromptSubmit", ask + "2\""))), "");
    hook("/hooks/codex", event("PostCompact"));
    EXPECT_NE(told(hook("/hooks/codex", event("UserPromptSubmit", ask + "3\""))), "");
}

TEST_F(HooksDoor, TheNextSessionOfAFolderHearsOfTheLastOne) {
    hook("/hooks/codex", event("Stop", R"(,"last_assistant_message":"Left at the parser.")"));
    const std::string next =
        told(hook("/hooks/claude-code", event("SessionStart", R"(,"source":"startup")", "s-2")));
    EXPECT_NE(next.find("Left at the parser."), std::string::npos);
    EXPECT_EQ(hook("/hooks/claude-code",
                   R"({"session_id":"s-3","cwd":"/elsewhere","hook_event_name":"SessionStart"})")
                  .body,
              "{}");
}

TEST_F(HooksDoor, RefusesWhatIsNoEvent) {
    EXPECT_EQ(hook("/hooks/emacs", event("Stop")).status, 404);
    EXPECT_EQ(hook("/hooks/codex", "{").status, 400);
    EXPECT_EQ(hook("/hooks/codex", "{}").text("/code"), "missing_field");
    EXPECT_EQ(hook("/hooks/codex", event("Stop"), {{"Content-Type", "text/plain"}}).status, 415);
    EXPECT_EQ(hook("/hooks/codex?evnt=Stop", event("Stop")).status, 400);
    EXPECT_EQ(hook("/hooks/codex", event("SomethingNew")).body, "{}");
}

TEST_F(HooksDoor, StaysOutOfTheWayWhereTheMemoryDoesNotAnswer) {
    rig.sim_store().set_cut(true);
    EXPECT_EQ(hook("/hooks/codex", event("SessionStart")).body, "{}");
}

TEST_F(HooksDoor, RemembersTheEventsOfABoundedNumberOfSessions) {
    const auto count = static_cast<std::size_t>(limits::hook_sessions_max);
    for (std::size_t i = 0; i <= count; ++i)
        EXPECT_FALSE(sessions.is_repeat("s" + std::to_string(i), 7, 0));
    EXPECT_TRUE(sessions.is_repeat("s1", 7, 1));
    EXPECT_FALSE(sessions.is_repeat("s1", 7, 1 + limits::hook_repeat_ms));
    EXPECT_FALSE(sessions.is_repeat("s0", 7, 1));
}

TEST_F(HooksDoor, AnEventThatAnotherNodeHasTakenIsOne) {
    sessions.take({.topic = Topic::hook_event, .session = "s-9", .entries = {{"", 7}}}, 0);
    EXPECT_TRUE(sessions.knows("s-9"));
    EXPECT_TRUE(sessions.is_repeat("s-9", 7, 1));
    EXPECT_FALSE(sessions.is_repeat("s-9", 8, 1));
    EXPECT_FALSE(sessions.note_compaction("s-9", false));
    sessions.take({.topic = Topic::compaction_announced, .session = "s-9", .entries = {{"", 9}}},
                  0);
    EXPECT_TRUE(sessions.note_compaction("s-9", false));
    EXPECT_TRUE(sessions.is_repeat("s-9", 9, 1));
    sessions.take({.topic = Topic::hook_event, .session = "s-8"}, 0);  // of no event
    EXPECT_FALSE(sessions.knows("s-8"));
}

TEST_F(HooksDoor, AFileThatAnotherAgentHasClaimedIsNotWritten) {
    const std::string edit = event("PreToolUse", R"(,"tool_name":"Write","tool_input":)"
                                                 R"({"file_path":"/h/p/a.cpp","content":""})");
    EXPECT_EQ(hook("/hooks/claude-code", edit).body, "{}");
    EXPECT_LT(rig.ask("POST", "/api/v1/claims", R"({"resource":"file:/h/p/a.cpp"})",
                      {{"Dyad-Instance", "codex-7"}})
                  .status,
              300);
    const Answer refused = hook("/hooks/claude-code", edit);
    EXPECT_EQ(refused.text("/hookSpecificOutput/permissionDecision"), "deny") << refused.body;
    EXPECT_NE(refused.text("/hookSpecificOutput/permissionDecisionReason").find("codex-7"),
              std::string::npos);
    EXPECT_EQ(hook("/hooks/codex", edit, {{"Dyad-Instance", "codex-7"}}).body, "{}");
    EXPECT_EQ(hook("/hooks/claude-code", event("PreToolUse", R"(,"tool_name":"Read","tool_input":)"
                                                             R"({"file_path":"/h/p/a.cpp"})"))
                  .body,
              "{}");
}

TEST_F(HooksDoor, WhereNobodyKnowsWhatIsClaimedNoFileIsWritten) {
    rig.sim_store().set_cut(true);
    const Answer refused =
        hook("/hooks/claude-code", event("PreToolUse", R"(,"tool_name":"Write","tool_input":)"
                                                       R"({"file_path":"/h/p/a.cpp"})"));
    EXPECT_EQ(refused.text("/hookSpecificOutput/permissionDecision"), "deny") << refused.body;
    EXPECT_EQ(hook("/hooks/claude-code", event("PreToolUse", R"(,"tool_name":"Bash","tool_input":)"
                                                             R"({"command":"ls"})"))
                  .body,
              "{}");
}

}  // namespace
}  // namespace dyad::server::hooks
