// A file system of SQLite (a VFS) over another, as a class in the place of tables of functions:
// what is not overridden is done by the one below.
//
// Errors: SQLite's codes; 0 is good. Threads: one owner, as the connection. Lifetime: outlives
// every connection and file that is open on it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

struct sqlite3_vfs;

namespace dyad::sqlite {

// An open file; what is not overridden is that of one that nobody else has.
class VfsFile {
  public:
    virtual ~VfsFile() = default;
    virtual int read(char* to, std::uint64_t count, std::uint64_t at) = 0;
    virtual int write(const char* from, std::uint64_t count, std::uint64_t at) = 0;
    virtual int truncate(std::uint64_t bytes) = 0;
    virtual int size(std::int64_t& bytes) = 0;
    virtual int sync(int) { return 0; }
    virtual int lock(int) { return 0; }
    virtual int unlock(int) { return 0; }
    virtual int is_locked(int& held);
    virtual int control(int what, void* argument);
    virtual int sector_bytes() { return 4096; }
    virtual int characteristics();
    virtual int close() { return 0; }  // before it is destroyed
};

class Vfs {
  public:
    // SQLite knows it under a name that begins so. Requires: `below` outlives it.
    Vfs(sqlite3_vfs& below, const char* name);
    virtual ~Vfs();
    Vfs(const Vfs&) = delete;
    Vfs& operator=(const Vfs&) = delete;

    const std::string& name() const noexcept { return name_; }
    sqlite3_vfs& vfs() noexcept { return *vfs_; }
    sqlite3_vfs& below() noexcept { return below_; }

    // `name`: null for a temporary file. `granted` may be null.
    virtual int open(const char* name, int flags, int* granted, std::unique_ptr<VfsFile>& file) = 0;
    virtual int remove(const char* name, int sync_folder);
    virtual int access(const char* name, int flags, int& found);

  private:
    sqlite3_vfs& below_;
    std::string name_;
    std::unique_ptr<sqlite3_vfs> vfs_;
};

}  // namespace dyad::sqlite
