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

TEST(Dotenv, NothingIsExecuted) {
    for (const char* text : {"ID=$(uuidgen)", "ID=\"$(uuidgen)\"", "ID=`uuidgen`"}) {
        const Dotenv file = parse_dotenv(text);
        EXPECT_TRUE(file.entries.empty()) << text;
        ASSERT_EQ(file.problems.size(), 1u) << text;
        EXPECT_NE(file.problems[0].text.find("not executed"), std::string::npos);
        EXPECT_NE(file.problems[0].text.find("ID"), std::string::npos);
    }
}

TEST(Dotenv, EveryBadLineIsReportedAndTheOthersAreRead) {
    const Dotenv file = parse_dotenv("A=1\nno equals\n2B=1\nC='open\nD=\"x\" y\nE=5");
    EXPECT_EQ(value_of(file, "A"), "1");
    EXPECT_EQ(value_of(file, "E"), "5");
    EXPECT_EQ(file.entries.size(), 2u);
    ASSERT_EQ(file.problems.size(), 4u);
    EXPECT_EQ(file.problems[0].line, 2u);
    EXPECT_EQ(file.problems[3].line, 5u);
}

TEST(Dotenv, AByteOrderMarkIsNoPartOfTheFirstName) {
    EXPECT_EQ(value_of(parse_dotenv("\xef\xbb\xbf"
                                    "A=1"),
                       "A"),
              "1");
}

TEST(Dotenv, TheLaterOfTwoCounts) {
    EXPECT_EQ(value_of(parse_dotenv("A=1\nA=2\n"), "A"), "2");
}

}  // namespace
}  // namespace dyad::cli
