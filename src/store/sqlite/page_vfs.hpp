// A VFS over another one, through which the pages of a database go to the disk.
//
// When SQLite moves the cells of a b-tree from page to page it leaves copies of them in the unused
// middle of the pages they came from; `secure_delete` does not see those. So the middle is zeroed
// when a page is written, there and in SQLite's cache.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace dyad::sqlite {

// Lifetime: registered for as long as it lives; outlives the files that are opened through it.
class PageVfs {
  public:
    // Over the VFS of this name; over SQLite's own where it is empty.
    explicit PageVfs(const std::string& below);
    ~PageVfs();
    PageVfs(const PageVfs&) = delete;
    PageVfs& operator=(const PageVfs&) = delete;

    const std::string& name() const noexcept { return name_; }

    struct Layer;

  private:
    std::string name_;
    std::unique_ptr<Layer> layer_;
};

// Zeroes what a page has between the pointers to its cells and the cells. Other pages than those of
// b-trees, which begin with the number of a page, are left as they are: requires numbers below
// 2^25.
void clear_unused(std::span<std::uint8_t> page, bool is_first);

}  // namespace dyad::sqlite
