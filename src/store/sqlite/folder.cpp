#include "store/sqlite/folder.hpp"

#include "store/sqlite/whole.hpp"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace dyad::sqlite {
namespace {

Error unavailable(const std::string& path, const char* what, const char* advice) {
    const bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
    return fail(full ? Errc::storage_full : Errc::storage_unavailable,
                path + ": " + what + " failed: " + std::strerror(errno) + "; " + advice);
}

Status make_folder(const std::string& folder) {
    for (std::size_t at = folder.find('/', 1); at != std::string::npos;
         at = folder.find('/', at + 1))
        (void)::mkdir(folder.substr(0, at).c_str(), 0700);  // the last one tells
    struct stat status{};
    if (::mkdir(folder.c_str(), 0700) == 0) return Done{};
    if (errno == EEXIST && ::stat(folder.c_str(), &status) == 0 && S_ISDIR(status.st_mode))
        return Done{};
    return unavailable(folder, "making the folder",
                       "choose another folder, or give the server's user the right to make it");
}

std::string holder(int file) {
    char text[32];
    const ssize_t bytes = ::pread(file, text, sizeof text, 0);
    int process = 0;
    if (bytes <= 0 || std::from_chars(text, text + bytes, process).ec != std::errc() ||
        process <= 0 || (::kill(process, 0) != 0 && errno == ESRCH))
        return "another process";  // one that opens the store at this moment
    return "process " + std::to_string(process);
}

Status check_kind(const std::string& path) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode)) return Done{};
    return fail(Errc::storage_unavailable,
                path + ": is " +
                    (S_ISDIR(status.st_mode)   ? "a folder"
                     : S_ISLNK(status.st_mode) ? "a symbolic link"
                                               : "no regular file") +
                    ", where a file of the store should be; move it away or choose another "
                    "folder");
}

}  // namespace

Status check_kinds(const std::string& folder) {
    for (const char* name :
         {"memory.lock", "memory.db", "memory.db-log0", "memory.db-log1", "memory.db-journal"})
        TRY(check_kind(folder + "/" + name));
    return Done{};
}

void sync_folder(const std::string& folder) {
    const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) return;
    (void)::fsync(file);
    ::close(file);
}

Status FolderLock::open_and_lock(bool create, bool to_read) {
    const int flags = (to_read ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW;
    file_ = ::open(path_.c_str(), flags);
    if (file_ < 0 && errno == ENOENT) {
        if (!create) return Done{};
        file_ = ::open(path_.c_str(), flags | O_CREAT | O_EXCL, 0600);
        made_ = file_ >= 0;
    }
    if (file_ < 0)
        return unavailable(path_, "opening",
                           "give the server's user the right to write into the folder");
    if (::flock(file_, (to_read ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0) return Done{};
    if (errno != EWOULDBLOCK) return unavailable(path_, "locking", "use a local disk");
    return fail(Errc::storage_locked, path_.substr(0, path_.rfind('/')) + ": " + holder(file_) +
                                          " uses this folder; stop it, or choose another folder");
}

Result<std::unique_ptr<FolderLock>> FolderLock::take(const std::string& folder) {
    TRY(make_folder(folder));
    TRY(check_kinds(folder));
    std::unique_ptr<FolderLock> lock(new FolderLock(folder + "/memory.lock"));
    TRY(lock->open_and_lock(false));  // where there is none, nobody holds it
    const std::string database = folder + "/" + kDatabaseName;
    ASSIGN_OR_RETURN(const Found found, look_at_files(*sqlite3_vfs_find(nullptr), database));
    if (lock->file_ < 0) TRY(lock->open_and_lock(true));
    if (found == Found::store) return lock;
    const int file = ::open(database.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0)
        return unavailable(database, "opening",
                           "give the server's user the right to write into the folder");
    ::close(file);  // nobody holds a lock on it yet that closing could release
    sync_folder(folder);
    return lock;
}

Result<std::unique_ptr<FolderLock>> FolderLock::take_to_read(const std::string& folder) {
    std::unique_ptr<FolderLock> lock(new FolderLock(folder + "/memory.lock"));
    TRY(check_kind(lock->path_));
    TRY(lock->open_and_lock(false, true));
    return lock;
}

Status FolderLock::name_holder() {
    const std::string process = std::to_string(::getpid()) + "\n";
    if (::ftruncate(file_, 0) == 0 && ::pwrite(file_, process.data(), process.size(), 0) ==
                                          static_cast<ssize_t>(process.size())) {
        made_ = false;
        return Done{};
    }
    return unavailable(path_, "writing", "free some space on its disk");
}

FolderLock::~FolderLock() {
    if (made_) (void)::unlink(path_.c_str());
    if (file_ >= 0) ::close(file_);
}

}  // namespace dyad::sqlite
