// How a database of a version before seals gets them.
#include "base/log.hpp"
#include "store/sqlite/folder.hpp"
#include "store/sqlite/journaled.hpp"
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

}  // namespace

Status Journaled::seal_database() {
    log::info(kScope, options_.database +
                          ": an older version wrote it; it is checked, and written anew with "
                          "checksums, once; large ones take minutes");
    Status done = check_trees(*db_);
    std::size_t users = 0;
    for (std::int64_t user = 0; done; ++users) {
        const auto log = log_->next_user(user);
        if (!log) return log.error();
        if (!*log) break;
        user = (*log)->user;
        done = log_->verify(**log);
    }
    if (!done) return done;
    log::info(kScope, options_.database + ": found good, with " + std::to_string(users) +
                          " users; it is written anew");
    const std::string path = options_.database + "-sealed";
    done = write_sealed(path);
    if (!done) {
        (void)::unlink(path.c_str());
        return done;
    }
    db_->close();
    // Before it, the old one is whole; after it, the new one.
    if (std::rename(path.c_str(), options_.database.c_str()) != 0) return failed(path, "renaming");
    sync_folder(options_.database.substr(0, options_.database.rfind('/')));
    log::info(kScope, options_.database + ": it has checksums now");
    return Done{};
}

Status Journaled::write_sealed(const std::string& path) {
    (void)::unlink(path.c_str());  // of an attempt that was broken off
    const int made = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (made < 0) return failed(path, "making");
    ::close(made);
    db_->set_store_id(store_id_);
    const Status done = db_->execute("VACUUM INTO ?", path);
    if (!done) return done;
    const auto file = File::open(db_->vfs(), path, false);
    return file ? (*file)->sync() : Status(file.error());
}

}  // namespace dyad::sqlite
