// Says that something happened in some folders, by inotify: what happened is for the owner to see.
// Where the system gives no more watches it says less; nothing may rest on it alone.
#pragma once

#include <string>
#include <vector>

namespace dyad::cli {

class FolderWatch {
  public:
    FolderWatch();
    ~FolderWatch();
    FolderWatch(const FolderWatch&) = delete;
    FolderWatch& operator=(const FolderWatch&) = delete;

    // Becomes readable when something happened; -1 where the system has no inotify.
    int fd() const noexcept { return fd_; }
    // Those that are there; calling it again adds those that are new.
    void watch(const std::vector<std::string>& folders);
    // Takes what happened.
    void drain();

  private:
    int fd_;
};

}  // namespace dyad::cli
