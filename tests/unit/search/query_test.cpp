#include "search/query.hpp"

#include "base/limits.hpp"
#include "search/words.hpp"

#include <gtest/gtest.h>

namespace dyad::search {
namespace {

std::string shown(const Query& query, const Query::Node& node) {
    std::string out;
    if (node.kind == Query::Node::Kind::phrase) {
        const Phrase& phrase = query.phrases()[node.phrase];
        for (const std::string& term : phrase.terms)
            out.append(out.empty() ? "" : "+").append(term == kGap ? "_" : term);
        return phrase.is_prefix ? out + "*" : out;
    }
    for (const Query::Node& part : node.parts)
        out.append(out.empty()                           ? "("
                   : node.kind == Query::Node::Kind::all ? " "
                                                         : "|")
            .append(shown(query, part));
    for (const Query::Node& part : node.without)
        out.append(" -").append(shown(query, part));
    return out + ")";
}

std::string read(std::string_view text) {
    const auto query = Query::parse(text);
    return query ? shown(*query, query->root()) : query.error().detail;
}

struct Case {
    const char* text;
    const char* meaning;
};

}  // namespace

TEST(SearchQuery, HasWordsPhrasesPrefixesOperatorsAndBrackets) {
    const Case cases[] = {
        {"soup", "soup"},
        {"leek  soup", "(leek soup)"},
        {"\"leek soup\" pot*", "(leek+soup pot*)"},
        {"\"leek so\"*", "leek+so*"},
        {"a OR b NOT c", "(a|(b -c))"},
        {"a b OR c d", "((a b)|(c d))"},
        {"(a OR b) c", "((a|b) c)"},
        {"a NOT (b OR c) d", "(a d -(b|c))"},
        {"a AND b", "(a b)"},
        {"a AND NOT b", "(a -b)"},
        {"ORANGE NOTE ANDES", "(orange note andes)"},
        {"1.2.3", "1+2+3"},
        {"owner:u2", "owner+u2"},
        {"NEAR(a b)", "(near (a b))"},
        {"成语 \"成 语\"", "(成+语 成+_+语)"},
    };
    for (const Case& one : cases)
        EXPECT_EQ(read(one.text), one.meaning) << one.text;
}

TEST(SearchQuery, WhatIsPastedMeansWhatItCan) {
    const Case cases[] = {
        {"OR a", "(or a)"},
        {"a OR", "(a or)"},
        {"NOT a", "(not a)"},
        {"a NOT", "(a not)"},
        {"OR", "or"},
        {"a OR OR b", "((a or)|b)"},
        {"a OR NOT b", "(a or -b)"},
        {"NOT", "not"},
        {"a AND", "(a and)"},
        {"(a", "a"},
        {"a)", "a"},
        {")(a", "a"},
        {"a ()", "a"},
        {"()(a)(b)", "(a b)"},
        {"\"a", "a"},
        {"a\"b", "(a b)"},
        {"a \"b", "(a b)"},
        {"\"\"a", "a"},
        {"* a", "a"},
        {"*a*", "a*"},
        {"a**", "a*"},
        {"a*b", "a+b"},
        {"-a +b", "(a b)"},
        {"^a {b", "(a b)"},
        {"a — b", "(a b)"},
        {"a OR —", "a"},
        {"— OR a", "a"},
        {"a NOT —", "a"},
        {"a NOT (—)", "a"},
        {"— NOT a OR b", "b"},
        {"a 🎉", "a"},
        {"🎉", "🎉"},
        {"🎉 — ✅", "(🎉 ✅)"},
        {"a🎉", "a+🎉"},
        {"a NOT 🎉", "(a -🎉)"},
        {"x'; DROP", "(x drop)"},
    };
    for (const Case& one : cases)
        EXPECT_EQ(read(one.text), one.meaning) << one.text;
    EXPECT_EQ(read(std::string("a\0b", 3)), "(a b)");
    EXPECT_EQ(read(std::string(100, '(') + "a" + std::string(100, ')') + "b"), "(a b)");
    EXPECT_EQ(read("\xff"
                   "a\xe4\xb8"),
              "a")
        << "bytes that are not UTF-8";
}

TEST(SearchQuery, ForNothingIsAnErrorThatSaysWhatToDo) {
    for (const char* query : {"", "  ", "*", "...", "\"\"", "\"", "(", "()", "—", "& - +",
                              "(—) OR &", "\"\x1f\"", "— NOT a", "\xc2\xad"}) {
        const auto result = Query::parse(query);
        ASSERT_FALSE(result) << query;
        EXPECT_EQ(result.error().code, Errc::invalid_field);
        EXPECT_NE(result.error().detail.find("q: has no letter and no digit"), std::string::npos);
    }
    const auto longer = Query::parse(std::string(limits::query_bytes_max + 1, 'a'));
    ASSERT_FALSE(longer);
    EXPECT_EQ(longer.error().code, Errc::too_large);
}

}  // namespace dyad::search
