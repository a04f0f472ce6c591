#include "server/hooks/event.hpp"

#include "server/hooks/answer.hpp"

#include <gtest/gtest.h>

namespace dyad::server::hooks {
namespace {

Event read(Assistant assistant, std::string_view text, std::string_view name = {}) {
    const Result<Event> event = read_event(assistant, text, name);
    EXPECT_TRUE(event) << (event ? "" : event.error().to_string());
    return event ? *event : Event{};
}

using Files = std::vector<std::string>;

// As each assistant sends them.
constexpr std::string_view kClaudeEdit =
    R"({"session_id":"7c1e","transcript_path":"/h/.claude/projects/p/7c1e.jsonl","cwd":"/h/p",)"
    R"("permission_mode":"acceptEdits","hook_event_name":"PreToolUse","tool_name":"Edit",)"
    R"("tool_input":{"file_path":"/h/p/src/a.cpp","old_string":"x","new_string":"y"},)"
    R"("tool_use_id":"toolu_01"})";
constexpr std::string_view kCodexPatch =
    R"({"session_id":"0199","turn_id":"3","transcript_path":"/h/.codex/sessions/r.jsonl",)"
    R"("cwd":"/h/p","hook_event_name":"PreToolUse","model":"gpt-5.2-codex",)"
    R"("permission_mode":"default","tool_name":"apply_patch","tool_use_id":"call_1","tool_input":)"
    R"({"command":"*** Begin Patch\n*** Update File: src/a.cpp\n@@\n-x\n+y\n*** Move to: b.cpp\n)"
    R"(*** Add File: /tmp/c\n+z\n*** Delete File: ../old\n*** End Patch"}})";
constexpr std::string_view kCursorWrite =
    R"({"conversation_id":"c-1","generation_id":"g-1","model":"claude-opus","hook_event_name":)"
    R"("preToolUse","cursor_version":"3.20.17","workspace_roots":["/h/p"],"user_email":"a@b.c",)"
    R"("tool_name":"Write","tool_input":{"file_path":"/h/p/./src/../a.cpp","content":"x"},)"
    R"("tool_use_id":"t","cwd":""})";
constexpr std::string_view kVscodeEdit =
    R"({"timestamp":"2026-11-26T10:00:00.000Z","cwd":"/h/p","sessionId":"v-1","hookEventName":)"
    R"("PreToolUse","transcript_path":"/h/t.json","tool_name":"multi_replace_string_in_file",)"
    R"("tool_input":{"explanation":"e","replacements":[{"filePath":"/h/p/a.ts","oldString":"x",)"
    R"("newString":"y"},{"filePath":"/h/p/b.ts"},{"filePath":"/h/p/a.ts"}]},"tool_use_id":"u"})";

TEST(HookEvent, TellsWhichFilesEveryAssistantIsAboutToWrite) {
    const Event claude = read(Assistant::claude_code, kClaudeEdit);
    EXPECT_EQ(claude.moment, Moment::before_tool);
    EXPECT_TRUE(claude.writes);
    EXPECT_EQ(claude.files, Files{"/h/p/src/a.cpp"});
    EXPECT_EQ(claude.session, "7c1e");
    const Event codex = read(Assistant::codex, kCodexPatch);
    EXPECT_TRUE(codex.writes);
    EXPECT_EQ(codex.files, (Files{"/h/old", "/h/p/b.cpp", "/h/p/src/a.cpp", "/tmp/c"}));
    EXPECT_EQ(codex.model, "gpt-5.2-codex");
    const Event cursor = read(Assistant::cursor, kCursorWrite);
    EXPECT_EQ(cursor.moment, Moment::before_tool);
    EXPECT_EQ(cursor.session, "c-1");
    EXPECT_EQ(cursor.files, Files{"/h/p/a.cpp"});
    const Event vscode = read(Assistant::vscode, kVscodeEdit);
    EXPECT_EQ(vscode.session, "v-1");
    EXPECT_EQ(vscode.files, (Files{"/h/p/a.ts", "/h/p/b.ts"}));
}

