#include "store/sqlite/folder.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace dyad::sqlite {
namespace {

Error unavailable(const std::string& path, const char* what, const char* advice) {
    return fail(errno == ENOSPC ? Errc::storage_full : Errc::storage_unavailable,
                path + ": " + what + " failed: " + std::strerror(errno) + "; " + advice);
}

Status make_folder(const std::string& folder) {
    for (std::size_t at = folder.find('/', 1); at != std::string::npos;
         at = folder.find('/', at + 1))
        (void)::mkdir(folder.substr(0, at).c_str(), 0700);  // the last one tells
    if (::mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST) return Done{};
    return unavailable(folder, "making the folder",
                       "choose another folder, or give the server's user the right to make it");
}

// A name in the folder is durable only once the folder is.
void sync_folder(const std::string& folder) {
    const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) return;
    (void)::fsync(file);
    ::close(file);
}

std::string holder(int file) {
    char text[32];
    const ssize_t bytes = ::pread(file, text, sizeof text, 0);
    int process = 0;
    if (bytes <= 0 || std::from_chars(text, text + bytes, process).ec != std::errc())
        return "another process";
    return "process " + std::to_string(process);
}

}  // namespace

Result<std::unique_ptr<FolderLock>> FolderLock::take(const std::string& folder) {
    const Status made = make_folder(folder);
    if (!made) return made.error();
    constexpr const char* kAdvice = "give the server's user the right to write into the folder";
    const std::string path = folder + "/memory.lock";
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return unavailable(path, "opening", kAdvice);
    std::unique_ptr<FolderLock> lock(new FolderLock(file));
    if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return unavailable(path, "locking", "use a local disk");
        return fail(Errc::storage_locked, folder + ": " + holder(file) +
                                              " uses this folder; stop it, or choose another "
                                              "folder");
    }
    const std::string process = std::to_string(::getpid()) + "\n";
    if (::ftruncate(file, 0) != 0 ||
        ::pwrite(file, process.data(), process.size(), 0) != static_cast<ssize_t>(process.size()))
        return unavailable(path, "writing", "free some space on its disk");

    const std::string database = folder + "/" + kDatabaseName;
    const int made_file = ::open(database.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (made_file < 0) return unavailable(database, "opening", kAdvice);
    ::close(made_file);  // nobody holds a lock on it yet that closing could release
    sync_folder(folder);
    return lock;
}

FolderLock::~FolderLock() {
    ::close(file_);
}

}  // namespace dyad::sqlite
