// A file beside the database, read and written through the database's own VFS: whatever stands
// between SQLite and the disk (in tests, a disk that loses power) stands under the journal too.
// Threads: one owner.
#pragma once

#include "base/pages.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

struct sqlite3_vfs;
struct sqlite3_file;

namespace dyad::sqlite {

// Empty: SQLite's own. Requires: there is one of that name.
sqlite3_vfs& find_vfs(const std::string& name);

class File {
  public:
    // The file gets the database's permissions; a new one's first sync also makes its name durable.
    // Requires: `path` is the path of an existing database, a '-' and a word.
    // Errors: storage_unavailable.
    static Result<std::unique_ptr<File>> open(sqlite3_vfs& vfs, std::string path, bool create);

    // How long it is; nothing where there is none. Errors: storage_unavailable where there is
    // something that cannot be opened as a file.
    static Result<std::optional<std::uint64_t>> look(sqlite3_vfs& vfs, const std::string& path);

    // The first `bytes` of a file, fewer where it ends. Errors: those of open().
    static Result<std::string> load(sqlite3_vfs& vfs, std::string path,
                                    std::size_t bytes = SIZE_MAX);

    ~File();
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    Result<std::uint64_t> size() const;
    // The `bytes` at `at`; fewer where the file ends.
    Result<std::string> read(std::uint64_t at, std::size_t bytes) const;
    Result<Pages> read_all() const;
    // Errors: storage_full, storage_unavailable.
    Status write(std::uint64_t at, std::string_view bytes);
    Status truncate(std::uint64_t bytes);
    // Returns once everything written is durable.
    Status sync();
    const char* path() const noexcept { return path_.c_str(); }

  private:
    // Requires: the file does not end before.
    Status read(std::uint64_t at, std::span<char> out) const;
    explicit File(std::string path);

    std::string path_;  // with the further zero bytes that a VFS expects behind a name
    std::unique_ptr<char[]> memory_;
    sqlite3_file* file_ = nullptr;
};

}  // namespace dyad::sqlite
