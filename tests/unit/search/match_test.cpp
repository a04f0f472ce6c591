#include "search/match.hpp"

#include "support/search_cases.hpp"

#include <gtest/gtest.h>

namespace dyad::search {
namespace {

double score_of(std::string_view text, std::string_view query) {
    const auto parsed = Query::parse(query);
    EXPECT_TRUE(parsed) << query << ": " << parsed.error().detail;
    if (!parsed) return 0;
    const Counted counted = count(*parsed, "", text);
    return score(*parsed, counted.phrases, counted.body_terms);
}

}  // namespace

TEST(SearchMatch, FindsInEveryScriptWhatPeopleLookFor) {
    for (const test::SearchCase& one : test::kSearchCases)
        EXPECT_EQ(score_of(one.text, one.query) > 0, one.found)
            << one.language << ": '" << one.query << "' in '" << one.text << "'";
}

TEST(SearchMatch, EveryWordOfATextIsFoundByItself) {
    for (const test::SearchCase& one : test::kSearchCases)
        EXPECT_GT(score_of(one.text, "\"" + std::string(one.text) + "\""), 0) << one.text;
}

TEST(SearchMatch, MoreAndInTheKeyAndInAShorterTextIsBetter) {
    const auto score = [](std::string_view key, std::string_view body) {
        const auto query = Query::parse("soup");
        const Counted counted = count(*query, key, body);
        return search::score(*query, counted.phrases, counted.body_terms);
    };
    EXPECT_GT(score("a", "soup soup"), score("a", "soup and"));
    EXPECT_GT(score("soup", ""), score("a", "soup"));
    EXPECT_GT(score("a", "soup"), score("a", "soup " + std::string(1000, '.') + " a b c d e f g"));
    EXPECT_EQ(score("a", "salad"), 0);
}

TEST(SearchMatch, TheBodyHasValuesAndTagsAndNoNames) {
    Context context;
    context.data = R"({"a":"one","b":["two",3,{"c":"three","f":-1.5}],"d":null,"e":true})";
    context.tags = {"work", "now"};
    EXPECT_EQ(body_of(context),
              "one\x1ftwo\x1f"
              "3\x1fthree\x1f-1.5\x1fwork\x1fnow\x1f");
    EXPECT_EQ(score_of(body_of(context), "\"one two\""), 0) << "no phrase spans two values";
    EXPECT_GT(score_of(body_of(context), "one two now 3"), 0);
    context.data = "null";
    context.tags.clear();
    EXPECT_EQ(body_of(context), "");
}

TEST(SearchSnippet, MarksWhatMatchedInTheOriginalText) {
    const auto shown = [](std::string_view query, std::string_view body) {
        return snippet(*Query::parse(query), "the key", body);
    };
    EXPECT_EQ(shown("lodz", "Z Łodzi do: «Łódź»!"), "Z Łodzi do: «\x02Łódź\x03»!");
    EXPECT_EQ(shown("strasse", "Hauptstr., lange\nStraße"), "Hauptstr., lange \x02Straße\x03");
    EXPECT_EQ(shown("成语接龙", "今天玩成语接龙游戏"), "今天玩\x02成语接龙\x03游戏");
    EXPECT_EQ(shown("cafe", "Cafe\xcc\x81s, cafe\xcc\x81\xc2\xad"),
              "Cafe\xcc\x81s, \x02"
              "cafe\xcc\x81\xc2\xad\x03");
    EXPECT_EQ(shown("👩", "the 👩‍💻 codes"), "the \x02👩‍💻\x03 codes")
        << "one character";
    EXPECT_EQ(shown("key", "nothing"), "the \x02key\x03");
    EXPECT_EQ(shown("a NOT b", "a"),
              "\x02"
              "a\x03");
    EXPECT_EQ(shown("a b",
                    "a\x1f"
                    "b\x1f"),
              "\x02"
              "a\x03 \x02"
              "b\x03");
    EXPECT_EQ(shown("a", "\x02 a \x03"),
              "  \x02"
              "a\x03")
        << "marks of the text are none of ours";
    EXPECT_EQ(shown("pot*", "potatoes"), "\x02potatoes\x03");
    EXPECT_EQ(shown("nothing", "at all"), "");
}

TEST(SearchSnippet, IsThePieceWithMostOfTheQuery) {
    std::string text;
    for (int i = 0; i < 2000; ++i)
        text += i == 100 ? "leek " : i == 1500 ? "soup of leek " : "Straße ";
    const std::string piece = snippet(*Query::parse("leek soup"), "", text);
    EXPECT_NE(piece.find("\x02soup\x03 of \x02leek\x03 Straße"), std::string::npos) << piece;
    EXPECT_EQ(piece.find("…Straße"), 0U) << piece;
    EXPECT_TRUE(piece.ends_with(" Straße…")) << piece;
    EXPECT_LT(piece.size(), 400U);
    EXPECT_LT(snippet(*Query::parse("xxx*"), "", std::string(200'000, 'x')).size(), 600U);
}

}  // namespace dyad::search
