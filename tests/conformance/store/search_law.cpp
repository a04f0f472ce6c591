// Search: the hits, their order, scores and snippets are the same on every store.
#include "conformance/store/store_law.hpp"
#include "search/match.hpp"
#include "support/search_cases.hpp"

#include <algorithm>

namespace dyad::conformance {
namespace {

using Keys = std::vector<std::string>;
using test::SampleLog;

}  // namespace

std::vector<std::string> StoreProjections::found(const std::string& user,
                                                 const std::string& query) {
    const auto hits =
        ask<std::vector<SearchHit>>([&](auto done) { store().search(user, query, 100, done); });
    EXPECT_TRUE(hits) << query << ": " << hits.error().to_string();
    std::vector<std::string> keys;
    for (std::size_t i = 0; hits && i < hits->size(); ++i)
        keys.push_back((*hits)[i].key);
    std::sort(keys.begin(), keys.end());
    return keys;
}

Result<std::vector<SearchHit>> StoreProjections::search(const std::string& user,
                                                        const std::string& query) {
    return ask<std::vector<SearchHit>>([&](auto done) { store().search(user, query, 1000, done); });
}

// As search/match.hpp has it, over the whole state.
void StoreProjections::expect_search(const SampleLog& log, const std::string& query) {
    const auto parsed = search::Query::parse(query);
    ASSERT_TRUE(parsed) << query;
    std::vector<SearchHit> expected;
    for (const auto& [key, context] : log.state().contexts) {
        if (context->deleted) continue;
        const std::string body = search::body_of(*context);
        const search::Counted counted = search::count(*parsed, key, body);
        const double score = search::score(*parsed, counted.phrases, counted.body_terms);
        if (score > 0) expected.push_back({key, search::snippet(*parsed, key, body), score});
    }
    std::sort(expected.begin(), expected.end(), is_better);
    const auto hits = search(log.user(), query);
    ASSERT_TRUE(hits) << query << ": " << hits.error().to_string();
    ASSERT_EQ(hits->size(), expected.size()) << query;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_EQ((*hits)[i].key, expected[i].key) << query << ", hit " << i;
        EXPECT_EQ((*hits)[i].score, expected[i].score) << query << ": " << expected[i].key;
        EXPECT_EQ((*hits)[i].snippet, expected[i].snippet) << query;
    }
}

TEST_P(StoreProjections, FindsLiveContextsOfOneUser) {
    SampleLog ada("ada", random_);
    SampleLog bob("bob", random_);
    put(ada, context_change(ada, "recipe:soup", "leek and potato soup"));
    put(ada, context_change(ada, "recipe:cake", "carrot cake"));
    put(ada, context_change(ada, "plan", "buy potatoes"));
    put(bob, context_change(bob, "secret", "potato soup of bob"));
    EXPECT_EQ(found("ada", "potato"), Keys{"recipe:soup"});
    EXPECT_EQ(found("ada", "potato*"), (Keys{"plan", "recipe:soup"}));
    EXPECT_EQ(found("bob", "soup"), Keys{"secret"});
    EXPECT_EQ(found("eve", "soup"), Keys{});
    put(ada, context_change(ada, "recipe:soup", "onion soup"));
    put(ada, context_change(ada, "plan", "", true));
    EXPECT_EQ(found("ada", "potato*"), Keys{});
    EXPECT_EQ(found("ada", "onion"), Keys{"recipe:soup"});
    put(ada, context_change(ada, "plan", "buy onions, an onion"));
    backend_->restart(false);
    EXPECT_EQ(found("ada", "onion"), (Keys{"plan", "recipe:soup"}));

    ContextChange bill = context_change(ada, "bill", "of the plumber");
    auto with_more = std::make_shared<Context>(*bill.context);
    with_more->data = R"({"note":"of the plumber","number":4711})";
    with_more->tags = {"unpaid"};
    bill.context = std::move(with_more);
    put(ada, bill);
    for (const char* query : {"bill", "plumber", "4711", "unpaid", "unpaid 4711"})
        EXPECT_EQ(found("ada", query), Keys{"bill"}) << query;

    const auto hits =
        ask<std::vector<SearchHit>>([&](auto done) { store().search("ada", "onion", 1, done); });
    ASSERT_TRUE(hits);
    ASSERT_EQ(hits->size(), 1U);
    EXPECT_NE((*hits)[0].snippet.find("\x02onion\x03"), std::string::npos) << (*hits)[0].snippet;
}

