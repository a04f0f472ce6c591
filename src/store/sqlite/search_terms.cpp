#include "store/sqlite/search_terms.hpp"

#include "search/words.hpp"

#include <cstdint>
#include <cstring>
#include <vector>

#include <sqlite3.h>

namespace dyad::sqlite {
namespace {

using OnToken = int(void*, int, const char*, int, int, int);

// The tokenizer has no state; SQLite wants something to hold.
int create(void*, const char**, int, Fts5Tokenizer** out) {
    static char nothing;
    *out = reinterpret_cast<Fts5Tokenizer*>(&nothing);
    return SQLITE_OK;
}

void destroy(Fts5Tokenizer*) {}

int tokenize(Fts5Tokenizer*, void* context, int flags, const char* text, int bytes, OnToken* on) {
    if ((flags & FTS5_TOKENIZE_QUERY) != 0) return on(context, 0, text, bytes, 0, bytes);
    int code = SQLITE_OK;
    search::cut({text, static_cast<std::size_t>(bytes)}, [&](const search::Term& term) {
        code = on(context, 0, term.text.data(), static_cast<int>(term.text.size()),
                  static_cast<int>(term.begin), static_cast<int>(term.end));
        return code == SQLITE_OK;
    });
    return code;
}

void occurrences(const Fts5ExtensionApi* api, Fts5Context* row, sqlite3_context* out, int,
                 sqlite3_value**) {
    const int phrases = api->xPhraseCount(row);
    std::vector<std::uint32_t> counts;
    int code = SQLITE_OK;
    for (int phrase = 1; code == SQLITE_OK && phrase < phrases; ++phrase) {
        std::uint32_t in_column[3] = {};
        Fts5PhraseIter at;
        int column = 0;
        int position = 0;
        code = api->xPhraseFirst(row, phrase, &at, &column, &position);
        for (; code == SQLITE_OK && column >= 0; api->xPhraseNext(row, &at, &column, &position))
            if (column < 3) ++in_column[column];
        counts.insert(counts.end(), {in_column[1], in_column[2]});
    }
    int body_terms = 0;
    if (code == SQLITE_OK) code = api->xColumnSize(row, 2, &body_terms);
    if (code != SQLITE_OK) return sqlite3_result_error_code(out, code);
    counts.push_back(static_cast<std::uint32_t>(body_terms));
    sqlite3_result_blob64(out, counts.data(), counts.size() * sizeof(std::uint32_t),
                          SQLITE_TRANSIENT);
}

int find_api(sqlite3* db, fts5_api*& api) {
    sqlite3_stmt* statement = nullptr;
    int code = sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &statement, nullptr);
    if (code != SQLITE_OK) return code;
    sqlite3_bind_pointer(statement, 1, static_cast<void*>(&api), "fts5_api_ptr", nullptr);
    sqlite3_step(statement);
    code = sqlite3_finalize(statement);
    return code == SQLITE_OK && api == nullptr ? SQLITE_ERROR : code;
}

}  // namespace

int teach_terms(sqlite3* db) {
    fts5_api* api = nullptr;
    int code = find_api(db, api);
    fts5_tokenizer tokenizer{.xCreate = create, .xDelete = destroy, .xTokenize = tokenize};
    if (code == SQLITE_OK) code = api->xCreateTokenizer(api, "dyad", nullptr, &tokenizer, nullptr);
    if (code == SQLITE_OK)
        code = api->xCreateFunction(api, "occurrences", nullptr, occurrences, nullptr);
    return code;
}

Result<search::Counted> read_occurrences(std::string_view blob) {
    const std::size_t numbers = blob.size() / sizeof(std::uint32_t);
    if (numbers % 2 != 1) return fail(Errc::storage_damaged, "the search index answers nonsense");
    std::vector<std::uint32_t> counts(numbers);
    std::memcpy(counts.data(), blob.data(), numbers * sizeof(std::uint32_t));
    search::Counted counted;
    for (std::size_t i = 0; i + 1 < numbers; i += 2)
        counted.phrases.push_back({.in_key = counts[i], .in_body = counts[i + 1]});
    counted.body_terms = counts.back();
    return counted;
}

}  // namespace dyad::sqlite
