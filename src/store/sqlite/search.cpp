#include "store/sqlite/search.hpp"

#include "base/limits.hpp"
#include "model/context.hpp"
#include "model/json.hpp"

#include <algorithm>

namespace dyad::sqlite {
namespace {

// The index keeps one value of a document per line.
std::string one_line(std::string_view text) {
    std::string line(text);
    while (!line.empty() && line.back() == '\n')
        line.pop_back();
    std::replace(line.begin(), line.end(), '\n', ' ');
    return line;
}

Error bad_query(const char* what) {
    return fail(Errc::invalid_field, std::string("q: ") + what +
                                         "; write words, \"phrases\", word*, OR, NOT and brackets");
}

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool has_word(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](unsigned char c) {
        return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
               (c >= 'A' && c <= 'Z');
    });
}

class QueryParser {
  public:
    explicit QueryParser(std::string_view text) : in_(text) {}

    Result<std::string> run() {
        const Status done = sequence(0);
        if (!done) return done.error();
        if (!in_.empty()) return bad_query("a closing bracket has no opening one");
        return std::move(out_);
    }

  private:
    Status sequence(int depth) {
        constexpr int kDepthMax = 16;
        if (depth > kDepthMax) return bad_query("brackets are nested too deeply");
        bool operand_before = false;
        for (;;) {
            skip_space();
            if (in_.empty() || in_[0] == ')') break;
            const bool is_or = take_keyword("OR");
            const bool is_not = !is_or && take_keyword("NOT");
            if ((is_or || is_not) && !operand_before)
                return bad_query("OR and NOT need something before them");
            if (operand_before) out_ += is_or ? " OR " : is_not ? " NOT " : " AND ";
            const Status done = operand(depth);
            if (!done) return done.error();
            operand_before = true;
        }
        if (!operand_before) return bad_query("there is nothing to look for");
        return Done{};
    }

    Status operand(int depth) {
        skip_space();
        if (in_.empty() || in_[0] == ')' || take_keyword("OR") || take_keyword("NOT"))
            return bad_query("OR and NOT need something after them");
        if (in_[0] == '(') {
            in_.remove_prefix(1);
            out_ += '(';
            const Status done = sequence(depth + 1);
            if (!done) return done.error();
            if (in_.empty()) return bad_query("a bracket is not closed");
            in_.remove_prefix(1);
            out_ += ')';
            return Done{};
        }
        std::string_view word;
        if (in_[0] == '"') {
            const std::size_t end = in_.find('"', 1);
            if (end == std::string_view::npos) return bad_query("a quotation is not closed");
            word = in_.substr(1, end - 1);
            in_.remove_prefix(end + 1);
        } else {
            std::size_t end = 0;
            while (end < in_.size() && !is_space(in_[end]) && in_[end] != '(' && in_[end] != ')' &&
                   in_[end] != '"' && in_[end] != '*')
                ++end;
            word = in_.substr(0, end);
            in_.remove_prefix(end);
        }
        if (!has_word(word)) return bad_query("a word without a letter or digit finds nothing");
        out_.append("\"").append(word).append("\"");
        if (!in_.empty() && in_[0] == '*') {
            in_.remove_prefix(1);
            out_ += '*';
        }
        return Done{};
    }

    bool take_keyword(std::string_view keyword) {
        if (!in_.starts_with(keyword)) return false;
        const char after = in_.size() > keyword.size() ? in_[keyword.size()] : ' ';
        if (!is_space(after) && after != '(' && after != '"') return false;
        in_.remove_prefix(keyword.size());
        return true;
    }

    void skip_space() {
        while (!in_.empty() && is_space(in_[0]))
            in_.remove_prefix(1);
    }

    std::string_view in_;
    std::string out_;
};

void collect(const json::Value& value, std::string& out) {
    if (const auto* text = value.if_string()) {
        out.append(text->data(), text->size()).push_back('\n');
    } else if (value.is_number()) {
        out.append(json::canonical(value)).push_back('\n');
    } else if (const auto* array = value.if_array()) {
        for (const auto& element : *array)
            collect(element, out);
    } else if (const auto* object = value.if_object()) {
        for (const auto& member : *object)
            collect(member.value(), out);
    }
}

std::string owner_of(std::int64_t user) {
    return "u" + std::to_string(user);
}

}  // namespace

