// Full-text search over live contexts, on SQLite's FTS5: what is searched and how well it matches
// is search/match.hpp's, how text is cut search/words.hpp's; FTS5 only finds.
//
// The index follows the contexts at a distance (head.searchable_to) and catches up when there is
// time, and before a search: writing it on the way of every change would cost more than the change.
#pragma once

#include "search/query.hpp"
#include "store/sqlite/connection.hpp"
#include "store/store.hpp"

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::sqlite {

class Search {
  public:
    explicit Search(Connection& connection) : db_(connection) {}

    // Empties an index that was made with another way to cut texts, and gives the users who were in
    // it; it then catches up as one that is new. To be called once, before all else.
    Result<std::set<std::int64_t>> prepare();
    // True where contexts changed that the index does not know yet.
    Result<bool> is_behind(std::int64_t user);
    // Takes up to `limit` changed contexts of a user into the index, oldest change first. False
    // where none is left. Requires: a running transaction.
    Result<bool> index_some(std::int64_t user, std::size_t limit);
    // The best of what the index has, without the keys that `counts` says false for.
    using Counts = std::function<bool(std::string_view key)>;
    Result<std::vector<SearchHit>> find(std::int64_t user, const search::Query& query,
                                        std::size_t limit, const Counts& counts);

    // What was removed from the index stays in its tables until they are purged. One piece of
    // that; `begin`: the first one. False once nothing is left that was removed before the first.
    // Requires: a running transaction.
    Result<bool> purge_some(bool begin);
    // How often something was removed. (In a new process: once, by an earlier one.)
    std::uint64_t removals() const noexcept { return removals_; }
    bool is_purged(std::uint64_t removals) const noexcept { return removals <= purged_; }
    void set_purged(std::uint64_t removals) noexcept { purged_ = removals; }

  private:
    struct Changed {
        std::string key;
        Offset offset;
        std::string text;
        bool deleted;
    };
    struct Match {
        std::int64_t row;
        SearchHit hit;
    };
    Status index(std::int64_t user, const Changed& changed);
    Result<std::vector<Match>> match(std::int64_t user, const search::Query& query,
                                     const Counts& counts);

    Connection& db_;
    std::uint64_t removals_ = 1;
    std::uint64_t purged_ = 0;
};

}  // namespace dyad::sqlite
