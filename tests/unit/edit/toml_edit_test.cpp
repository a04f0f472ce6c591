#include "edit/toml_edit.hpp"

#include <gtest/gtest.h>

namespace dyad::edit {
namespace {

const std::vector<std::string> kTable = {"mcp_servers", "dyad"};
constexpr const char* kBlock = "[mcp_servers.dyad]\nurl = \"http://x/mcp\"\n";
constexpr const char* kMine =
    "# my settings\nmodel = \"o5\"   # the best\nnames = [\n  \"[mcp_servers.dyad]\", # no\n]\n"
    "text = \"\"\"\n[mcp_servers.dyad]\n\"\"\"\n\n[mcp_servers.other]\ncommand = 'x'\n"
    "env = { A = \"1\", B = \"{}\" }\n\n[[things]]\nat = 1979-05-27 07:32:00Z\n\n# the end\n";

std::string set(std::string_view text) {
    const Result<std::string> out = set_toml(text, kTable, kBlock);
    return out ? *out : out.error().detail;
}
std::string drop(std::string_view text) {
    const Result<std::string> out = drop_toml(text, kTable);
    return out ? *out : out.error().detail;
}

TEST(TomlEdit, TheTableGoesToTheEndAndComesOutAgain) {
    EXPECT_EQ(set(""), kBlock);
    EXPECT_EQ(set(kMine), std::string(kMine) + "\n" + kBlock);
    for (const std::string& before : {std::string(kMine), std::string(), std::string("a = 1\r\n"),
                                      std::string("a = 1\r\n\n")}) {
        const std::string after = set(before);
        EXPECT_EQ(set(after), after);
        EXPECT_EQ(drop(after), before);
    }
    EXPECT_NE(set("a = 1\r\n").find("dyad]\r\nurl"), std::string::npos);
    EXPECT_EQ(*toml_at(kMine, kTable), "");
    EXPECT_EQ(*toml_at(set(kMine), kTable), kBlock);
}

TEST(TomlEdit, ItIsReplacedWithWhatStandsBelowIt) {
    const std::string text =
        "a = 1\n\n[mcp_servers.dyad]\nurl = \"old\"\n\n[mcp_servers.\"dyad\".tools]\n"
        "x = 1 # y\n\n# of b\n[b]\n";
    EXPECT_EQ(set(text), "a = 1\n\n[mcp_servers.dyad]\nurl = \"http://x/mcp\"\n\n\n# of b\n[b]\n");
    EXPECT_EQ(drop(text), "a = 1\n\n# of b\n[b]\n");
}

TEST(TomlEdit, AnotherWayOfWritingItIsRefused) {
    EXPECT_EQ(set("a = 1\nmcp_servers.dyad.url = 'x'\n"),
              "line 2, column 1: mcp_servers.dyad is not written as a table; write it as "
              "[mcp_servers.dyad], or take it out");
    EXPECT_NE(set("[mcp_servers]\ndyad = { url = 'x' }\n").find("line 2, column 1"),
              std::string::npos);
    EXPECT_NE(set("mcp_servers = { dyad = { url = 'x' } }\n").find("line 1, column 17"),
              std::string::npos);
}

TEST(TomlEdit, ABrokenTextIsNamedByLineAndColumn) {
    EXPECT_EQ(set("a = 1\nb\n"), "line 2, column 2: \"=\" is expected here");
    EXPECT_EQ(set("a = \n"), "line 1, column 5: a value is expected here");
    EXPECT_EQ(set("a = \"x\n"), "line 1, column 5: this string has no end");
    EXPECT_EQ(set("[a\nb = 1"), "line 1, column 3: \"]\" is expected here");
    EXPECT_EQ(set("a = [1, 2\nb = 1"), "line 2, column 1: \",\" or \"]\" is expected here");
    EXPECT_EQ(set("a = 1 b = 2\n"), "line 1, column 7: the end of the line is expected here");
    EXPECT_EQ(set("= 1"), "line 1, column 1: a name is expected here");
    EXPECT_NE(set("a = " + std::string(100, '[')).find("nested too deeply"), std::string::npos);
}

TEST(TomlEdit, NoPrefixOfATextIsReadBeyondItsEnd) {
    const std::string whole = set(kMine);
    for (std::size_t size = 0; size < whole.size(); ++size)
        static_cast<void>(drop(whole.substr(0, size)));
}

}  // namespace
}  // namespace dyad::edit
