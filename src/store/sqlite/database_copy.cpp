#include "store/sqlite/database_copy.hpp"

#include "store/sqlite/folder.hpp"

#include <filesystem>

#include <sqlite3.h>

namespace dyad::sqlite {

Result<std::unique_ptr<DatabaseCopy>> DatabaseCopy::begin(Connection& from,
                                                          const std::string& folder) {
    namespace fs = std::filesystem;
    std::error_code error;
    fs::remove_all(folder, error);
    if (!fs::create_directory(folder, error))
        return fail(Errc::storage_unavailable, folder + ": cannot be made: " + error.message());
    fs::permissions(folder, fs::perms::owner_all, error);
    ASSIGN_OR_RETURN(auto to, Connection::open({.path = folder + "/" + kDatabaseName,
                                                .store_id = from.store_id(),
                                                .extra_pragmas = "PRAGMA synchronous=OFF"}));
    std::unique_ptr<DatabaseCopy> copy(new DatabaseCopy(std::move(to)));
    copy->backup_ = sqlite3_backup_init(copy->to_->db_, "main", from.db_, "main");
    if (copy->backup_ == nullptr) return copy->to_->error(sqlite3_errcode(copy->to_->db_));
    return copy;
}

DatabaseCopy::~DatabaseCopy() {
    sqlite3_backup_finish(backup_);
}

Result<bool> DatabaseCopy::step() {
    constexpr int kPages = 256;
    const int code = sqlite3_backup_step(backup_, kPages);
    if (code == SQLITE_OK) return true;
    if (code == SQLITE_DONE) return false;
    return to_->error(code);
}

std::size_t DatabaseCopy::done() const {
    return of() - static_cast<std::size_t>(sqlite3_backup_remaining(backup_));
}

std::size_t DatabaseCopy::of() const {
    return static_cast<std::size_t>(sqlite3_backup_pagecount(backup_));
}

}  // namespace dyad::sqlite
