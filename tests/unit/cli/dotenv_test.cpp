#include "cli/dotenv.hpp"

#include <gtest/gtest.h>

namespace dyad::cli {
namespace {

std::string value_of(const Dotenv& file, std::string_view name) {
    std::string value = "(absent)";
    for (const DotenvEntry& entry : file.entries)
        if (entry.name == name) value = entry.value;
    return value;
}

TEST(Dotenv, ReadsNamesAndValuesWithTheirLines) {
    const Dotenv file = parse_dotenv("# comment\n\nA=1\r\n  export B = two words \nC=\n");
    ASSERT_EQ(file.entries.size(), 3u);
    EXPECT_TRUE(file.problems.empty());
    EXPECT_EQ(value_of(file, "A"), "1");
    EXPECT_EQ(value_of(file, "B"), "two words");
    EXPECT_EQ(value_of(file, "C"), "");
    EXPECT_EQ(file.entries[0].line, 3u);
    EXPECT_EQ(file.entries[2].line, 5u);
}

TEST(Dotenv, CommentsBeginAfterABlankOnly) {
    const Dotenv file = parse_dotenv("A=x#y # z\nB=\"a # b\" # c\nC='d' #e\nD=# all\n");
    EXPECT_TRUE(file.problems.empty());
    EXPECT_EQ(value_of(file, "A"), "x#y");
    EXPECT_EQ(value_of(file, "B"), "a # b");
    EXPECT_EQ(value_of(file, "C"), "d");
    EXPECT_EQ(value_of(file, "D"), "");
}

TEST(Dotenv, DoubleQuotesHaveEscapesAndSingleQuotesHaveNone) {
    const Dotenv file = parse_dotenv("A=\"1\\n2\\t\\\"\\\\\\$\\x\"\nB='1\\n$(x)`'\n");
    EXPECT_TRUE(file.problems.empty());
    EXPECT_EQ(value_of(file, "A"), "1\n2\t\"\\$\\x");
    EXPECT_EQ(value_of(file, "B"), "1\\n$(x)`");
}

TEST(Dotenv, NothingIsExecutedAndSingleQuotesAreMarked) {
    const Dotenv file = parse_dotenv("A=$(x)\nB=\"$(x)\"\nC='$(x)'\nD=`x`\n");
    EXPECT_TRUE(file.problems.empty());
    EXPECT_EQ(value_of(file, "A"), "$(x)");
    EXPECT_EQ(value_of(file, "B"), "$(x)");
    EXPECT_EQ(value_of(file, "C"), "$(x)");
    EXPECT_EQ(value_of(file, "D"), "`x`");
    EXPECT_FALSE(file.entries[1].literal);
    EXPECT_TRUE(file.entries[2].literal);
}

TEST(Dotenv, ValuesMayGoOverSeveralLines) {
    for (const char* end : {"\n", "\r\n", "\r"}) {
        std::string text =
            "KEY=\"-----BEGIN-----|A=b==|-----END-----\" # one|"
            "JSON='{|  \"WS_SYNC_PORT\": 1|}'|"
            "CERT=`x|y`|LAST=5";
        for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos;)
            text.replace(at, 1, end);
        const Dotenv file = parse_dotenv(text);
        EXPECT_TRUE(file.problems.empty());
        ASSERT_EQ(file.entries.size(), 4u) << text;
        EXPECT_NE(value_of(file, "KEY").find("A=b=="), std::string::npos);
        EXPECT_TRUE(value_of(file, "JSON").ends_with("}"));
        EXPECT_EQ(value_of(file, "LAST"), "5");
        EXPECT_EQ(file.entries[1].line, 4u);
        EXPECT_EQ(file.entries[3].line, 9u);
    }
    EXPECT_EQ(value_of(parse_dotenv("A=\"1\r\n2\"\r\n"), "A"), "1\n2");
}

TEST(Dotenv, AQuoteThatIsNoQuoteIsItsLineAlone) {
    const Dotenv file = parse_dotenv(
        "A=\"open\nB=\"1\"\nC=it's\nD='x'y'\nE=\"a\" and \"b\"\nF=say \"hi\"\nG='open\nH=2\n");
    EXPECT_EQ(value_of(file, "B"), "1");
    EXPECT_EQ(value_of(file, "C"), "it's");
    EXPECT_EQ(value_of(file, "F"), "say \"hi\"");
    EXPECT_EQ(value_of(file, "H"), "2");
    ASSERT_EQ(file.problems.size(), 4u);
    EXPECT_EQ(file.problems[0].name, "A");
    EXPECT_EQ(file.problems[3].name, "G");
    EXPECT_EQ(file.problems[3].line, 7u);
}

TEST(Dotenv, LinesOfAnyShapeDoNotStopTheOthers) {
    const Dotenv file = parse_dotenv(
        "[section]\nsource ./other.env\nno equals\n2B=1\n=x\n{\n  \"A\": 1,\n}\n- item\n"
        "if [ -f x ]; then\nA.B-c=1\nX: yes\nURL http://x\n\x01\xff\n; comment\n"
        "A=1\nset B=2\n");
    EXPECT_EQ(value_of(file, "A"), "1");
    EXPECT_EQ(value_of(file, "A.B-c"), "1");
    EXPECT_EQ(value_of(file, "X"), "yes");
    EXPECT_FALSE(file.problems.empty());
}

TEST(Dotenv, ALineWithoutItsSignIsNamedByItsFirstWord) {
    const Dotenv file = parse_dotenv("A=1\nWS_SYNC_PORT 9000\n");
    ASSERT_EQ(file.problems.size(), 1u);
    EXPECT_EQ(file.problems[0].name, "WS_SYNC_PORT");
    EXPECT_EQ(file.problems[0].line, 2u);
}

TEST(Dotenv, AByteOrderMarkIsNoPartOfTheFirstName) {
    EXPECT_EQ(value_of(parse_dotenv("\xef\xbb\xbf"
                                    "A=1"),
                       "A"),
              "1");
}

TEST(Dotenv, WhatIsUnseenRoundANameIsNoPartOfIt) {
    for (const char* text : {"\u00a0A=1\n", "\u200b \u00a0A=1\n", "A\u00a0=1\n", "A\u3000 = 1\n",
                             "export \ufeffA=1\n"}) {
        const Dotenv parsed = parse_dotenv(text);
        ASSERT_EQ(parsed.entries.size(), 1U) << text;
        EXPECT_EQ(parsed.entries[0].name, "A");
        EXPECT_EQ(parsed.entries[0].value, "1");
    }
}

TEST(Dotenv, TheLaterOfTwoCounts) {
    EXPECT_EQ(value_of(parse_dotenv("A=1\nA=2\n"), "A"), "2");
}

}  // namespace
}  // namespace dyad::cli