TEST_P(StoreProjections, NoQueryReachesAnotherUser) {
    SampleLog ada("ada", random_);
    SampleLog bob("bob", random_);
    put(ada, context_change(ada, "mine", "harmless"));
    put(bob, context_change(bob, "secret", "canary word u1 u2"));
    for (const char* query :
         {"canary", "x) OR (canary", "\") OR (\"canary", "owner:u2", "x OR canary", "u2",
          "owner : u2 OR canary", "{owner} : u2", "canary*", "NOT x", "x\" OR \"canary",
          "key:secret", "^canary", "NEAR(canary word)", "x' OR user=2 --"}) {
        const auto hits = ask<std::vector<SearchHit>>(
            [&](auto done) { store().search("ada", query, 100, done); });
        if (!hits) {
            EXPECT_EQ(hits.error().code, Errc::invalid_field) << query;
            continue;
        }
        for (const SearchHit& hit : *hits)
            EXPECT_EQ(hit.key, "mine") << query;
    }
}

TEST_P(StoreProjections, ASearchForNothingIsAnErrorThatSaysSo) {
    for (const char* query : {"", "(", "\"", "—", "& - ...", "\"—\" OR ()"}) {
        const auto hits = search("ada", query);
        ASSERT_FALSE(hits) << query;
        EXPECT_EQ(hits.error().code, Errc::invalid_field);
        EXPECT_NE(hits.error().detail.find("no letter"), std::string::npos);
    }
}

TEST_P(StoreProjections, EveryScriptIsFoundInTheSameWay) {
    SampleLog log("ada", random_);
    int number = 0;
    for (const test::SearchCase& one : test::kSearchCases)
        put(log, context_change(log, "case " + std::to_string(number++), one.text));
    number = 0;
    for (const test::SearchCase& one : test::kSearchCases) {
        const Keys keys = found("ada", one.query);
        const std::string key = "case " + std::to_string(number++);
        EXPECT_EQ(std::count(keys.begin(), keys.end(), key), one.found ? 1 : 0)
            << one.language << ": '" << one.query << "' in '" << one.text << "'";
        expect_search(log, one.query);
    }
}

TEST_P(StoreProjections, AnyQueryHasTheSameHitsInTheSameOrder) {
    SampleLog log("ada", random_);
    const auto pick = [&](std::initializer_list<const char*> list) {
        return std::string(*(list.begin() + random_.next_u64() % list.size()));
    };
    for (int i = 0; i < 40; ++i) {
        std::string text;
        for (std::uint64_t words = random_.next_u64() % 12; words > 0; --words)
            text += pick({"a ", "b ", "ab ", "abc ", "C, ", "成", "语 ", "éa ", "🎉"});
        put(log, context_change(log, pick({"a", "b", "c", "ab"}) + ":" + std::to_string(i), text));
    }
    for (int i = 0; i < 400; ++i) {
        std::string query = "a";
        for (std::uint64_t words = 1 + random_.next_u64() % 7; words > 0; --words)
            query += pick({" a",   " b",   " ab", " a*", " c",    " \"a b\"", " \"b a\"*",
                           " OR",  " NOT", " (",  ")",   " 成语", " 语",      " —",
                           " AND", "",     "*",   " ea", " 🎉",   " \""});
        expect_search(log, query);
    }
}

}  // namespace dyad::conformance
