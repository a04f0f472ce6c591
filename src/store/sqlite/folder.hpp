// The folder of a store: made where it is missing, readable by its owner only, and held by one
// process at a time.
#pragma once

#include "base/result.hpp"

#include <memory>
#include <string>

namespace dyad::sqlite {

inline constexpr const char* kDatabaseName = "memory.db";
// Of the folder of a store: where a running server puts the copy of its database. One is there at
// most; whoever asked for it takes it away.
inline constexpr const char* kCopyFolder = "copy";

// Makes the names in it durable, as far as its disk does that.
void sync_folder(const std::string& folder);

// That each part of a store that is there is a file of the folder itself. Errors:
// storage_unavailable.
Status check_kinds(const std::string& folder);

// Holds `memory.lock` for as long as it lives.
class FolderLock {
  public:
    // Makes the folder (0700) and an empty database in it (0600) where no part of a store is there;
    // a folder that is not whole is refused as it is.
    // Errors: storage_locked, naming the other process; storage_unavailable; those of whole.hpp.
    static Result<std::unique_ptr<FolderLock>> take(const std::string& folder);
    // Keeps servers away from the folder, and changes nothing in it: where there is no lock yet, it
    // only finds that nobody holds one. Errors: storage_locked, storage_unavailable.
    static Result<std::unique_ptr<FolderLock>> take_to_read(const std::string& folder);
    // Removes `memory.lock` where it was made and nobody was named in it.
    ~FolderLock();
    FolderLock(const FolderLock&) = delete;
    FolderLock& operator=(const FolderLock&) = delete;

    // Writes this process's number into the file: the store could be opened.
    Status name_holder();

  private:
    explicit FolderLock(std::string path) : path_(std::move(path)) {}
    Status open_and_lock(bool create, bool to_read = false);

    std::string path_;
    int file_ = -1;
    bool made_ = false;
};

}  // namespace dyad::sqlite
