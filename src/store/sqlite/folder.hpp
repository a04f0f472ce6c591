// The folder of a store: made where it is missing, readable by its owner only, and held by one
// process at a time.
#pragma once

#include "base/result.hpp"

#include <memory>
#include <string>

namespace dyad::sqlite {

inline constexpr const char* kDatabaseName = "memory.db";

// Holds `memory.lock` for as long as it lives. The file names the process that holds it.
class FolderLock {
  public:
    // Makes the folder (0700) and an empty database in it (0600) where they are missing.
    // Errors: storage_locked, naming the other process; storage_unavailable.
    static Result<std::unique_ptr<FolderLock>> take(const std::string& folder);
    ~FolderLock();
    FolderLock(const FolderLock&) = delete;
    FolderLock& operator=(const FolderLock&) = delete;

  private:
    explicit FolderLock(int file) noexcept : file_(file) {}
    int file_;
};

}  // namespace dyad::sqlite
