// A copy of a database into another file, in pieces, while it is used: at its end the copy is as
// the database is then. What is written meanwhile goes into both, for the connection is one.
//
// Lifetime: `from` is there as long. Threads: that of `from`.
#pragma once

#include "store/sqlite/connection.hpp"

#include <memory>
#include <string>

struct sqlite3_backup;

namespace dyad::sqlite {

class DatabaseCopy {
  public:
    // Makes `folder` (0700) anew, with a database of the same name in it.
    static Result<std::unique_ptr<DatabaseCopy>> begin(Connection& from, const std::string& folder);
    ~DatabaseCopy();
    DatabaseCopy(const DatabaseCopy&) = delete;
    DatabaseCopy& operator=(const DatabaseCopy&) = delete;

    // Copies the next pages, about a millisecond's; false where that was the end of it.
    Result<bool> step();
    std::size_t done() const;  // pages
    std::size_t of() const;

  private:
    explicit DatabaseCopy(std::unique_ptr<Connection> to) : to_(std::move(to)) {}

    std::unique_ptr<Connection> to_;
    sqlite3_backup* backup_ = nullptr;
};

}  // namespace dyad::sqlite
