#include "store/sqlite/connection.hpp"

#include "store/sqlite/file.hpp"
#include "store/sqlite/seal.hpp"
#include "store/sqlite/search_terms.hpp"
#include "store/sqlite/whole.hpp"

#include <sqlite3.h>

namespace dyad::sqlite {
namespace {

bool is_sync_error(int code) {
    return code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC;
}

struct Meaning {
    Errc code;
    std::string advice;
};

Meaning meaning_of(int code) {
    switch (code & 0xff) {
        case SQLITE_FULL:
            return {Errc::storage_full, "free some space on its disk"};
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return {Errc::storage_locked, "another process uses it; stop that process"};
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
        case SQLITE_FORMAT:
            return {
                Errc::storage_damaged,
                std::string("it is damaged or not a database of this product; ") + kDamageAdvice};
        case SQLITE_READONLY:
        case SQLITE_CANTOPEN:
        case SQLITE_PERM:
            return {Errc::storage_unavailable,
                    "give the server's user the right to write it and its folder"};
        default:
            return {Errc::storage_unavailable, "look for errors of the disk"};
    }
}

}  // namespace

Rows::Rows(Connection& connection, sqlite3_stmt* statement, int code, std::span<const Value> values,
           Lifetime lifetime)
    : connection_(connection), statement_(statement), code_(code) {
    const auto destructor = lifetime == Lifetime::whole_run ? SQLITE_STATIC : SQLITE_TRANSIENT;
    int index = 0;
    for (const Value& value : values) {
        if (code_ != SQLITE_OK) return;
        ++index;
        const auto bytes = static_cast<sqlite3_uint64>(value.bytes_.size());
        const char* data = value.bytes_.data() == nullptr ? "" : value.bytes_.data();
        switch (value.kind_) {
            case Value::Kind::null:
                code_ = sqlite3_bind_null(statement_, index);
                break;
            case Value::Kind::integer:
                code_ = sqlite3_bind_int64(statement_, index, value.number_);
                break;
            case Value::Kind::text:
                code_ =
                    sqlite3_bind_text64(statement_, index, data, bytes, destructor, SQLITE_UTF8);
                break;
            case Value::Kind::blob:
                code_ = sqlite3_bind_blob64(statement_, index, data, bytes, destructor);
                break;
        }
    }
}

Rows::~Rows() {
    if (statement_ == nullptr) return;
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
}

bool Rows::next() {
    if (code_ != SQLITE_OK && code_ != SQLITE_ROW) return false;
    code_ = sqlite3_step(statement_);
    return code_ == SQLITE_ROW;
}

Status Rows::status() const {
    if (code_ == SQLITE_OK || code_ == SQLITE_ROW || code_ == SQLITE_DONE) return Done{};
    return connection_.error(code_);
}

std::int64_t Rows::integer(int column) const {
    return sqlite3_column_int64(statement_, column);
}

bool Rows::is_null(int column) const {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::string_view Rows::text(int column) const {
    const void* data = sqlite3_column_blob(statement_, column);
    const int bytes = sqlite3_column_bytes(statement_, column);
    return data == nullptr
               ? std::string_view()
               : std::string_view(static_cast<const char*>(data), static_cast<std::size_t>(bytes));
}

Result<std::unique_ptr<Connection>> Connection::open(const Options& options) {
    std::unique_ptr<Connection> connection(new Connection(options));
    const int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    const int code = sqlite3_open_v2(options.path.c_str(), &connection->db_, flags,
                                     connection->vfs_.name().c_str());
    if (code != SQLITE_OK) return connection->error(code);
    sqlite3_extended_result_codes(connection->db_, 1);
    sqlite3_db_config(connection->db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(connection->db_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    if (const int taught = teach_terms(connection->db_); taught != SQLITE_OK)
        return connection->error(taught);
    // A rollback journal, not a write-ahead log: applying mostly adds pages, and those are then
    // written once. The page size counts only for a database that is not there yet.
    Status ready = connection->script("PRAGMA page_size=" + std::to_string(options.page_bytes));
    int reserved = options.seals ? kSealBytes : 0;
    if (ready) sqlite3_file_control(connection->db_, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    if (ready)
        ready = connection->script(
            "PRAGMA locking_mode=EXCLUSIVE;PRAGMA journal_mode=PERSIST;PRAGMA synchronous=FULL;"
            "PRAGMA journal_size_limit=8388608;PRAGMA cache_size=-8192;PRAGMA temp_store=MEMORY;"
            "PRAGMA secure_delete=ON;"
            "PRAGMA foreign_keys=OFF;PRAGMA cell_size_check=ON;BEGIN EXCLUSIVE;COMMIT;" +
            options.extra_pragmas);
    if (!ready) return ready.error();
    return connection;
}

Connection::~Connection() {
    close();
}

void Connection::close() {
    for (const auto& [sql, statement] : statements_)
        sqlite3_finalize(statement);
    statements_.clear();
    sqlite3_close(db_);
    db_ = nullptr;
}

Connection::Connection(const Options& options)
    : path_(options.path), vfs_(find_vfs(options.vfs), options.store_id, options.seals) {}

Status Connection::count_transactions() {
    ASSIGN_OR_RETURN(const auto ended, number("SELECT value FROM meta WHERE key = 'transactions'"));
    transactions_ = static_cast<std::uint64_t>(ended);
    vfs_.set_transactions(*transactions_, *transactions_);
    return Done{};
}

// The number is written in the same transaction, so that each has one page of the same row.
Status Connection::begin() {
    TRY(execute("BEGIN IMMEDIATE"));
    if (!transactions_) return Done{};
    vfs_.set_transactions(*transactions_ + 1, *transactions_ + 1);
    const Status counted =
        execute("UPDATE meta SET value = ? WHERE key = 'transactions'", *transactions_ + 1);
    return counted ? counted : end(counted);
}

Status Connection::end(Status done) {
    if (done) done = execute("COMMIT");
    // Where a sync failed, the process is to end and to write nothing more.
    if (!done && !sync_failed_) (void)execute("ROLLBACK");
    if (!transactions_) return done;
    if (done) *transactions_ += 1;
    vfs_.set_transactions(*transactions_, *transactions_ + 1);
    return done;
}

Error Connection::error(int code) {
    if (is_sync_error(code)) sync_failed_ = true;
    if (code == SQLITE_IOERR_DATA)
        return fail(Errc::storage_damaged, path_ + ": " + vfs_.problem() + "; " + kDamageAdvice);
    const Meaning meaning = meaning_of(code);
    const std::string said = db_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(db_);
    return fail(meaning.code, path_ + ": " + said + " (SQLite code " + std::to_string(code) +
                                  "); " + meaning.advice);
}

Rows Connection::start(const char* sql, std::span<const Value> values, Lifetime lifetime) {
    sqlite3_stmt*& statement = statements_[sql];
    int code = SQLITE_OK;
    if (statement == nullptr)
        code = sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    // What is not counted cannot be told from another time's when a crash leaves half of it; but
    // for the first start's.
    CHECK(transactions_.value_or(0) == 0 || in_transaction() ||
          sqlite3_stmt_readonly(statement) != 0 || std::string_view(sql).starts_with("BEGIN"));
    return Rows(*this, statement, code, values, lifetime);
}

Status Connection::script(const std::string& sql) {
    const int code = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return error(code);
    return Done{};
}

std::uint64_t Connection::pages() {
    const Result<std::int64_t> count = number("PRAGMA page_count");
    return count ? static_cast<std::uint64_t>(*count) : 0;
}

Status Connection::check_page(std::uint64_t page) {
    if (page_bytes_ == 0) {
        ASSIGN_OR_RETURN(const std::int64_t bytes, number("PRAGMA page_size"));
        page_bytes_ = static_cast<std::size_t>(bytes);
    }
    sqlite3_file* file = nullptr;
    int code = sqlite3_file_control(db_, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    std::string bytes(page_bytes_, '\0');
    if (code == SQLITE_OK)
        code = file->pMethods->xRead(file, bytes.data(), static_cast<int>(page_bytes_),
                                     static_cast<sqlite3_int64>((page - 1) * page_bytes_));
    // A page that was not written yet is none that could be damaged.
    if (code == SQLITE_OK || code == SQLITE_IOERR_SHORT_READ) return Done{};
    return error(code);
}

void Connection::forget_pages() noexcept {
    (void)sqlite3_db_release_memory(db_);
}

std::int64_t Connection::total_changes() const {
    return sqlite3_total_changes64(db_);
}

bool Connection::in_transaction() const noexcept {
    return sqlite3_get_autocommit(db_) == 0;
}

}  // namespace dyad::sqlite
