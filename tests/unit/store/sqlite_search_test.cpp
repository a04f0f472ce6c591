#include "store/sqlite/search.hpp"

#include <gtest/gtest.h>

namespace dyad::sqlite {
namespace {

std::string compiled(std::string_view query) {
    const auto result = compile_query(query);
    return result ? *result : "error: " + result.error().detail;
}

}  // namespace

TEST(SearchQuery, WordsPhrasesAndPrefixesAreQuoted) {
    EXPECT_EQ(compiled("soup"), "\"soup\"");
    EXPECT_EQ(compiled("leek  soup"), "\"leek\" AND \"soup\"");
    EXPECT_EQ(compiled("\"leek soup\" pot*"), "\"leek soup\" AND \"pot\"*");
    EXPECT_EQ(compiled("a OR b NOT c"), "\"a\" OR \"b\" NOT \"c\"");
    EXPECT_EQ(compiled("(a OR b) c"), "(\"a\" OR \"b\") AND \"c\"");
    EXPECT_EQ(compiled("ORANGE NOTE"), "\"ORANGE\" AND \"NOTE\"");
}

TEST(SearchQuery, TheIndexsOwnLanguageIsOnlyWords) {
    EXPECT_EQ(compiled("owner:u2"), "\"owner:u2\"");
    EXPECT_EQ(compiled("^a {b"), "\"^a\" AND \"{b\"");
    EXPECT_EQ(compiled("NEAR(a b)"), "\"NEAR\" AND (\"a\" AND \"b\")");
    EXPECT_EQ(compiled("x'; DROP"), "\"x';\" AND \"DROP\"");
}

TEST(SearchQuery, WhatDoesNotParseIsAnErrorThatSaysWhatToDo) {
    for (const char* query : {"", "  ", "OR a", "a OR", "NOT a", "a NOT", "(a", "a)", ")(", "()",
                              "\"a", "*", "...", "\"\"", "a OR OR b"}) {
        const auto result = compile_query(query);
        ASSERT_FALSE(result) << query;
        EXPECT_EQ(result.error().code, Errc::invalid_field);
        EXPECT_NE(result.error().detail.find("q: "), std::string::npos);
    }
    EXPECT_FALSE(compile_query(std::string(2000, 'a')));
    EXPECT_FALSE(compile_query(std::string("a\0b", 3)));
    EXPECT_FALSE(compile_query(std::string(100, '(') + "a" + std::string(100, ')')));
}

TEST(SearchableText, HasValuesAndTagsAndNoNames) {
    Context context;
    context.data = R"({"a":"one","b":["two",3,{"c":"three","f":-1.5}],"d":null,"e":true})";
    context.tags = {"work", "now"};
    EXPECT_EQ(searchable_text(context), "one\ntwo\n3\nthree\n-1.5\nwork\nnow\n");
    context.data = "null";
    context.tags.clear();
    EXPECT_EQ(searchable_text(context), "");
}

}  // namespace dyad::sqlite
