#include "model/json_scan.hpp"

#include "model/json_lexer.hpp"

#include <memory>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace dyad::json {
namespace {

// Ends where the text ends, so that a sanitizer sees what reads beyond it.
class Exact {
  public:
    explicit Exact(std::string_view text) : bytes_(new char[text.size()]), size_(text.size()) {
        text.copy(bytes_.get(), size_);
    }
    std::string_view view() const { return {bytes_.get(), size_}; }

  private:
    std::unique_ptr<char[]> bytes_;
    std::size_t size_;
};

TEST(PlainEnd, FindsEveryByteThatIsNotPlainWhereverItStands) {
    for (std::size_t size = 0; size <= 40; ++size)
        for (std::size_t at = 0; at <= size; ++at)
            for (int byte = 0; byte < 256; ++byte) {
                std::string text(size, '~');
                if (at < size) text[at] = static_cast<char>(byte);
                const bool plain = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
                const Exact exact(text);
                const char* begin = exact.view().data();
                ASSERT_EQ(plain_end(begin, begin + size) - begin,
                          static_cast<std::ptrdiff_t>(plain ? size : at))
                    << byte << " at " << at << " of " << size;
            }
}

// Where an array or object ends, one byte after the other; 0 where it does not.
std::size_t slow_end(std::string_view text) {
    std::size_t levels = 0;
    bool inside = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '"') inside = !inside;
        if (c == '\\' && inside) ++i;
        if (!inside && (c == '{' || c == '[')) ++levels;
        if (!inside && (c == '}' || c == ']') && --levels == 0) return i + 1;
    }
    return 0;
}

TEST(Lexer, FindsTheEndOfAnyTextOfBracketsAndQuotes) {
    std::mt19937 random(7);
    int ended = 0;
    for (int round = 0; round < 40'000; ++round) {
        // Few brackets make long values, few quotes long strings.
        constexpr std::string_view kLetters[] = {
            "{}[]\"\\x", "{}xxxxxxxxxxxxxxxxxxxxx\"\\", "{[xxxxxxxxxxxxxxxx]}\\\\\\\"\"",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}\"\xc3\x01"};
        const std::string_view letters = kLetters[round % 4];
        std::string text(1, round % 3 == 0 ? '[' : '{');
        const std::size_t size = random() % 300;
        while (text.size() < size)
            text += letters[random() % letters.size()];
        const Exact exact(text);
        const std::size_t slow = slow_end(text);
        Lexer lexer(exact.view());
        std::string_view raw;
        ASSERT_EQ(lexer.raw(raw), slow != 0) << text;
        if (slow != 0) ASSERT_EQ(raw.size(), slow) << text;
        ended += slow != 0;
    }
    EXPECT_GT(ended, 5'000);
}

TEST(Lexer, CountsBracketsOfAnyDepthWithoutAStack) {
    const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
    std::string_view raw;
    const std::string more = deep + "]";
    EXPECT_TRUE(Lexer(more).raw(raw));
    EXPECT_EQ(raw.size(), deep.size());
    EXPECT_FALSE(Lexer(std::string_view(deep).substr(0, deep.size() - 1)).raw(raw));
}

TEST(Lexer, GivesTheTextOfAnyKindOfValue) {
    for (const std::string_view value :
         {R"({"a":"}"})", R"([["]"],{}])", R"("a\"b")", R"("\u00e9")", "-1.5e3", "0", "true",
          "false", "null", R"({"\\":"\\\"}"})"}) {
        const std::string text = "[" + std::string(value) + " ,1]";
        Lexer lexer(text, 1);
        std::string_view raw;
        ASSERT_TRUE(lexer.raw(raw)) << value;
        EXPECT_EQ(raw, value);
        EXPECT_EQ(lexer.rest(), " ,1]");
    }
}

TEST(Lexer, RefusesTheTextOfWhatIsNoValue) {
    for (const std::string_view text : {"", "}", "{", "[{}", "\"a", "tru", "nul", "-", "'a'", ",",
                                        R"({"a":"})", "\"\\x\"", "\"\xff\""}) {
        Lexer lexer(text);
        std::string_view raw;
        ASSERT_FALSE(lexer.raw(raw)) << text;
        EXPECT_FALSE(lexer.take_error().detail.empty());
    }
}

TEST(Lexer, CountsTheBytesOfErrorsFromTheBeginningOfTheText) {
    Lexer lexer("0123456789tru", 10);
    EXPECT_FALSE(lexer.literal("true"));
    EXPECT_TRUE(lexer.take_error().detail.starts_with("byte 10: "));
}

TEST(Lexer, KnowsWhichEscapesCanonicalTextHas) {
    const std::pair<std::string_view, bool> kStrings[] = {
        {R"("plain")", true},         {"\"\xc3\xa9\"", true}, {R"("\n\t\"\\\b\f\r")", true},
        {R"("\u0001")", true},        {R"("\u001f")", true},  {R"("\u001F")", false},
        {R"("\u000a")", false},       {R"("\/")", false},     {R"("\u0041")", false},
        {R"("\ud83d\ude00")", false}, {R"("\n\/")", false},   {R"("\/\n")", false}};
    for (const auto& [text, canonical] : kStrings) {
        Lexer lexer(text);
        RawString raw;
        ASSERT_TRUE(lexer.string(raw)) << text;
        EXPECT_EQ(raw.canonical, canonical) << text;
    }
}

TEST(Lexer, ChecksNoBytesThatSomebodyHasChecked) {
    RawString raw;
    EXPECT_FALSE(Lexer("\"\xff\"").string(raw));
    ASSERT_TRUE(Lexer("\"\xff\"", 0, true).string(raw));
    EXPECT_EQ(raw.body, "\xff");
}

TEST(Lexer, GoesOverANamedMemberOnlyAsMostProgramsWriteIt) {
    for (const std::string_view text : {R"("ke)", R"("key")", R"("key" :1)", R"("kez":1)",
                                        R"("keys":1)", R"(key:1)", R"("\u006bey":1)", ""}) {
        Lexer lexer(text);
        EXPECT_FALSE(lexer.take_member("key")) << text;
        EXPECT_EQ(lexer.position(), 0U);
    }
    Lexer lexer(R"("key":1)");
    EXPECT_TRUE(lexer.take_member("key"));
    EXPECT_EQ(lexer.rest(), "1");
}

}  // namespace
}  // namespace dyad::json
