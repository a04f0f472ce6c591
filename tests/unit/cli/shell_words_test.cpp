#include "cli/shell_words.hpp"

#include <gtest/gtest.h>

namespace dyad::cli {
namespace {

std::vector<std::string> texts(std::string_view line) {
    std::vector<std::string> out;
    for (const ShellWord& word : shell_words(line))
        out.push_back(word.text);
    return out;
}

TEST(ShellWords, AreThoseOfAShell) {
    using Words = std::vector<std::string>;
    EXPECT_EQ(texts(""), (Words{""}));
    EXPECT_EQ(texts("a b"), (Words{"a", "b"}));
    EXPECT_EQ(texts("  a\t b "), (Words{"a", "b", ""}));
    EXPECT_EQ(texts("--user 'ada b' c"), (Words{"--user", "ada b", "c"}));
    EXPECT_EQ(texts(R"(--user="ada \"b\" \x" c)"), (Words{R"(--user=ada "b" \x)", "c"}));
    EXPECT_EQ(texts(R"(a\ b 'it'\''s')"), (Words{"a b", "it's"}));
    EXPECT_EQ(texts("'' x"), (Words{"", "x"}));
}

TEST(ShellWords, KnowWhatIsOpenAndWhatOnlyTheShellCanRead) {
    EXPECT_EQ(shell_words("get \"a b").back().quote, '"');
    EXPECT_TRUE(shell_words("get \"a b").back().at_once);
    EXPECT_FALSE(shell_words("get a\"b").back().at_once);
    EXPECT_EQ(shell_words("get 'a'").back().quote, '\0');
    for (const char* line : {"$U", "\"$U\"", "x`y`", "$(x)"})
        EXPECT_TRUE(shell_words(line).front().unread) << line;
    for (const char* line : {"'$U'", "\\$U", "a"})
        EXPECT_FALSE(shell_words(line).front().unread) << line;
}

TEST(ShellWords, QuotedTextIsReadAsItIs) {
    for (const char* text : {"a b", "$(touch x)", "`x`", "it's \"so\"", "a;b|c&d", "*?[x]", "~x",
                             "#x", "a\\b", "!x", "chat:1=2", "Łódź", "李 明", "(a)", "<b>"}) {
        EXPECT_EQ(texts(shell_quoted(text, '\0')), (std::vector<std::string>{text})) << text;
        EXPECT_FALSE(shell_words(shell_quoted(text, '\0')).back().unread) << text;
        EXPECT_EQ(texts('"' + shell_quoted(text, '"') + '"'), (std::vector<std::string>{text}))
            << text;
    }
    EXPECT_EQ(shell_quoted("a b", '\''), "a b");
    EXPECT_EQ(shell_quoted("it's", '\''), "");
}

}  // namespace
}  // namespace dyad::cli
