#include "store/sqlite/page_vfs.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>

#include <sqlite3.h>

namespace dyad::sqlite {

struct PageVfs::Layer : sqlite3_vfs {
    sqlite3_vfs* below;
};

namespace {

// A database's file; the file of the VFS below stands behind it.
struct PageFile : sqlite3_file {
    sqlite3_int64 bytes;  // how long it may be

    sqlite3_file* below() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};
static_assert(sizeof(PageFile) % alignof(std::max_align_t) == 0);

PageFile& page_file(sqlite3_file* file) {
    return *static_cast<PageFile*>(file);
}

// The same call of the file below.
template <auto Method, class... Arguments>
int pass(sqlite3_file* file, Arguments... arguments) {
    sqlite3_file* const below = page_file(file).below();
    return (below->pMethods->*Method)(below, arguments...);
}

// Of a database, SQLite writes whole pages only.
int write_page(sqlite3_file* file, const void* data, int bytes, sqlite3_int64 at) {
    constexpr sqlite3_int64 kPagesMax = 1 << 24;  // 2^25, and what one transaction may add
    PageFile& open = page_file(file);
    open.bytes = std::max(open.bytes, at + bytes);
    if (at % bytes == 0 && open.bytes / bytes < kPagesMax)
        clear_unused(
            {static_cast<std::uint8_t*>(const_cast<void*>(data)), static_cast<std::size_t>(bytes)},
            at == 0);
    return pass<&sqlite3_io_methods::xWrite>(file, data, bytes, at);
}

using Methods = sqlite3_io_methods;
// Version 1: no shared memory and no mapped file, which one exclusive connection does not need.
const Methods kMethods = {1,
                          pass<&Methods::xClose>,
                          pass<&Methods::xRead, void*, int, sqlite3_int64>,
                          write_page,
                          pass<&Methods::xTruncate, sqlite3_int64>,
                          pass<&Methods::xSync, int>,
                          pass<&Methods::xFileSize, sqlite3_int64*>,
                          pass<&Methods::xLock, int>,
                          pass<&Methods::xUnlock, int>,
                          pass<&Methods::xCheckReservedLock, int*>,
                          pass<&Methods::xFileControl, int, void*>,
                          pass<&Methods::xSectorSize>,
                          pass<&Methods::xDeviceCharacteristics>,
                          nullptr,
                          nullptr,
                          nullptr,
                          nullptr,
                          nullptr,
                          nullptr};

int open_file(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* granted) {
    sqlite3_vfs* const below = static_cast<PageVfs::Layer*>(vfs)->below;
    if ((flags & SQLITE_OPEN_MAIN_DB) == 0) return below->xOpen(below, name, file, flags, granted);
    PageFile& open = page_file(file);
    open.pMethods = nullptr;
    int code = below->xOpen(below, name, open.below(), flags, granted);
    if (open.below()->pMethods == nullptr) return code;
    open.pMethods = &kMethods;
    if (code == SQLITE_OK) code = pass<&Methods::xFileSize>(file, &open.bytes);
    return code;
}

std::string new_name() {
    static std::atomic<unsigned> number = 0;
    return "dyad-pages-" + std::to_string(number.fetch_add(1));
}

}  // namespace

void clear_unused(std::span<std::uint8_t> page, bool is_first) {
    const std::size_t header = is_first ? 100 : 0;
    const std::uint8_t type = page[header];
    const bool is_interior = type == 2 || type == 5;
    if (!is_interior && type != 10 && type != 13) return;
    const auto number = [&](std::size_t at) {
        return std::size_t{page[header + at]} << 8 | page[header + at + 1];
    };
    const std::size_t from = header + (is_interior ? 12 : 8) + 2 * number(3);
    const std::size_t to = number(5) == 0 ? 65536 : number(5);
    if (from < to && to <= page.size()) std::memset(page.data() + from, 0, to - from);
}

PageVfs::PageVfs(const std::string& below) : name_(new_name()), layer_(std::make_unique<Layer>()) {
    sqlite3_vfs* const found = sqlite3_vfs_find(below.empty() ? nullptr : below.c_str());
    CHECK(found != nullptr);
    // Everything but opening is the same as below, with what it expects to find in its VFS.
    static_cast<sqlite3_vfs&>(*layer_) = *found;
    layer_->below = found;
    layer_->zName = name_.c_str();
    layer_->szOsFile += static_cast<int>(sizeof(PageFile));
    layer_->pNext = nullptr;
    layer_->xOpen = open_file;
    sqlite3_vfs_register(layer_.get(), 0);
}

PageVfs::~PageVfs() {
    sqlite3_vfs_unregister(layer_.get());
}

}  // namespace dyad::sqlite
