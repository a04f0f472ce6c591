#include "search/words.hpp"

#include "search/fold.hpp"

#include <set>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/utf8.h>

namespace dyad::search {
namespace {

using Terms = std::vector<std::string>;

Terms terms_of(std::string_view text) {
    Terms terms;
    cut(text, [&](const Term& term) {
        terms.push_back(term.text == kGap ? "_" : std::string(term.text));
        return true;
    });
    return terms;
}

std::string utf8(UChar32 c) {
    std::string text(4, '\0');
    std::int32_t bytes = 0;
    U8_APPEND_UNSAFE(text.data(), bytes, c);
    text.resize(static_cast<std::size_t>(bytes));
    return text;
}

// Texts of characters that do something: marks, joiners, letters of many scripts, broken bytes.
rc::Gen<std::string> texts() {
    const auto pieces =
        rc::gen::oneOf(rc::gen::map(rc::gen::inRange<UChar32>(1, 0xd800), utf8),
                       rc::gen::map(rc::gen::inRange<UChar32>(0xe000, 0x32000), utf8),
                       rc::gen::map(rc::gen::inRange<UChar32>(0x20, 0x7f), utf8),
                       rc::gen::map(rc::gen::inRange<UChar32>(0x300, 0x370), utf8),
                       rc::gen::elementOf(std::vector<std::string>{"\xcc\x81",
                                                                   "\xcc\x86",
                                                                   "\xe2\x80\x8d",
                                                                   "\xc2\xad",
                                                                   "\xe3\x82\x99",
                                                                   "ｶ",
                                                                   "ﾞ",
                                                                   "и",
                                                                   "成",
                                                                   "語",
                                                                   "ᄒ",
                                                                   "\xe1\x85\xa1",
                                                                   "\xe1\x86\xab",
                                                                   "क",
                                                                   "\xe0\xa4\xbc",
                                                                   "\xe0\xa5\x8d",
                                                                   "ﷺ",
                                                                   "½",
                                                                   "🎉",
                                                                   "🏽",
                                                                   "\xff",
                                                                   "\xe4\xb8",
                                                                   " ",
                                                                   "\n",
                                                                   "\x1f",
                                                                   "ŉ",
                                                                   "ᾳ",
                                                                   "ǆ",
                                                                   "İ",
                                                                   "ß"}));
    return rc::gen::map(rc::gen::container<std::vector<std::string>>(pieces),
                        [](const std::vector<std::string>& list) {
                            std::string text;
                            for (const std::string& piece : list)
                                text += piece;
                            return text;
                        });
}

}  // namespace

TEST(SearchWords, AreRunsOfLettersAndDigitsAndSingleLettersOfScriptsWithoutBlanks) {
    EXPECT_EQ(terms_of("The quick-brown fox_2!"), (Terms{"the", "quick", "brown", "fox", "2"}));
    EXPECT_EQ(terms_of("学Python 3好"), (Terms{"学", "python", "3", "好"}));
    EXPECT_EQ(terms_of("กี่"), Terms{"กี่"}) << "its vowel and its tone belong to a letter";
    EXPECT_EQ(terms_of("한국어"), (Terms{"한", "국", "어"}));
    EXPECT_EQ(terms_of(" — & "), Terms{});
    EXPECT_EQ(terms_of(""), Terms{});
    EXPECT_EQ(terms_of("\xff\xfe"
                       "a\xe4\xb8"),
              Terms{"a"});
}

TEST(SearchWords, SingleLettersApartHaveAGapBetweenThem) {
    EXPECT_EQ(terms_of("成语，接龙"), (Terms{"成", "语", "_", "接", "龙"}));
    EXPECT_EQ(terms_of("成\n语"), (Terms{"成", "语"}));
    EXPECT_EQ(terms_of("成\xe2\x80\x8b语"), (Terms{"成", "语"})) << "a zero-width space";
    EXPECT_EQ(terms_of("成 a 语"), (Terms{"成", "a", "语"}));
    EXPECT_EQ(terms_of("a\x1f"
                       "b"),
              (Terms{"a", "_", "b"}));
}

TEST(SearchWords, KnowWhereTheyCameFrom) {
    const std::string text = "«Cafe\xcc\x81» ﷺ";
    std::vector<std::string> from;
    cut(text, [&](const Term& term) {
        from.push_back(text.substr(term.begin, term.end - term.begin));
        return true;
    });
    EXPECT_EQ(from, (std::vector<std::string>{"Cafe\xcc\x81", "ﷺ", "ﷺ", "ﷺ", "ﷺ"}));
}

TEST(SearchWords, ASinkMayCutToo) {
    Terms terms;
    cut("成语é接龙", [&](const Term& term) {
        terms.push_back(terms_of(term.text).at(0));
        return true;
    });
    EXPECT_EQ(terms, (Terms{"成", "语", "e", "接", "龙"}));
}

TEST(SearchWords, OfALongWordOnlyTheBeginningCounts) {
    const Terms terms = terms_of(std::string(100'000, 'x') + " " + std::string(255, 'y') + "é");
    ASSERT_EQ(terms.size(), 2U);
    EXPECT_EQ(terms[0], std::string(kTermBytesMax, 'x'));
    EXPECT_EQ(terms[1], std::string(255, 'y') + "e");
    std::string marks = "a";
    for (int i = 0; i < 200'000; ++i)
        marks += i % 2 == 0 ? "\xcc\x81" : "\xcc\xa3";
    EXPECT_EQ(terms_of(marks), Terms{"a"}) << "and in time";
}

TEST(SearchWords, EveryCharacterFoldsToWhatFoldsToItself) {
    for (UChar32 c = 1; c <= 0x10ffff; ++c) {
        if (U_IS_SURROGATE(c)) continue;
        const std::string text = "a" + utf8(c) + "b";
        const Terms terms = terms_of(text);
        ASSERT_FALSE(terms.empty());
        for (const std::string& term : terms)
            if (term != "_") ASSERT_EQ(terms_of(term), Terms{term}) << std::hex << c;
        if (u_isalnum(c) != 0 && u_charType(c) != U_MODIFIER_LETTER &&
            u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) == 0 &&
            u_getIntPropertyValue(c, UCHAR_NFKC_QUICK_CHECK) == UNORM_YES) {
            std::string all;
            for (const std::string& term : terms)
                all += term;
            ASSERT_NE(all, "ab") << std::hex << c;
        }
    }
}

RC_GTEST_PROP(SearchWords, FoldToThemselvesAndLieInTheTextInItsOrder, ()) {
    const std::string text = *texts();
    std::size_t last = 0;
    Terms terms;
    cut(text, [&](const Term& term) {
        RC_ASSERT(last <= term.begin && term.begin <= term.end && term.end <= text.size());
        last = term.begin;
        RC_ASSERT(term.text.size() <= kTermBytesMax * 2 && !term.text.empty());
        if (term.text != kGap) terms.emplace_back(term.text);
        return true;
    });
    for (const std::string& term : terms)
        RC_ASSERT(terms_of(term) == Terms{term});
}

}  // namespace dyad::search
