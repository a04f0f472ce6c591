// Teaches a database's full-text index the product's terms (search/words.hpp) in place of its own:
//
//     fts5(…, tokenize = 'dyad')    texts are cut by search::cut; a query's strings are terms
//     occurrences(<table>)          of the row that matches: how often each phrase of the query but
//                                   the first stands in columns 1 and 2, as pairs of uint32, then
//                                   the number of terms in column 2
//
// Threads: the connection's.
#pragma once

#include "base/result.hpp"
#include "search/match.hpp"

#include <string_view>

struct sqlite3;

namespace dyad::sqlite {

// SQLite's code.
int teach_terms(sqlite3* db);

// What occurrences() gave.
Result<search::Counted> read_occurrences(std::string_view blob);

}  // namespace dyad::sqlite
