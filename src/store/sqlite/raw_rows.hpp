// The rows of a database read page by page, without its trees: what SQLite would not reach any more
// behind a damaged page is found all the same. (SQLite file format, 1.6 and 2.1.)
//
// Every leaf page is looked at, whatever points to it. That is right for databases of this product
// only: the SQLite of every supported system overwrites what it frees with zeros (SECURE_DELETE),
// so that no page holds rows that were deleted.
//
// Threads: one owner.
#pragma once

#include "base/result.hpp"
#include "store/sqlite/file.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::sqlite {

struct RawValue {
    enum class Kind : std::uint8_t { null, integer, real, text, blob };
    Kind kind = Kind::null;
    std::int64_t number = 0;
    std::string bytes;
};

struct RawRow {
    std::int64_t rowid = 0;  // 0 in an index and in a table without rowids
    bool in_table = false;   // with rowids
    bool sound = true;       // nothing speaks against any of its pages
    std::vector<RawValue> values;

    // What each value is, a letter each: n, i, r, t, b.
    std::string shape() const;
};

// Where a row stands.
struct RawPlace {
    std::uint32_t page = 0;
    std::uint32_t at = 0;  // in the page
};

class RawRows {
  public:
    // Errors: storage_unavailable.
    static Result<std::unique_ptr<RawRows>> open(sqlite3_vfs& vfs, const std::string& path);

    std::uint32_t pages() const noexcept { return pages_; }
    // Calls `visit` for each row of a page, with the beginning of its values: as much as stands in
    // the page itself.
    using Visitor = std::function<void(const RawRow&, RawPlace)>;
    void visit_page(std::uint32_t number, const Visitor& visit);
    // The whole row; nothing where it is not one any more.
    std::optional<RawRow> read(RawPlace place);
    // The pages visited or read so far that are not as they were written, and why.
    const std::vector<std::pair<std::uint32_t, std::string>>& damaged() const noexcept {
        return damaged_;
    }

  private:
    struct Page {
        std::string bytes;
        bool sound = false;
        std::size_t begin = 0;  // of its header
    };
    struct Cell {
        std::uint64_t payload_bytes = 0;
        std::int64_t rowid = 0;
        bool in_table = false;
        std::string_view local;
        std::uint32_t overflow = 0;
    };
    explicit RawRows(std::unique_ptr<File> file) : file_(std::move(file)) {}
    const Page& page(std::uint32_t number);
    void blame(std::uint32_t number, const std::string& why);
    std::optional<Cell> cell_at(const Page& page, std::size_t at) const;
    bool read_overflow(const Cell& cell, std::string& payload);

    std::unique_ptr<File> file_;
    std::size_t page_bytes_ = 4096;
    std::size_t usable_bytes_ = 4096;
    std::uint32_t pages_ = 0;
    std::vector<std::pair<std::uint32_t, Page>> cache_;  // a few, the newest last
    std::vector<std::pair<std::uint32_t, std::string>> damaged_;
    std::vector<bool> blamed_;
};

}  // namespace dyad::sqlite