TEST(HookEvent, ToolsThatWriteNothingHaveNoFiles) {
    for (const std::string_view tool : {"Bash", "Read", "Grep", "WebFetch", "mcp__x__search"}) {
        const Event event = read(Assistant::claude_code,
                                 std::string(R"({"session_id":"s","cwd":"/p",)") +
                                     R"("hook_event_name":"PreToolUse","tool_name":")" +
                                     std::string(tool) + R"(","tool_input":{"file_path":"/p/a"}})");
        EXPECT_FALSE(event.writes) << tool;
        EXPECT_TRUE(event.files.empty()) << tool;
    }
    const Event served = read(Assistant::claude_code,
                              R"({"session_id":"s","cwd":"/p","hook_event_name":"PreToolUse",)"
                              R"("tool_name":"mcp__files__write_file","tool_input":{"path":"a"}})");
    EXPECT_EQ(served.files, Files{"/p/a"});
}

TEST(HookEvent, BothSpellingsAreOneEvent) {
    const Event snake =
        read(Assistant::vscode, R"({"session_id":"s","hook_event_name":"UserPromptSubmit",)"
                                R"("cwd":"/p","prompt":"why"})");
    const Event camel =
        read(Assistant::vscode, R"({"sessionId":"s","hookEventName":"UserPromptSubmit",)"
                                R"("cwd":"/p","prompt":"why"})");
    EXPECT_EQ(forwarded(snake), forwarded(camel));
    EXPECT_EQ(camel.moment, Moment::prompt);
    EXPECT_EQ(
        read(Assistant::cursor, R"({"conversation_id":"s","prompt":"why"})", "beforeSubmitPrompt")
            .moment,
        Moment::prompt);
}

TEST(HookEvent, ReadsWhatItForwards) {
    const Event event = read(Assistant::codex, kCodexPatch);
    const Event again = read(Assistant::codex, forwarded(event));
    EXPECT_EQ(again.files, event.files);
    EXPECT_EQ(again.writes, event.writes);
    EXPECT_EQ(again.session, event.session);
    EXPECT_EQ(again.model, event.model);
    EXPECT_EQ(forwarded(again), forwarded(event));
}

TEST(HookEvent, ForwardsNoMoreThanIsTaken) {
    const std::string large(1 << 20, 'x');
    const Event event =
        read(Assistant::claude_code, R"({"session_id":"s","hook_event_name":"Stop",)"
                                     R"("last_assistant_message":")" +
                                         large + R"(","prompt":")" + large + R"("})");
    EXPECT_LT(forwarded(event).size(), 2U * limits::hook_text_bytes_max + 512);
}

TEST(HookEvent, SaysWhatIsMissing) {
    const auto refused = [](std::string_view text) {
        const Result<Event> event = read_event(Assistant::codex, text);
        return event ? std::string() : event.error().detail;
    };
    EXPECT_TRUE(refused("{}").starts_with("hook_event_name: is required"));
    EXPECT_TRUE(refused(R"({"hook_event_name":"Stop"})").starts_with("session_id: "));
    EXPECT_TRUE(
        refused(R"({"hook_event_name":"Stop","session_id":")" + std::string(200, 'x') + "\"}")
            .starts_with("session_id: "));
    EXPECT_NE(refused("[]"), "");
    EXPECT_NE(refused("{"), "");
}

TEST(HookEvent, FindsTheLastWordsInTheRecordsOfEveryAssistant) {
    const std::string claude =
        "cut off here\"}\n"
        R"({"type":"assistant","message":{"role":"assistant","model":"claude-opus-4-6","content":)"
        R"([{"type":"text","text":"First."}]}})"
        "\n"
        R"({"type":"user","message":{"role":"user","content":"go on"}})"
        "\n"
        R"({"type":"assistant","message":{"role":"assistant","model":"claude-opus-4-6","content":)"
        R"([{"type":"thinking","thinking":"hm"},{"type":"text","text":"Done."}]}})"
        "\n"
        R"({"type":"assistant","message":{"role":"assistant","content":[{"type":"tool_use"}]}})"
        "\n";
    EXPECT_EQ(last_said(claude, 1, 100).text, "Done.");
    EXPECT_EQ(last_said(claude, 1, 100).model, "claude-opus-4-6");
    EXPECT_EQ(last_said(claude, 5, 100).text, "First.\n\nDone.");
    EXPECT_EQ(last_said(claude, 5, 7).text, "\n\nDone.");
    const std::string codex =
        R"({"timestamp":"t","type":"response_item","payload":{"type":"message","role":"assistant",)"
        R"("content":[{"type":"output_text","text":"Built."}]}})"
        "\n"
        R"({"timestamp":"t","type":"event_msg","payload":{"type":"token_count"}})";
    EXPECT_EQ(last_said(codex, 1, 100).text, "Built.");
    const std::string cursor =
        R"({"role":"assistant","message":{"content":[{"type":"text","text":"Fixed."}]}})";
    EXPECT_EQ(last_said(cursor, 1, 100).text, "Fixed.");
    EXPECT_EQ(last_said("", 1, 100).text, "");
    EXPECT_EQ(last_said("é", 3, 1).text, "");
}

