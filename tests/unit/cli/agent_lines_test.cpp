#include "cli/agent_lines.hpp"

#include <gtest/gtest.h>

namespace dyad::cli {
namespace {

std::string line(const std::string& text, const std::string& own = "") {
    const auto said = line_of(*json::parse(text), own);
    return said ? said->text : "";
}

constexpr const char* kContext =
    R"({"kind":"context-changed","sourceInstanceId":"desk","data":{"action":"updated",)"
    R"("context":{"contextKey":"plan","version":3}}})";

TEST(AgentLines, SaysWhoChangedWhat) {
    EXPECT_EQ(line(kContext), "plan was updated by desk (version 3)");
    EXPECT_EQ(line(kContext, "desk"), "");
    EXPECT_EQ(line(R"({"kind":"mode-changed","sourceInstanceId":"desk","data":)"
                   R"({"instanceId":"desk","currentMode":"parallel"}})"),
              "desk is in parallel mode");
    EXPECT_EQ(line(R"({"kind":"claim-changed","sourceInstanceId":"desk","data":{"action":)"
                   R"("granted","claim":{"resource":"file:/a","instanceId":"desk",)"
                   R"("note":"the parser"}}})"),
              "file:/a is claimed by desk: the parser");
    EXPECT_EQ(line(R"({"kind":"claim-changed","sourceInstanceId":"dyad-server","data":{"action":)"
                   R"("expired","claim":{"resource":"file:/a","instanceId":"desk"}}})"),
              "file:/a is free again (desk had claimed it)");
}

TEST(AgentLines, LeavesOutWhatNobodyActsUpon) {
    EXPECT_EQ(line(R"({"kind":"claim-changed","data":{"action":"renewed","claim":{}}})"), "");
    EXPECT_EQ(line(R"({"kind":"response-recorded","data":{}})"), "");
    EXPECT_EQ(line(R"({"kind":"context-changed","data":{"action":"updated","context":)"
                   R"({"contextKey":"session:1","version":1}}})"),
              "");
    EXPECT_EQ(line("[]"), "");
}

TEST(AgentLines, ALineIsOneLineWhateverIsInIt) {
    const std::string said =
        line(R"({"kind":"context-changed","sourceInstanceId":"a\nb","data":{"action":"updated",)"
             R"("context":{"contextKey":"k\u001b[31m","version":1}}})");
    EXPECT_EQ(said.find('\n'), std::string::npos);
    EXPECT_EQ(said.find('\x1b'), std::string::npos);
}

TEST(AgentLines, HoldsBackWhatIsTooMuchAndSumsItUp) {
    AgentLines lines;
    const auto most = static_cast<int>(limits::watch_lines_max);
    for (int i = 0; i < most; ++i)
        EXPECT_TRUE(lines.take({"text", "k"}, 0));
    EXPECT_FALSE(lines.take({"text", "a"}, 10));
    EXPECT_FALSE(lines.take({"text", "a"}, 20));
    EXPECT_FALSE(lines.take({"text", "b"}, 30));
    EXPECT_FALSE(lines.due(limits::watch_window_ms - 1));
    const auto summary = lines.due(limits::watch_window_ms);
    ASSERT_TRUE(summary);
    EXPECT_EQ(*summary, "3 more changes, of a, b (dyad-memory events lists them)");
    EXPECT_FALSE(lines.due(limits::watch_window_ms));
    EXPECT_TRUE(lines.take({"text", "k"}, limits::watch_window_ms + 1));
}

}  // namespace
}  // namespace dyad::cli
