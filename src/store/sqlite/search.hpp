// Full-text search over live contexts: their keys, tags and what their data says.
//
// The index follows the contexts at a distance (head.searchable_to) and catches up when there is
// time, and before a search: writing it on the way of every change would cost more than the change.
//
// A query, as users type it:
//
//     query := group ( [OR] group )*        groups that only stand side by side must all match
//     group := [NOT] ( word ["*"] | "phrase" ["*"] | "(" query ")" )
//
// A "*" matches every word that begins so. NOT takes away from what stands before it.
#pragma once

#include "store/sqlite/connection.hpp"
#include "store/store.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::sqlite {

// The query in FTS5's language, with every word quoted, so that nothing in it can reach beyond the
// group it stands in. Errors: invalid_field.
Result<std::string> compile_query(std::string_view query);

// The strings and numbers of a context's data, without the names of its members, and its tags; one
// per line.
std::string searchable_text(const Context& context);

class Search {
  public:
    explicit Search(Connection& connection) : db_(connection) {}

    // True where contexts changed that the index does not know yet.
    Result<bool> is_behind(std::int64_t user);
    // Takes up to `limit` changed contexts of a user into the index, oldest change first. False
    // where none is left. Requires: a running transaction.
    Result<bool> index_some(std::int64_t user, std::size_t limit);
    // Requires: the index has caught up. Errors: invalid_field.
    Result<std::vector<SearchHit>> find(std::int64_t user, std::string_view query,
                                        std::size_t limit);

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
    Status index(std::int64_t user, const Changed& changed);

    Connection& db_;
    std::uint64_t removals_ = 1;
    std::uint64_t purged_ = 0;
};

}  // namespace dyad::sqlite
