#include "cli/dotenv.hpp"

#include <gtest/gtest.h>

namespace dyad::cli {
namespace {

std::string value_of(std::string_view text) {
    const Dotenv parsed = parse_dotenv(text);
    if (!parsed.problems.empty()) return "problem: " + parsed.problems.front().text;
    return parsed.entries.size() == 1 ? parsed.entries.front().value
                                      : std::to_string(parsed.entries.size()) + " entries";
}

TEST(Dotenv, TakesValuesBareQuotedAndCommented) {
    EXPECT_EQ(value_of("A=1"), "1");
    EXPECT_EQ(value_of("  export A = 1 "), "1");
    EXPECT_EQ(value_of("A=a b  # why"), "a b");
    EXPECT_EQ(value_of("A=a#b"), "a#b");
    EXPECT_EQ(value_of("A='a # \\n b'"), "a # \\n b");
    EXPECT_EQ(value_of("A=\"x\\n\\\"y\\\" $z\" # c"), "x\n\"y\" $z");
    EXPECT_EQ(value_of("A="), "");
    EXPECT_EQ(value_of("A=# nothing"), "");
    EXPECT_EQ(value_of("A=mongodb://u:p@h/?a=b"), "mongodb://u:p@h/?a=b");
    EXPECT_EQ(value_of("\xef\xbb\xbf"
                       "A=1\r\n"),
              "1");
}

TEST(Dotenv, SkipsCommentsAndEmptyLinesAndCountsLines) {
    const Dotenv parsed = parse_dotenv("# one\n\n A=1\n\t# two\nB=2");
    ASSERT_EQ(parsed.entries.size(), 2u);
    EXPECT_EQ(parsed.entries[0].line, 3u);
    EXPECT_EQ(parsed.entries[1].line, 5u);
    EXPECT_TRUE(parsed.problems.empty());
}

TEST(Dotenv, SaysThatCommandsAreNotExecuted) {
    for (const char* text :
         {"A=$(uuidgen)", "A=\"$(uuidgen)\"", "A=`uuidgen`", "A=user-$(hostname)"}) {
        const Dotenv parsed = parse_dotenv(text);
        EXPECT_TRUE(parsed.entries.empty()) << text;
        ASSERT_EQ(parsed.problems.size(), 1u) << text;
        EXPECT_NE(parsed.problems[0].text.find("not executed"), std::string::npos) << text;
    }
    EXPECT_EQ(value_of("A='$(uuidgen)'"), "$(uuidgen)");
}

TEST(Dotenv, NamesTheLineOfWhatItCannotRead) {
    const Dotenv parsed = parse_dotenv("A=1\nnonsense\nB='open\n3C=1\nD=\"a\" b\nE=2");
    ASSERT_EQ(parsed.problems.size(), 4u);
    EXPECT_EQ(parsed.problems[0].line, 2u);
    EXPECT_EQ(parsed.problems[1].line, 3u);
    EXPECT_EQ(parsed.problems[2].line, 4u);
    EXPECT_EQ(parsed.problems[3].line, 5u);
    EXPECT_EQ(parsed.entries.size(), 2u) << "what can be read is read";
}

TEST(Dotenv, TakesAnyBytesWithoutHarm) {
    for (int a = 0; a < 256; ++a)
        for (const char* form : {"A=%c", "%cA=1", "A=\"%c", "A='%c", "export%cA=1", "A=\"\\%c\"%c"}) {
            std::string text(form);
            for (std::size_t at; (at = text.find("%c")) != std::string::npos;)
                text.replace(at, 2, 1, static_cast<char>(a));
            const Dotenv parsed = parse_dotenv(text);
            EXPECT_LE(parsed.entries.size() + parsed.problems.size(), 2u);
        }
}

}  // namespace
}  // namespace dyad::cli