TEST(HookAnswer, HasTheShapeThatEachAssistantTakes) {
    const Event start =
        read(Assistant::claude_code, R"({"session_id":"s","hook_event_name":"SessionStart"})");
    EXPECT_EQ(answer(start, "facts"), R"({"hookSpecificOutput":{"hookEventName":"SessionStart",)"
                                      R"("additionalContext":"facts"}})");
    EXPECT_EQ(answer(start, ""), "{}");
    const Event prompt = read(Assistant::cursor,
                              R"({"conversation_id":"s","hook_event_name":"beforeSubmitPrompt"})");
    EXPECT_EQ(answer(prompt, "facts"), R"({"continue":true,"additional_context":"facts"})");
    EXPECT_EQ(answer(prompt, ""), R"({"continue":true})");
    const Event vscode =
        read(Assistant::vscode, R"({"sessionId":"s","hookEventName":"UserPromptSubmit"})");
    EXPECT_EQ(answer(vscode, "facts"), "{}");
    EXPECT_FALSE(takes_context(vscode));
    EXPECT_EQ(answer(read(Assistant::codex, kCodexPatch), "", "taken"),
              R"({"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"deny",)"
              R"("permissionDecisionReason":"taken"}})");
    EXPECT_EQ(answer(read(Assistant::cursor, kCursorWrite), "", "taken"),
              R"({"permission":"deny","user_message":"taken","agent_message":"taken"})");
    EXPECT_EQ(answer(read(Assistant::cursor, kCursorWrite), ""), "{}");
    const Event stop = read(Assistant::codex, R"({"session_id":"s","hook_event_name":"Stop"})");
    EXPECT_EQ(answer(stop, "facts"), "{}");
}

TEST(HookGuard, RefusesWhatOthersHaveClaimed) {
    const Event edit = read(Assistant::claude_code, kClaudeEdit);
    const auto refused = [&edit](const std::string& key) {
        return refusal(edit, {{key, "codex-7", 1'764'198'600'000}});
    };
    ASSERT_TRUE(refused("file:/h/p/src/a.cpp"));
    EXPECT_NE(refused("file:/h/p/src/a.cpp")->find("\"codex-7\""), std::string::npos);
    EXPECT_NE(refused("file:/h/p/src/a.cpp")->find("2025-11-26 23:10Z"), std::string::npos);
    EXPECT_TRUE(refused("file:src/a.cpp"));  // of the folder that the session is in
    EXPECT_TRUE(refused("file:/h/p/src/"));
    EXPECT_FALSE(refused("file:/h/p/src/a.cp"));
    EXPECT_FALSE(refused("file:/h/p/src"));
    EXPECT_FALSE(refused("context:/h/p/src/a.cpp"));
    EXPECT_FALSE(refusal(edit, {}));
}

TEST(HookGuard, AToolWhoseFilesAreNotKnownIsRefusedWhileOthersHaveClaimedFiles) {
    Event edit = read(Assistant::claude_code, kClaudeEdit);
    edit.files.clear();
    EXPECT_TRUE(refusal(edit, {{"file:/x", "codex-7", 0}}));
    EXPECT_FALSE(refusal(edit, {{"context:x", "codex-7", 0}}));
}

}  // namespace
}  // namespace dyad::server::hooks
