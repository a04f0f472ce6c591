// The one connection to the database, and its statements.
// Errors: storage_full, storage_locked, storage_damaged, storage_unavailable.
// Threads: one owner.
#pragma once

#include "base/result.hpp"
#include "store/sqlite/page_vfs.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

struct sqlite3;
struct sqlite3_stmt;

namespace dyad::sqlite {

class Connection;

// A value for a `?` of a statement.
class Value {
  public:
    Value(std::nullptr_t) noexcept : kind_(Kind::null) {}
    Value(std::int64_t number) noexcept : kind_(Kind::integer), number_(number) {}
    Value(std::uint64_t number) noexcept : Value(static_cast<std::int64_t>(number)) {}
    Value(int number) noexcept : Value(static_cast<std::int64_t>(number)) {}
    Value(std::string_view text) noexcept : kind_(Kind::text), bytes_(text) {}
    Value(const std::string& text) noexcept : Value(std::string_view(text)) {}
    // Nothing is null.
    template <class T>
    Value(const std::optional<T>& value) noexcept : Value(value ? Value(*value) : Value(nullptr)) {}
    static Value blob(std::string_view bytes) noexcept {
        Value value(bytes);
        value.kind_ = Kind::blob;
        return value;
    }

  private:
    friend class Rows;
    enum class Kind : std::uint8_t { null, integer, text, blob };
    Kind kind_;
    std::int64_t number_ = 0;
    std::string_view bytes_;
};

// The rows of one running statement. Lifetime: until the Connection's end; a statement runs once at
// a time. The texts it gives live until the next call of next().
class Rows {
  public:
    ~Rows();
    Rows(const Rows&) = delete;
    Rows& operator=(const Rows&) = delete;

    // Moves on to the next row; false after the last one, and on an error (see status()).
    bool next();
    Status status() const;

    std::int64_t integer(int column) const;
    std::uint64_t natural(int column) const { return static_cast<std::uint64_t>(integer(column)); }
    bool is_null(int column) const;
    std::string_view text(int column) const;  // of blobs, too

  private:
    friend class Connection;
    enum class Lifetime : std::uint8_t { this_call, whole_run };  // of the values
    Rows(Connection& connection, sqlite3_stmt* statement, int code, std::span<const Value> values,
         Lifetime lifetime);

    Connection& connection_;
    sqlite3_stmt* statement_;
    int code_;
};

class Connection {
  public:
    struct Options {
        std::string path;
        std::string vfs;             // empty: SQLite's own
        std::uint64_t store_id = 0;  // of a database that is made
        std::int64_t page_bytes = 4096;
        std::string extra_pragmas;  // run last; tests weaken a store with it
        bool seals = true;          // false: tests make a database of before there were any
    };
    // Opens or makes the database and takes the exclusive lock on it. Its tables: schema.hpp.
    static Result<std::unique_ptr<Connection>> open(const Options& options);
    ~Connection();
    // Nothing may be asked of it any more.
    void close();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // `sql` must live as long as the connection: statements are kept by its address.
    template <class... Values>
    Rows query(const char* sql, const Values&... values) {
        const Value list[] = {Value(values)..., Value(nullptr)};
        return start(sql, std::span(list, sizeof...(values)), Lifetime::this_call);
    }
    template <class... Values>
    Status execute(const char* sql, const Values&... values) {
        const Value list[] = {Value(values)..., Value(nullptr)};
        Rows rows = start(sql, std::span(list, sizeof...(values)), Lifetime::whole_run);
        while (rows.next()) {
        }
        return rows.status();
    }
    // Several statements without values, not kept.
    Status script(const std::string& sql);
    // The first column of the only row; 0 where there is none.
    template <class... Values>
    Result<std::int64_t> number(const char* sql, const Values&... values) {
        Rows rows = query(sql, values...);
        std::int64_t value = 0;
        while (rows.next())
            value = rows.integer(0);
        TRY(rows.status());
        return value;
    }
    // What the table `meta` has under a key; 0 where it has nothing.
    Result<std::int64_t> meta(std::string_view key) {
        return number("SELECT value FROM meta WHERE key = ?", key);
    }
    Status set_meta(std::string_view key, Value value) {
        return execute("INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)", key, value);
    }
    // The same of a text or blob; nothing where there is no row.
    template <class... Values>
    Result<std::optional<std::string>> text(const char* sql, const Values&... values) {
        Rows rows = query(sql, values...);
        std::optional<std::string> value;
        if (rows.next()) value = rows.text(0);
        TRY(rows.status());
        return value;
    }

    // `work` in a transaction: on return all that it wrote is durable; after an error, of `work`
    // or of the transaction, nothing of it is there.
    template <class Work>
    auto transact(Work work) -> decltype(work()) {
        TRY(begin());
        auto result = work();
        TRY(end(result ? Status(Done{}) : result.error()));
        return result;
    }

    // Of the database, and whether one can be read from the disk as it was written. Pages are
    // numbered from 1.
    std::uint64_t pages();
    Status check_page(std::uint64_t number);
    // What is read next comes from the disk, not from memory.
    void forget_pages() noexcept;

    std::int64_t total_changes() const;  // rows, by all statements

    // False, too, where an error made SQLite roll a transaction back by itself.
    bool in_transaction() const noexcept;
    // Of its seals (seal.hpp).
    std::uint64_t store_id() const noexcept { return vfs_.store_id(); }
    void set_store_id(std::uint64_t id) noexcept { vfs_.set_store_id(id); }
    // It is of a version before there were seals.
    bool is_plain() const noexcept { return vfs_.is_plain(); }
    // For the files beside it.
    sqlite3_vfs& vfs() noexcept { return vfs_.vfs(); }
    // From here on the transactions are numbered: what is read must be of one that ended.
    Status count_transactions();

    // True once a sync failed: what the disk holds is unknown, the process must stop.
    bool sync_failed() const noexcept { return sync_failed_; }
    const std::string& path() const noexcept { return path_; }

  private:
    friend class Rows;
    friend class DatabaseCopy;
    using Lifetime = Rows::Lifetime;
    explicit Connection(const Options& options);
    Status begin();
    Status end(Status done);
    Rows start(const char* sql, std::span<const Value> values, Lifetime lifetime);
    Error error(int code);

    std::string path_;
    PageVfs vfs_;
    sqlite3* db_ = nullptr;
    std::unordered_map<const char*, sqlite3_stmt*> statements_;
    std::size_t page_bytes_ = 0;  // 0: not asked yet
    bool sync_failed_ = false;
    std::optional<std::uint64_t> transactions_;  // that ended; nothing where they are not counted
};

}  // namespace dyad::sqlite
