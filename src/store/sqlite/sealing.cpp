#include "store/sqlite/sealing.hpp"

#include "base/log.hpp"
#include "store/sqlite/file.hpp"
#include "store/sqlite/folder.hpp"
#include "store/sqlite/log_tables.hpp"
#include "store/sqlite/whole.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace dyad::sqlite {
namespace {

constexpr std::string_view kScope = "sqlite";

Error failed(const std::string& path, const char* what) {
    return fail(Errc::storage_unavailable, path + ": " + what + " failed: " + std::strerror(errno));
}

// SQLite's own check: of its trees, not of what the rows say.
Status check_trees(Connection& db) {
    Rows rows = db.query("PRAGMA integrity_check(1)");
    std::string said;
    if (rows.next()) said = rows.text(0);
    const Status status = rows.status();
    if (!status || said == "ok") return status;
    return fail(Errc::storage_damaged, db.path() + ": " + said + "; " + kDamageAdvice);
}

Status write_sealed(Connection& db, std::uint64_t store_id, const std::string& path) {
    (void)::unlink(path.c_str());  // of an attempt that was broken off
    const int made = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (made < 0) return failed(path, "making");
    ::close(made);
    db.set_store_id(store_id);
    TRY(db.execute("VACUUM INTO ?", path));
    const auto file = File::open(db.vfs(), path, false);
    return file ? (*file)->sync() : Status(file.error());
}

}  // namespace

Status seal_database(Connection& db, std::uint64_t store_id) {
    log::info(kScope, db.path() +
                          ": an older version wrote it; it is checked, and written anew with "
                          "checksums, once; large ones take minutes");
    LogTables log_tables(db, {});
    Status done = check_trees(db);
    std::size_t users = 0;
    for (std::int64_t user = 0; done; ++users) {
        const auto log = log_tables.next_user(user);
        if (!log) return log.error();
        if (!*log) break;
        user = (*log)->user;
        done = log_tables.verify(**log);
    }
    if (!done) return done;
    log::info(kScope, db.path() + ": found good, with " + std::to_string(users) +
                          " users; it is written anew");
    const std::string path = db.path() + "-sealed";
    done = write_sealed(db, store_id, path);
    if (!done) {
        (void)::unlink(path.c_str());
        return done;
    }
    db.close();
    // Before it, the old one is whole; after it, the new one.
    if (std::rename(path.c_str(), db.path().c_str()) != 0) return failed(path, "renaming");
    sync_folder(db.path().substr(0, db.path().rfind('/')));
    log::info(kScope, db.path() + ": it has checksums now");
    return Done{};
}

}  // namespace dyad::sqlite
