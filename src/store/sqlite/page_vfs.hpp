// A VFS of SQLite over another, through which the pages of a database go to the disk and come back.
//
// Every page is sealed when it is written and checked when it is read (seal.hpp). One that does not
// verify is an error of the read: it is never served and never written back.
//
// When SQLite moves the cells of a b-tree from page to page it leaves copies of them in the unused
// middle of the pages they came from; `secure_delete` does not see those. So the middle is zeroed
// when a page is written, there and in SQLite's cache.
//
// Every way in which a disk says that it has no room (a quota, a limit on files) is SQLITE_FULL.
#pragma once

#include "store/sqlite/vfs.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace dyad::sqlite {

class PageVfs final : public Vfs {
  public:
    // `store_id`: of databases that are made. Without `seals`, they are made without them, as once.
    PageVfs(sqlite3_vfs& below, std::uint64_t store_id, bool seals = true)
        : Vfs(below, "dyad-pages-"), store_id_(store_id), seals_(seals) {}

    int open(const char* name, int flags, int* granted, std::unique_ptr<VfsFile>& file) override;

    // A database that was opened is one of before there were seals: it is read and written as it
    // is.
    bool is_plain() const noexcept { return plain_; }
    std::uint64_t store_id() const noexcept { return store_id_; }
    void set_store_id(std::uint64_t id) noexcept { store_id_ = id; }

    // Pages that are written are of transaction `writing`; those that are read must be of one up to
    // `readable`.
    void set_transactions(std::uint64_t writing, std::uint64_t readable) noexcept {
        writing_ = writing;
        readable_ = readable;
    }
    // What was wrong with the page that could not be read last: "page 7 (from byte 24576): ...".
    const std::string& problem() const noexcept { return problem_; }

  private:
    class File;

    std::uint64_t store_id_;
    bool seals_;
    std::uint64_t writing_ = 0;
    std::uint64_t readable_ = UINT64_MAX;
    bool plain_ = false;
    std::string problem_;
};

// Zeroes what a page has between the pointers to its cells and the cells. Other pages than those of
// b-trees, which begin with the number of a page, are left as they are: requires numbers below
// 2^25.
void clear_unused(std::span<std::uint8_t> page, bool is_first);

}  // namespace dyad::sqlite