Result<std::string> compile_query(std::string_view query) {
    if (query.size() > limits::query_bytes_max) return bad_query("it is too long");
    if (query.find('\0') != std::string_view::npos) return bad_query("it has a zero byte");
    return QueryParser(query).run();
}

std::string searchable_text(const Context& context) {
    const Result<json::Value> value = json::parse(context.data);
    std::string out;
    if (value) collect(*value, out);
    for (const std::string& tag : context.tags)
        out.append(tag).push_back('\n');
    return out;
}

Result<bool> Search::is_behind(std::int64_t user) {
    Rows rows = db_.query("SELECT searchable_to < offset FROM head WHERE user = ?", user);
    const bool behind = rows.next() && rows.integer(0) != 0;
    const Status status = rows.status();
    if (!status) return status.error();
    return behind;
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
            const Result<Context> context = read_context(rows.text(3));
            if (!context) return context.error();
            changes.push_back({.key = std::string(rows.text(0)),
                               .offset = rows.natural(1),
                               .text = searchable_text(*context),
                               .deleted = rows.integer(2) != 0});
        }
        const Status status = rows.status();
        if (!status) return status.error();
    }
    for (const Changed& changed : changes) {
        const Status done = index(user, changed);
        if (!done) return done.error();
    }
    const bool more = changes.size() == limit;
    const Status done =
        more ? db_.execute("UPDATE head SET searchable_to = ? WHERE user = ?",
                           changes.back().offset, user)
             : db_.execute("UPDATE head SET searchable_to = offset WHERE user = ?", user);
    if (!done) return done.error();
    return more;
}

Status Search::index(std::int64_t user, const Changed& changed) {
    std::int64_t id = 0;
    {
        Rows rows = db_.query("SELECT id FROM search_document WHERE user = ? AND key = ?", user,
                              changed.key);
        if (rows.next()) id = rows.integer(0);
        const Status status = rows.status();
        if (!status) return status.error();
    }
    Status done = Done{};
    if (id != 0) {
        removals_ += 1;
        done = db_.execute("DELETE FROM search_text WHERE rowid = ?", id);
    }
    if (done && changed.deleted && id != 0)
        done = db_.execute("DELETE FROM search_document WHERE id = ?", id);
    if (!done || changed.deleted) return done;
    if (id == 0) {
        Rows rows = db_.query("INSERT INTO search_document(user, key) VALUES(?, ?) RETURNING id",
                              user, changed.key);
        while (rows.next())
            id = rows.integer(0);
        done = rows.status();
        if (!done) return done;
    }
    return db_.execute("INSERT INTO search_text(rowid, owner, key, body) VALUES(?, ?, ?, ?)", id,
                       owner_of(user), changed.key, changed.text);
}

Result<bool> Search::purge_some(bool begin) {
    // Pages of the index, a negative number where all of it is to become one piece (FTS5, 6.9).
    const std::int64_t before = db_.total_changes();
    const Status done =
        begin ? db_.execute("INSERT INTO search_text(search_text, rank) VALUES('merge', -16)")
              : db_.execute("INSERT INTO search_text(search_text, rank) VALUES('merge', 16)");
    if (!done) return done.error();
    return db_.total_changes() - before >= 2;
}

Result<std::vector<SearchHit>> Search::find(std::int64_t user, std::string_view query,
                                            std::size_t limit) {
    const Result<std::string> compiled = compile_query(query);
    if (!compiled) return compiled.error();
    const std::string match =
        "owner : \"" + owner_of(user) + "\" AND {key body} : (" + *compiled + ")";
    std::vector<SearchHit> hits;
    // The owner stands in the index and, once more, in the table of documents.
    Rows rows = db_.query(
        "SELECT d.key, snippet(search_text, 2, char(2), char(3), '…', 24), "
        "snippet(search_text, 1, char(2), char(3), '…', 24), bm25(search_text, 0.0, 4.0, 1.0) AS "
        "rank_here FROM search_text "
        "JOIN search_document d ON d.id = search_text.rowid "
        "WHERE search_text MATCH ?1 AND d.user = ?2 ORDER BY rank_here LIMIT ?3",
        match, user, limit);
    while (rows.next()) {
        const bool in_body = rows.text(1).find('\2') != std::string_view::npos;
        hits.push_back({.key = std::string(rows.text(0)),
                        .snippet = one_line(rows.text(in_body ? 1 : 2)),
                        .score = -rows.number(3)});
    }
    const Status status = rows.status();
    if (!status) return status.error();
    return hits;
}

}  // namespace dyad::sqlite
