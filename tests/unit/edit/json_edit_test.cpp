#include "edit/json_edit.hpp"

#include <gtest/gtest.h>

namespace dyad::edit {
namespace {

const std::vector<std::string> kServer = {"mcpServers", "dyad"};
const std::vector<std::string> kHook = {"hooks", "Stop"};
constexpr const char* kValue = R"({"type":"http","url":"http://x/mcp"})";

std::string set(std::string_view text) {
    const Result<std::string> out = set_json(text, kServer, kValue);
    return out ? *out : out.error().detail;
}
std::string drop(std::string_view text) {
    const Result<std::string> out = drop_json(text, kServer);
    return out ? *out : out.error().detail;
}
std::string wrong(std::string_view text) {
    const Result<std::string> out = set_json(text, kServer, kValue);
    return out ? "no error: " + *out : out.error().detail;
}
bool is_ours(std::string_view text) {
    return text.find("ours") != text.npos;
}

TEST(JsonEdit, AnEmptyFileGetsObjectsOnTheWay) {
    EXPECT_EQ(set(""),
              "{\n  \"mcpServers\": {\n    \"dyad\": {\n      \"type\": \"http\",\n      "
              "\"url\": \"http://x/mcp\"\n    }\n  }\n}\n");
    EXPECT_EQ(set("{}"), set("").substr(0, set("").size() - 1));
}

TEST(JsonEdit, TheFilesOwnIndentationIsUsed) {
    const std::string out = set("{\n\t\"a\": 1,\n\t\"mcpServers\": {\n\t\t\"b\": {}\n\t}\n}\n");
    EXPECT_EQ(out,
              "{\n\t\"a\": 1,\n\t\"mcpServers\": {\n\t\t\"b\": {},\n\t\t\"dyad\": {\n\t\t\t"
              "\"type\": \"http\",\n\t\t\t\"url\": \"http://x/mcp\"\n\t\t}\n\t}\n}\n");
}

TEST(JsonEdit, CommentsStayWhereTheyBelong) {
    const std::string before =
        "// mine\n{\n  \"a\": 1, // one\n  /* two */ \"b\": [1, 2] // last\n"
        "  // the end\n}\n";
    const std::string after = set(before);
    EXPECT_NE(after.find("\"b\": [1, 2], // last\n  \"mcpServers\": {"), after.npos) << after;
    EXPECT_NE(after.find("  }\n  // the end\n}\n"), after.npos) << after;
    EXPECT_EQ(drop(after), before);
}

TEST(JsonEdit, TakingOutUndoesPuttingIn) {
    for (const std::string before :
         {"{}", "{}\n", "{\"a\":1}", "{ \"a\": 1 }", "{\n  \"a\": 1\n}\n", "{\n  \"a\": 1,\n}\n",
          "{\n    \"a\": {\n        \"x\": \"}\\\\\\\"{\"\n    }\n}", "{\r\n  \"a\": 1\r\n}\r\n",
          "{\n  \"mcpServers\": {\n    \"b\": {\"c\": 1} // of b\n  }\n}\n",
          "{\n  \"mcpServers\": { \"b\": 1, },\n  \"z\": null\n}", "\xef\xbb\xbf{\"a\": true}\n"}) {
        const std::string after = set(before);
        EXPECT_NE(after, before);
        EXPECT_EQ(drop(after), before) << after;
        EXPECT_EQ(set(after), after);
    }
}

TEST(JsonEdit, AValueThatSaysTheSameStaysAsItIsWritten) {
    const std::string text =
        "{\"mcpServers\":{\"dyad\":{ \"type\" : \"http\", // as ever\n"
        "\"url\":\"http://x/mcp\"}}}";
    EXPECT_EQ(set(text), text);
}

TEST(JsonEdit, AnotherValueIsReplacedAndItsNeighboursAreNot) {
    EXPECT_EQ(set("{\"mcpServers\": {\"dyad\": {\"old\": 1}, \"b\": 2}}"),
              "{\"mcpServers\": {\"dyad\": {\n      \"type\": \"http\",\n      \"url\": "
              "\"http://x/mcp\"\n    }, \"b\": 2}}");
}

TEST(JsonEdit, TheFirstOfSeveralIsTakenOutWithItsComma) {
    EXPECT_EQ(drop("{\n  \"mcpServers\": {\n    \"dyad\": {},\n    // b\n    \"b\": 1\n  }\n}"),
              "{\n  \"mcpServers\": {\n    // b\n    \"b\": 1\n  }\n}");
}

TEST(JsonEdit, ElementsComeAndGo) {
    for (const std::string before : {"{}", "{\"hooks\":{\"Stop\":[{\"command\":\"x\"}]}}",
                                     "{\n  \"hooks\": {\n    \"Stop\": [\n      {\"command\": "
                                     "\"x\"}\n    ],\n    \"Other\": []"
                                     "\n  }\n}\n"}) {
        const std::string after = *add_to_json(before, kHook, R"({"command":"ours"})");
        EXPECT_EQ(json_elements(after, kHook)->back().find("ours") != std::string::npos, true);
        EXPECT_EQ(*drop_from_json(after, kHook, is_ours), before);
    }
    const std::string twice = *add_to_json(
        *add_to_json("{\"hooks\":{\"Stop\":[1]}}", kHook, "\"ours\""), kHook, "\"ours too\"");
    EXPECT_EQ(compact_json(*drop_from_json(twice, kHook, is_ours)), "{\"hooks\":{\"Stop\":[1]}}");
}

TEST(JsonEdit, ABrokenTextIsNamedByLineAndColumn) {
    EXPECT_EQ(wrong("{\n  \"a\": 1\n  \"b\": 2\n}"),
              "line 3, column 3: \",\" or \"}\" is expected here");
    EXPECT_EQ(wrong("{\"a\": }"), "line 1, column 7: a JSON value is expected here");
    EXPECT_EQ(wrong("{\"a\": 1"), "line 1, column 8: \",\" or \"}\" is expected here");
    EXPECT_EQ(wrong("{\"ä\": \"x"), "line 1, column 7: this string has no end");
    EXPECT_EQ(wrong("{} x"), "line 1, column 4: there is more behind the end of the JSON value");
    EXPECT_EQ(wrong("{\"a\": 1} /* "), "line 1, column 10: this comment has no end");
    EXPECT_EQ(wrong("{a: 1}"), "line 1, column 2: a name in double quotes is expected here");
    EXPECT_EQ(wrong("[]"), "line 1, column 1: an object is expected here");
    EXPECT_EQ(wrong("{\"mcpServers\": []}"), "line 1, column 16: \"mcpServers\" must be an object");
    EXPECT_EQ(wrong(std::string(100, '[')), "line 1, column 66: it is nested too deeply");
    EXPECT_FALSE(add_to_json("{\"hooks\":{\"Stop\":{}}}", kHook, "1").has_value());
}

TEST(JsonEdit, NoPrefixOfATextIsReadBeyondItsEnd) {
    const std::string whole =
        "// c\n{\"a\": [1, {\"b\": \"\\u00e4\"}], /* d */ \"mcpServers\": {}}\n";
    for (std::size_t size = 0; size < whole.size(); ++size)
        if (const auto out = set_json(whole.substr(0, size), kServer, kValue); out) {
            EXPECT_TRUE(json_at(*out, kServer).has_value());
        }
}

TEST(JsonEdit, NothingIsPutIntoACommentThatTakesTheRestOfItsLine) {
    const std::vector<std::string> path = {"mcpServers", "dyad"};
    const auto set = set_json("{\"a\": {}// mine\n}\n", path, "{\"url\":\"x\"}");
    ASSERT_TRUE(set);
    EXPECT_EQ(*set, "{\"a\": {},// mine\n\"mcpServers\": {\"dyad\": {\"url\": \"x\"}}\n}\n");
    EXPECT_EQ(*set_json(*set, path, "{\"url\":\"x\"}"), *set);
}

}  // namespace
}  // namespace dyad::edit
