#include "store/sqlite/schema.hpp"

#include <iterator>
#include <string>

namespace dyad::sqlite {
namespace {

// A step is never changed once it was released; the next version gets a step of its own.
// `user` is users.id in every table. Columns that are read without the rest of their row stand
// before the large ones, whose end may lie on pages that then need not be read.
constexpr const char* kSteps[] = {
    // 1: the log, in segments of consecutive events; the projections; what is applied.
    R"(
CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE head(
    user INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    offset INTEGER NOT NULL,       -- of the last applied event, and its
    hash BLOB NOT NULL,
    timestamp INTEGER NOT NULL,
    first_kept INTEGER NOT NULL,
    next_expiry INTEGER);          -- no live context expires before it; null: none expires
CREATE INDEX head_by_expiry ON head(next_expiry) WHERE next_expiry IS NOT NULL;
CREATE TABLE segment(
    user INTEGER NOT NULL,
    first_offset INTEGER NOT NULL,
    last_offset INTEGER NOT NULL,
    last_timestamp INTEGER NOT NULL,
    keys BLOB NOT NULL,            -- (operation key, scope key), 8 bytes each, per event
    body BLOB NOT NULL,            -- the events, as model's encode_batch
    UNIQUE(user, first_offset));
CREATE TABLE context(
    user INTEGER NOT NULL,
    key TEXT NOT NULL,
    offset INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    expires_at INTEGER,
    json TEXT NOT NULL,
    PRIMARY KEY(user, key)) WITHOUT ROWID;
CREATE TABLE conflict(
    user INTEGER NOT NULL,
    id TEXT NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY(user, id)) WITHOUT ROWID;
CREATE TABLE mode_state(
    user INTEGER NOT NULL,
    instance TEXT NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY(user, instance)) WITHOUT ROWID;
CREATE TABLE mode_transition(
    user INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    instance TEXT NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY(user, offset)) WITHOUT ROWID;
CREATE TABLE response(
    user INTEGER NOT NULL,
    chat TEXT NOT NULL,
    message TEXT NOT NULL,
    offset INTEGER NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY(user, chat, message)) WITHOUT ROWID;
CREATE INDEX response_by_offset ON response(user, offset);
)",
    // 2: full-text search, filled when there is time for it or when somebody searches. `owner` is
    // "u<user>", so that a search reads one user's part of the index only.
    R"(
ALTER TABLE head ADD COLUMN searchable_to INTEGER NOT NULL DEFAULT 0;
CREATE TABLE search_document(
    id INTEGER PRIMARY KEY,        -- rowid in search_text
    user INTEGER NOT NULL,
    key TEXT NOT NULL,
    UNIQUE(user, key));
CREATE VIRTUAL TABLE search_text USING fts5(
    owner, key, body, tokenize = 'unicode61 remove_diacritics 2');
)",
    // 3: the operations that stay known although their events expired.
    R"(
CREATE TABLE expired_operations(
    user INTEGER NOT NULL,
    instance INTEGER NOT NULL,     -- hash64 of its id
    last_offset INTEGER NOT NULL,  -- of its newest event that expired
    keys BLOB NOT NULL,            -- operation keys, 8 bytes each, the newest at the end
    UNIQUE(user, instance));
)",
    // 4: what retention looks for.
    R"(
ALTER TABLE head ADD COLUMN oldest INTEGER;  -- no kept event is older; null: none is kept
UPDATE head SET oldest = 0;
CREATE INDEX head_by_oldest ON head(oldest) WHERE oldest IS NOT NULL;
CREATE INDEX context_deleted ON context(user, offset) WHERE deleted = 1;
)",
    // 5: the search index is cut by the product and not by FTS5; Search::prepare makes it anew.
    R"(
DROP TABLE search_text;
DELETE FROM meta WHERE key = 'search_version';
)",
    // 6: every page is sealed (seal.hpp). What shows that a write was lost, which no seal does: the
    // transactions and the users are counted, and each user's state is summed up.
    R"(
INSERT INTO meta(key, value) SELECT 'transactions', 0 UNION ALL SELECT 'users', count(*) FROM users;
ALTER TABLE head ADD COLUMN state_sum INTEGER;  -- projections.cpp; null: not known yet
)",
    // 7: where the events of an operation and of a scope are (event_index.hpp). The logs that are
    // there are taken in by and by.
    R"(
ALTER TABLE head ADD COLUMN indexed BLOB;  -- what each level has; null: nothing
CREATE TABLE event_index(
    user INTEGER NOT NULL,
    level INTEGER NOT NULL,
    kind INTEGER NOT NULL,         -- 0: operations, 1: scopes
    first INTEGER NOT NULL,        -- the chunk has all from here, as hash << 32 | offset, ...
    last INTEGER NOT NULL,         -- ... to here
    made INTEGER NOT NULL,         -- by which writing of the level
    hashes BLOB NOT NULL,          -- sorted, 4 bytes each
    offsets BLOB NOT NULL,         -- as many, from the level's first event on
    UNIQUE(user, level, kind, first));
INSERT INTO meta(key, value) SELECT 'index_from', 1 WHERE EXISTS(SELECT 1 FROM users);
)",
    // 8: claims that are held.
    R"(
CREATE TABLE claim(
    user INTEGER NOT NULL,
    resource TEXT NOT NULL,
    offset INTEGER NOT NULL,       -- of the event that granted or last renewed it
    expires_at INTEGER NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY(user, resource)) WITHOUT ROWID;
)",
};

Status check_owner(Connection& connection, std::int64_t version) {
    ASSIGN_OR_RETURN(const auto application, connection.number("PRAGMA application_id"));
    ASSIGN_OR_RETURN(const auto tables, connection.number("SELECT count(*) FROM sqlite_schema"));
    if (application == kApplicationId || (version == 0 && tables == 0)) return Done{};
    return fail(Errc::storage_damaged,
                connection.path() + ": is a database of another program; choose another folder");
}

}  // namespace

std::int64_t schema_version() noexcept {
    return std::size(kSteps);
}

Status check_version(const std::string& path, std::int64_t version) {
    if (version <= schema_version()) return Done{};
    return fail(Errc::storage_newer, path + ": a newer version of this program wrote it (schema " +
                                         std::to_string(version) + ", this version knows " +
                                         std::to_string(schema_version()) +
                                         "); use that version, or restore a backup made before");
}

Status migrate(Connection& connection, std::int64_t target) {
    ASSIGN_OR_RETURN(const auto version, connection.number("PRAGMA user_version"));
    TRY(check_owner(connection, version));
    TRY(check_version(connection.path(), version));
    if (version >= target) return Done{};
    return connection.transact([&]() -> Status {
        for (std::int64_t step = version; step < target; ++step)
            TRY(connection.script(kSteps[step]));
        return connection.script("PRAGMA application_id=" + std::to_string(kApplicationId) +
                                 ";PRAGMA user_version=" + std::to_string(target));
    });
}

}  // namespace dyad::sqlite
