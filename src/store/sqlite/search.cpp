#include "store/sqlite/search.hpp"

#include "model/context.hpp"
#include "search/match.hpp"
#include "search/words.hpp"
#include "store/sqlite/search_terms.hpp"

#include <algorithm>

namespace dyad::sqlite {
namespace {

using search::Query;

void append_phrase(std::string& out, const search::Phrase& phrase) {
    for (const std::string& term : phrase.terms)
        out.append(&term == phrase.terms.data() ? "\"" : " + \"").append(term).append("\"");
    if (phrase.is_prefix) out += '*';
}

// In FTS5's language. Its strings are terms, which have no quotation mark.
void append_node(std::string& out, const Query& query, const Query::Node& node) {
    using enum Query::Node::Kind;
    if (node.kind == phrase) return append_phrase(out, query.phrases()[node.phrase]);
    const auto append_list = [&](const std::vector<Query::Node>& nodes, const char* between) {
        for (const Query::Node& one : nodes) {
            out.append(&one == nodes.data() ? "(" : between);
            append_node(out, query, one);
        }
        out += ')';
    };
    out += '(';
    append_list(node.parts, node.kind == all ? " AND " : " OR ");
    if (!node.without.empty()) {
        out += " NOT ";
        append_list(node.without, " OR ");
    }
    out += ')';
}

std::string owner_of(std::int64_t user) {
    return "u" + std::to_string(user);
}

}  // namespace

Result<std::set<std::int64_t>> Search::prepare() {
    std::set<std::int64_t> users;
    ASSIGN_OR_RETURN(const auto version, db_.meta("search_version"));
    if (version == search::cutting_version()) return users;
    TRY(db_.transact([&] {
        return db_.script(
            "DROP TABLE IF EXISTS search_text; DELETE FROM search_document;"
            "UPDATE head SET searchable_to = 0;"
            "CREATE VIRTUAL TABLE search_text USING fts5(owner, key, body, tokenize = 'dyad');"
            "INSERT OR REPLACE INTO meta(key, value) VALUES('search_version', " +
            std::to_string(search::cutting_version()) + ")");
    }));
    Rows rows = db_.query("SELECT user FROM head WHERE offset > 0");
    while (rows.next())
        users.insert(rows.integer(0));
    TRY(rows.status());
    return users;
}

Result<bool> Search::is_behind(std::int64_t user) {
    ASSIGN_OR_RETURN(const auto behind,
                     db_.number("SELECT searchable_to < offset FROM head WHERE user = ?", user));
    return behind != 0;
}

Result<bool> Search::index_some(std::int64_t user, std::size_t limit) {
    std::vector<Changed> changes;
    {
        Rows rows = db_.query(
            "SELECT c.key, c.offset, c.deleted, c.json FROM context c JOIN head h ON "
            "h.user = c.user WHERE c.user = ? AND c.offset > h.searchable_to "
            "ORDER BY c.offset LIMIT ?",
            user, limit);
        while (rows.next()) {
            ASSIGN_OR_RETURN(const Context context, read_context(rows.text(3)));
            changes.push_back({.key = std::string(rows.text(0)),
                               .offset = rows.natural(1),
                               .text = search::body_of(context),
                               .deleted = rows.integer(2) != 0});
        }
        TRY(rows.status());
    }
    for (const Changed& changed : changes)
        TRY(index(user, changed));
    const bool more = changes.size() == limit;
    TRY(more ? db_.execute("UPDATE head SET searchable_to = ? WHERE user = ?",
                           changes.back().offset, user)
             : db_.execute("UPDATE head SET searchable_to = offset WHERE user = ?", user));
    return more;
}

Status Search::index(std::int64_t user, const Changed& changed) {
    ASSIGN_OR_RETURN(
        auto id,
        db_.number("SELECT id FROM search_document WHERE user = ? AND key = ?", user, changed.key));
    if (id != 0) {
        removals_ += 1;
        TRY(db_.execute("DELETE FROM search_text WHERE rowid = ?", id));
        if (changed.deleted) TRY(db_.execute("DELETE FROM search_document WHERE id = ?", id));
    }
    if (changed.deleted) return Done{};
    if (id == 0) {
        constexpr const char* kNew =
            "INSERT INTO search_document(user, key) VALUES(?, ?) RETURNING id";
        ASSIGN_OR_RETURN(id, db_.number(kNew, user, changed.key));
    }
    return db_.execute("INSERT INTO search_text(rowid, owner, key, body) VALUES(?, ?, ?, ?)", id,
                       owner_of(user), changed.key, changed.text);
}

Result<bool> Search::purge_some(bool begin) {
    // Pages of the index, a negative number where all of it is to become one piece (FTS5, 6.9).
    const std::int64_t before = db_.total_changes();
    TRY(begin ? db_.execute("INSERT INTO search_text(search_text, rank) VALUES('merge', -16)")
              : db_.execute("INSERT INTO search_text(search_text, rank) VALUES('merge', 16)"));
    return db_.total_changes() - before >= 2;
}

Result<std::vector<Search::Match>> Search::match(std::int64_t user, const Query& query,
                                                 const Counts& counts) {
    std::string expression = "owner : \"" + owner_of(user) + "\" AND {key body} : (";
    append_node(expression, query, query.root());
    std::vector<Match> matches;
    // The owner stands in the index and, once more, in the table of documents. CROSS: the index is
    // asked once, not for each document.
    Rows rows = db_.query(
        "SELECT d.id, d.key, occurrences(search_text) FROM search_text "
        "CROSS JOIN search_document d ON d.id = search_text.rowid "
        "WHERE search_text MATCH ?1 AND d.user = ?2",
        expression + ")", user);
    while (rows.next()) {
        if (!counts(rows.text(1))) continue;
        ASSIGN_OR_RETURN(const auto counted, read_occurrences(rows.text(2)));
        if (counted.phrases.size() != query.phrases().size())
            return fail(Errc::storage_damaged, db_.path() + ": the search index is damaged");
        const double score = search::score(query, counted.phrases, counted.body_terms);
        matches.push_back({rows.integer(0), {std::string(rows.text(1)), {}, score}});
    }
    TRY(rows.status());
    return matches;
}

Result<std::vector<SearchHit>> Search::find(std::int64_t user, const Query& query,
                                            std::size_t limit, const Counts& counts) {
    ASSIGN_OR_RETURN(std::vector<Match> found, match(user, query, counts));
    std::vector<Match>& best = found;
    const auto kept = static_cast<std::ptrdiff_t>(std::min(limit, best.size()));
    std::partial_sort(best.begin(), best.begin() + kept, best.end(),
                      [](const Match& a, const Match& b) { return is_better(a.hit, b.hit); });
    std::vector<SearchHit> hits;
    for (auto at = best.begin(); at != best.begin() + kept; ++at) {
        Rows rows = db_.query("SELECT body FROM search_text WHERE rowid = ?", at->row);
        if (rows.next()) at->hit.snippet = search::snippet(query, at->hit.key, rows.text(0));
        TRY(rows.status());
        hits.push_back(std::move(at->hit));
    }
    return hits;
}

}  // namespace dyad::sqlite
