// A VFS that changes nothing: files are read from the one below, and what is written to them stays
// in memory for as long as this lives. So a check opens a folder as a start of the server would,
// with all that a start puts in order, and leaves every byte of it as it is.
//
// Threads: one owner. Lifetime: outlives every connection and file that is open on it.
#pragma once

#include <memory>
#include <string>

struct sqlite3_vfs;

namespace dyad::sqlite {

class UntouchedVfs {
  public:
    // `below`: a VFS's name; empty: SQLite's own. Requires: there is one of that name.
    explicit UntouchedVfs(const std::string& below = {});
    ~UntouchedVfs();
    UntouchedVfs(const UntouchedVfs&) = delete;
    UntouchedVfs& operator=(const UntouchedVfs&) = delete;

    const std::string& name() const noexcept { return name_; }
    sqlite3_vfs& vfs() noexcept { return *vfs_; }

    struct Disk;

  private:
    std::string name_;
    std::unique_ptr<Disk> disk_;
    std::unique_ptr<sqlite3_vfs> vfs_;
};

}  // namespace dyad::sqlite
