// What of a context is searched, how well it matches a query, and how that is shown. Every store
// has these from here, so that the same search has the same hits, order and snippets everywhere.
//
// A score is a document's own affair: it does not depend on other documents, nor on other users'.
// Hits are ordered by score, best first; equal ones by key, byte by byte.
//
// Threads: pure.
#pragma once

#include "model/context.hpp"
#include "search/query.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::search {

// The text beside the key that is searched: the strings and numbers of the data, without the names
// of its members, and the tags, with kGap between them.
std::string body_of(const Context& context);

// How often a phrase stands in a document.
struct Occurrences {
    std::uint32_t in_key = 0;
    std::uint32_t in_body = 0;
};

struct Counted {
    std::vector<Occurrences> phrases;  // of each of the query's, in their order
    std::size_t body_terms = 0;
};
Counted count(const Query& query, std::string_view key, std::string_view body);

// Above 0 where the query matches, 0 where it does not. Of phrases in a part of the query that does
// not match, any number will do, as long as the part does not match by it.
double score(const Query& query, std::span<const Occurrences> phrases, std::size_t body_terms);

// The piece of the text where most of the query stands, on one line, with what matched between
// U+0002 and U+0003; of the key where nothing of the body matches.
std::string snippet(const Query& query, std::string_view key, std::string_view body);

}  // namespace dyad::search
