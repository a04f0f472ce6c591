#include "cli/bridge/folder_watch.hpp"

#include <cstdint>

#include <sys/inotify.h>
#include <unistd.h>

namespace dyad::cli {
namespace {

// Writing and closing, renaming over, deleting, truncating, links, modes.
constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_MODIFY | IN_MOVED_TO | IN_MOVED_FROM |
                                  IN_CREATE | IN_DELETE | IN_ATTRIB | IN_ONLYDIR;

}  // namespace

FolderWatch::FolderWatch() : fd_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {}

FolderWatch::~FolderWatch() {
    if (fd_ >= 0) ::close(fd_);
}

void FolderWatch::watch(const std::vector<std::string>& folders) {
    for (const std::string& folder : folders)
        inotify_add_watch(fd_, folder.c_str(), kEvents);
}

void FolderWatch::drain() {
    char bytes[16384];
    while (::read(fd_, bytes, sizeof bytes) > 0) {
    }
}

}  // namespace dyad::cli
