// Any text and any query: both are cut without harm, terms lie in the text and fold to themselves,
// a text is found by its own words, and a snippet is the text's with marks in it.
#include "base/check.hpp"
#include "search/match.hpp"
#include "search/words.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace {

using namespace dyad;
using namespace dyad::search;

void check_terms(std::string_view text) {
    std::size_t last = 0;
    cut(text, [&](const Term& term) {
        CHECK(last <= term.begin && term.begin <= term.end && term.end <= text.size());
        last = term.begin;
        const std::string word(term.text);
        std::string again;
        cut(word, [&](const Term& inner) {
            CHECK(again.empty());
            again = inner.text;
            return true;
        });
        CHECK(again == word);
        return true;
    });
}

double score_of(const Query& query, std::string_view text) {
    const Counted counted = count(query, "", text);
    return score(query, counted.phrases, counted.body_terms);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(bytes), size);
    const std::string_view text = input.substr(0, input.find('\0'));
    check_terms(text);
    std::string own = "\"" + std::string(text) + "\"";
    for (std::size_t i = 1; i + 1 < own.size(); ++i)
        if (own[i] == '"') own[i] = ' ';
    if (const auto query = Query::parse(own)) CHECK(score_of(*query, text) > 0);
    const auto query = Query::parse(input.substr(text.size()));
    if (!query) return 0;
    const std::string shown = snippet(*query, "", text);
    CHECK(score_of(*query, text) == 0 || shown.find('\x02') != std::string::npos);
    return 0;
}
