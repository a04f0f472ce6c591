// A check of everything that a store holds, in pieces of about a millisecond, so that a running
// server can do it between its commits. It looks only.
//
// Every page of the database and every record of the journal is read from the disk; every event is
// hashed; heads and segments agree; each row that follows from the log is what its event says, and
// an older one is well formed. What is written while it runs is newer than what it looks for, and
// is passed over.
//
// Threads: that of the store.
#pragma once

#include "store/sqlite/connection.hpp"
#include "store/sqlite/journal.hpp"
#include "store/sqlite/log_tables.hpp"
#include "store/store.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

namespace dyad::sqlite {

class StoreCheck {
  public:
    // `thorough`: with SQLite's own checks, which take their time in one piece.
    // `check_record`: Journal::check_record, of whoever owns the journal.
    using CheckRecord = std::function<Result<bool>(Journal::Cursor&)>;
    StoreCheck(Connection& connection, CheckRecord check_record, bool thorough)
        : db_(connection),
          check_record_(std::move(check_record)),
          log_tables_(connection, {}),
          thorough_(thorough) {}

    // One piece. False once all is checked. What is damaged stands in the report.
    bool step();
    const CheckReport& report() const noexcept { return report_; }

  private:
    enum class Stage : std::uint8_t { pages, trees, records, users, segments, rows, done };
    enum class Table : std::uint8_t { contexts, modes, responses, conflicts, claims, end };
    // What the log says last of a scope.
    struct Newest {
        Offset offset = 0;
        std::uint64_t document = 0;  // hash64 of it; 0: cannot be compared so
        bool seen = false;           // its row is there
    };

    void blame(std::string what, std::string name, std::string text);
    void check_pages();
    void check_trees();
    void check_records();
    void next_user();
    void check_segment();
    bool go_on_after(const Error& error);
    void take_event(Offset offset, std::string_view text);
    void check_transition(Offset offset, std::string_view document);
    void check_rows();
    void check_row(const Rows& row);
    void check_document(const char* what, const std::string& name, const std::string& scope,
                        Offset offset, const std::string& document);
    void check_response(const ResponseRecord& stored, const std::string& name, Offset offset);
    void find_missing_rows();

    Connection& db_;
    CheckRecord check_record_;
    LogTables log_tables_;
    bool thorough_;
    Stage stage_ = Stage::pages;
    CheckReport report_;
    std::uint64_t page_ = 0;  // the one that was checked last
    Journal::Cursor cursor_;

    // Of the user that is being checked:
    StoredHead log_;
    std::string user_;
    Offset next_ = 1;
    std::optional<LogHead> end_;
    std::unordered_map<std::uint64_t, Newest> newest_;  // by the hash of the scope
    std::set<Offset> lost_;                             // events that nobody can read any more
    bool log_is_good_ = true;
    Table table_ = Table::contexts;
    std::string after_;        // rows up to here are checked
    Offset after_offset_ = 0;  // the same, of responses
};

}  // namespace dyad::sqlite
