#include "store/sqlite/page_vfs.hpp"

#include "base/check.hpp"
#include "store/sqlite/database_header.hpp"
#include "store/sqlite/schema.hpp"
#include "store/sqlite/seal.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>

#include <sqlite3.h>

namespace dyad::sqlite {

struct PageVfs::File : sqlite3_file {
    PageVfs* vfs = nullptr;
    sqlite3_file* below = nullptr;
    bool is_database = false;
    bool is_plain = false;
    std::size_t page_bytes = 0;  // 0: not known yet
    std::uint64_t highest = 0;   // page that it may have
    std::string page;            // read whole where a part was asked for

    bool is_sealed() const noexcept { return is_database && !is_plain; }
    int read_below(char* out, std::size_t bytes, std::uint64_t at) {
        return below->pMethods->xRead(below, out, static_cast<int>(bytes),
                                      static_cast<sqlite3_int64>(at));
    }
    int look_at_header();
    int read_page(char* out, std::uint64_t number);
    int read_part(char* out, std::size_t bytes, std::uint64_t at);
    void seal_page(std::span<char> page, std::uint64_t number);
    int refuse(std::uint64_t number, const char* why);
};

namespace {

// Where the file below begins in the memory of a File.
constexpr std::size_t kBelowAt = (sizeof(PageVfs::File) + 15) / 16 * 16;

PageVfs::File& as_file(sqlite3_file* file) {
    return *static_cast<PageVfs::File*>(file);
}

// SQLite's own VFS says SQLITE_FULL for ENOSPC only.
bool means_full(int system_error) {
    return system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG;
}
int or_full(PageVfs::File& file, int code) {
    int system_error = 0;
    if (code == SQLITE_OK || code == SQLITE_FULL) return code;
    const int asked =
        file.below->pMethods->xFileControl(file.below, SQLITE_FCNTL_LAST_ERRNO, &system_error);
    return asked == SQLITE_OK && means_full(system_error) ? SQLITE_FULL : code;
}

int file_close(sqlite3_file* base) {
    PageVfs::File& file = as_file(base);
    const int code = file.below->pMethods->xClose(file.below);
    file.~File();
    return code;
}

int file_read(sqlite3_file* base, void* out, int bytes, sqlite3_int64 at) {
    PageVfs::File& file = as_file(base);
    // Before SQLite has rolled back what was interrupted, it looks for the size of the pages.
    const bool looks_at_header = at == 0 && bytes == static_cast<int>(DatabaseHeader::kBytes);
    const auto begin = static_cast<std::uint64_t>(at);
    const auto count = static_cast<std::size_t>(bytes);
    auto* to = static_cast<char*>(out);
    if (!file.is_sealed() || looks_at_header || file.page_bytes == 0)
        return file.read_below(to, count, begin);
    if (count == file.page_bytes && begin % count == 0)
        return file.read_page(to, begin / count + 1);
    return file.read_part(to, count, begin);
}

int file_write(sqlite3_file* base, const void* in, int bytes, sqlite3_int64 at) {
    PageVfs::File& file = as_file(base);
    if (file.is_sealed()) {
        const auto count = static_cast<std::size_t>(bytes);
        const auto begin = static_cast<std::uint64_t>(at);
        if (file.page_bytes == 0) file.page_bytes = count;
        CHECK(count == file.page_bytes && begin % count == 0);
        file.seal_page({static_cast<char*>(const_cast<void*>(in)), count}, begin / count + 1);
    }
    return or_full(file, file.below->pMethods->xWrite(file.below, in, bytes, at));
}

int file_truncate(sqlite3_file* base, sqlite3_int64 bytes) {
    PageVfs::File& file = as_file(base);
    if (bytes == 0 && file.is_database) {  // what was begun is rolled back
        file.page_bytes = 0;
        file.is_plain = false;
    }
    return or_full(file, file.below->pMethods->xTruncate(file.below, bytes));
}

int file_sync(sqlite3_file* base, int flags) {
    return as_file(base).below->pMethods->xSync(as_file(base).below, flags);
}

int file_size(sqlite3_file* base, sqlite3_int64* bytes) {
    return as_file(base).below->pMethods->xFileSize(as_file(base).below, bytes);
}

int file_lock(sqlite3_file* base, int level) {
    return as_file(base).below->pMethods->xLock(as_file(base).below, level);
}

int file_unlock(sqlite3_file* base, int level) {
    return as_file(base).below->pMethods->xUnlock(as_file(base).below, level);
}

int file_check_reserved(sqlite3_file* base, int* held) {
    return as_file(base).below->pMethods->xCheckReservedLock(as_file(base).below, held);
}

int file_control(sqlite3_file* base, int what, void* argument) {
    return as_file(base).below->pMethods->xFileControl(as_file(base).below, what, argument);
}

int file_sector_size(sqlite3_file* base) {
    return as_file(base).below->pMethods->xSectorSize(as_file(base).below);
}

// Of what a disk can do only what does not go round xRead and xWrite.
int file_characteristics(sqlite3_file* base) {
    return as_file(base).below->pMethods->xDeviceCharacteristics(as_file(base).below) &
           SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

// Version 1: no shared memory and no memory-mapped pages.
const sqlite3_io_methods kMethods = {1,
                                     file_close,
                                     file_read,
                                     file_write,
                                     file_truncate,
                                     file_sync,
                                     file_size,
                                     file_lock,
                                     file_unlock,
                                     file_check_reserved,
                                     file_control,
                                     file_sector_size,
                                     file_characteristics,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr};

PageVfs& as_vfs(sqlite3_vfs* vfs) {
    return *static_cast<PageVfs*>(vfs->pAppData);
}

int vfs_open(sqlite3_vfs* base, const char* name, sqlite3_file* memory, int flags, int* granted) {
    memory->pMethods = nullptr;
    sqlite3_vfs& below = as_vfs(base).below();
    auto* file_below = reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(memory) + kBelowAt);
    file_below->pMethods = nullptr;
    int code = below.xOpen(&below, name, file_below, flags, granted);
    if (code != SQLITE_OK) {
        const bool creates = (flags & SQLITE_OPEN_CREATE) != 0;
        if (creates && means_full(below.xGetLastError(&below, 0, nullptr))) code = SQLITE_FULL;
        if (file_below->pMethods != nullptr) file_below->pMethods->xClose(file_below);
        return code;
    }
    auto* file = new (memory) PageVfs::File();
    file->pMethods = &kMethods;
    file->vfs = &as_vfs(base);
    file->below = file_below;
    file->is_database = (flags & SQLITE_OPEN_MAIN_DB) != 0;
    if (!file->is_database) return SQLITE_OK;
    code = file->look_at_header();
    if (code != SQLITE_OK) {
        file_close(file);
        memory->pMethods = nullptr;
    }
    return code;
}

int vfs_delete(sqlite3_vfs* base, const char* name, int sync_folder) {
    sqlite3_vfs& below = as_vfs(base).below();
    return below.xDelete(&below, name, sync_folder);
}

int vfs_access(sqlite3_vfs* base, const char* name, int flags, int* out) {
    sqlite3_vfs& below = as_vfs(base).below();
    return below.xAccess(&below, name, flags, out);
}

int vfs_full_path(sqlite3_vfs* base, const char* name, int bytes, char* out) {
    sqlite3_vfs& below = as_vfs(base).below();
    return below.xFullPathname(&below, name, bytes, out);
}

int vfs_randomness(sqlite3_vfs* base, int bytes, char* out) {
    sqlite3_vfs& below = as_vfs(base).below();
    return below.xRandomness(&below, bytes, out);
}

int vfs_sleep(sqlite3_vfs* base, int microseconds) {
    sqlite3_vfs& below = as_vfs(base).below();
    return below.xSleep(&below, microseconds);
}

int vfs_time(sqlite3_vfs* base, double* days) {
    sqlite3_vfs& below = as_vfs(base).below();
    return below.xCurrentTime(&below, days);
}

int vfs_last_error(sqlite3_vfs* base, int bytes, char* out) {
    sqlite3_vfs& below = as_vfs(base).below();
    return below.xGetLastError(&below, bytes, out);
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

int PageVfs::File::look_at_header() {
    char bytes[DatabaseHeader::kBytes] = {};
    sqlite3_int64 size = 0;
    int code = below->pMethods->xFileSize(below, &size);
    is_plain = !vfs->seals_;
    if (code != SQLITE_OK || size == 0) return code;
    code = read_below(bytes, sizeof bytes, 0);
    if (code == SQLITE_IOERR_SHORT_READ) code = SQLITE_OK;
    if (code != SQLITE_OK) return code;
    const DatabaseHeader header = read_database_header({bytes, sizeof bytes});
    if (!header.is_database) return SQLITE_OK;  // SQLite refuses it, or rolls it back to nothing
    page_bytes = header.page_bytes;
    highest = static_cast<std::uint64_t>(size) / page_bytes;
    is_plain = header.reserved_bytes != kSealBytes && header.user_version < kSealedSince;
    if (is_plain) vfs->plain_ = true;
    std::string first(page_bytes, '\0');
    if (read_below(first.data(), first.size(), 0) != SQLITE_OK) return SQLITE_OK;
    if (const auto seal = read_seal(first, 1)) vfs->store_id_ = seal->store_id;
    return SQLITE_OK;
}

int PageVfs::File::read_page(char* out, std::uint64_t number) {
    const int code = read_below(out, page_bytes, (number - 1) * page_bytes);
    if (code != SQLITE_OK) return code;
    const auto seal = read_seal({out, page_bytes}, number);
    if (!seal)
        return refuse(number,
                      "it is not as it was written: the disk or another program "
                      "changed it");
    if (number == 1) vfs->store_id_ = seal->store_id;
    if (seal->store_id != vfs->store_id_) return refuse(number, "it is of another store");
    if (seal->transaction > vfs->readable_)
        return refuse(number, "it is of a transaction that never ended");
    return SQLITE_OK;
}

// SQLite's own copy of the page is changed with it: that is what a rollback journal will keep.
// A page that has its seal already is one that comes back from there.
void PageVfs::File::seal_page(std::span<char> page_to_seal, std::uint64_t number) {
    constexpr std::uint64_t kPagesMax = 1 << 24;  // 2^25, and what one transaction may add
    if (read_seal({page_to_seal.data(), page_to_seal.size()}, number)) return;
    highest = std::max(highest, number);
    if (highest < kPagesMax)
        clear_unused({reinterpret_cast<std::uint8_t*>(page_to_seal.data()), page_to_seal.size()},
                     number == 1);
    write_seal(page_to_seal, number, vfs->seal());
}

int PageVfs::File::read_part(char* out, std::size_t bytes, std::uint64_t at) {
    page.resize(page_bytes);
    while (bytes != 0) {
        const std::size_t from = at % page_bytes;
        const std::size_t count = std::min(bytes, page_bytes - from);
        const int code = read_page(page.data(), at / page_bytes + 1);
        if (code != SQLITE_OK) return code;
        std::memcpy(out, page.data() + from, count);
        out += count;
        at += count;
        bytes -= count;
    }
    return SQLITE_OK;
}

int PageVfs::File::refuse(std::uint64_t number, const char* why) {
    vfs->problem_ = "page " + std::to_string(number) + " (from byte " +
                    std::to_string((number - 1) * page_bytes) + "): " + why;
    return SQLITE_IOERR_DATA;
}

PageVfs::PageVfs(sqlite3_vfs& below, std::uint64_t store_id, bool seals)
    : below_(below), vfs_(std::make_unique<sqlite3_vfs>()), store_id_(store_id), seals_(seals) {
    static std::atomic<std::uint64_t> count = 0;
    name_ = "dyad-pages-" + std::to_string(++count);
    *vfs_ = {};
    vfs_->iVersion = 1;
    vfs_->szOsFile = static_cast<int>(kBelowAt) + below.szOsFile;
    vfs_->mxPathname = below.mxPathname;
    vfs_->zName = name_.c_str();
    vfs_->pAppData = this;
    vfs_->xOpen = vfs_open;
    vfs_->xDelete = vfs_delete;
    vfs_->xAccess = vfs_access;
    vfs_->xFullPathname = vfs_full_path;
    vfs_->xRandomness = vfs_randomness;
    vfs_->xSleep = vfs_sleep;
    vfs_->xCurrentTime = vfs_time;
    vfs_->xGetLastError = vfs_last_error;
    CHECK(sqlite3_vfs_register(vfs_.get(), 0) == SQLITE_OK);
}

PageVfs::~PageVfs() {
    sqlite3_vfs_unregister(vfs_.get());
}

Seal PageVfs::seal() const noexcept {
    return {.store_id = store_id_, .transaction = writing_};
}

}  // namespace dyad::sqlite
