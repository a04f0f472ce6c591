#include "store/sqlite/page_vfs.hpp"

#include "base/check.hpp"
#include "store/sqlite/database_header.hpp"
#include "store/sqlite/schema.hpp"
#include "store/sqlite/seal.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <sqlite3.h>

namespace dyad::sqlite {
namespace {

// SQLite's own VFS says SQLITE_FULL for ENOSPC only.
bool means_full(int system_error) {
    return system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG;
}

}  // namespace

class PageVfs::File final : public VfsFile {
  public:
    explicit File(PageVfs& vfs)
        : vfs_(vfs),
          memory_(new char[static_cast<std::size_t>(vfs.below().szOsFile)]()),
          below_(reinterpret_cast<sqlite3_file*>(memory_.get())) {}
    ~File() override {
        if (below_->pMethods != nullptr) below_->pMethods->xClose(below_);
    }

    int open(const char* name, int flags, int* granted);

    int read(char* to, std::uint64_t count, std::uint64_t at) override;
    int write(const char* from, std::uint64_t count, std::uint64_t at) override;
    int truncate(std::uint64_t bytes) override;
    int size(std::int64_t& bytes) override {
        sqlite3_int64 size = 0;
        const int code = on_disk().xFileSize(below_, &size);
        bytes = size;
        return code;
    }
    int sync(int flags) override { return on_disk().xSync(below_, flags); }
    int lock(int level) override { return on_disk().xLock(below_, level); }
    int unlock(int level) override { return on_disk().xUnlock(below_, level); }
    int is_locked(int& held) override { return on_disk().xCheckReservedLock(below_, &held); }
    int control(int what, void* argument) override {
        return on_disk().xFileControl(below_, what, argument);
    }
    int sector_bytes() override { return on_disk().xSectorSize(below_); }
    // Of what a disk can do only what does not go round read() and write().
    int characteristics() override {
        return on_disk().xDeviceCharacteristics(below_) & SQLITE_IOCAP_POWERSAFE_OVERWRITE;
    }
    int close() override {
        const int code = on_disk().xClose(below_);
        below_->pMethods = nullptr;
        return code;
    }

  private:
    const sqlite3_io_methods& on_disk() const noexcept { return *below_->pMethods; }
    bool is_sealed() const noexcept { return is_database_ && !is_plain_; }
    int read_below(char* out, std::size_t bytes, std::uint64_t at) {
        return on_disk().xRead(below_, out, static_cast<int>(bytes),
                               static_cast<sqlite3_int64>(at));
    }
    int or_full(int code);
    int look_at_header();
    int read_page(char* out, std::uint64_t number);
    int read_part(char* out, std::size_t bytes, std::uint64_t at);
    void seal_page(std::span<char> page, std::uint64_t number);
    int refuse(std::uint64_t number, const char* why);

    PageVfs& vfs_;
    std::unique_ptr<char[]> memory_;
    sqlite3_file* below_;  // in it
    bool is_database_ = false;
    bool is_plain_ = false;
    std::size_t page_bytes_ = 0;  // 0: not known yet
    std::uint64_t highest_ = 0;   // page that it may have
    std::string page_;            // read whole where a part was asked for
};

int PageVfs::open(const char* name, int flags, int* granted, std::unique_ptr<VfsFile>& file) {
    auto opened = std::make_unique<File>(*this);
    const int code = opened->open(name, flags, granted);
    if (code == SQLITE_OK) file = std::move(opened);
    return code;
}

int PageVfs::File::open(const char* name, int flags, int* granted) {
    sqlite3_vfs& disk = vfs_.below();
    const int code = disk.xOpen(&disk, name, below_, flags, granted);
    is_database_ = (flags & SQLITE_OPEN_MAIN_DB) != 0;
    if (code == SQLITE_OK) return is_database_ ? look_at_header() : code;
    const bool creates = (flags & SQLITE_OPEN_CREATE) != 0;
    return creates && means_full(disk.xGetLastError(&disk, 0, nullptr)) ? SQLITE_FULL : code;
}

int PageVfs::File::or_full(int code) {
    int system_error = 0;
    if (code == SQLITE_OK || code == SQLITE_FULL) return code;
    const int asked = control(SQLITE_FCNTL_LAST_ERRNO, &system_error);
    return asked == SQLITE_OK && means_full(system_error) ? SQLITE_FULL : code;
}

int PageVfs::File::read(char* to, std::uint64_t count, std::uint64_t at) {
    // Before SQLite has rolled back what was interrupted, it looks for the size of the pages.
    const bool looks_at_header = at == 0 && count == DatabaseHeader::kBytes;
    if (!is_sealed() || looks_at_header || page_bytes_ == 0) return read_below(to, count, at);
    if (count == page_bytes_ && at % count == 0) return read_page(to, at / count + 1);
    return read_part(to, count, at);
}

int PageVfs::File::write(const char* from, std::uint64_t count, std::uint64_t at) {
    if (is_sealed()) {
        if (page_bytes_ == 0) page_bytes_ = count;
        CHECK(count == page_bytes_ && at % count == 0);
        seal_page({const_cast<char*>(from), count}, at / count + 1);
    }
    return or_full(
        on_disk().xWrite(below_, from, static_cast<int>(count), static_cast<sqlite3_int64>(at)));
}

int PageVfs::File::truncate(std::uint64_t bytes) {
    if (bytes == 0 && is_database_) {  // what was begun is rolled back
        page_bytes_ = 0;
        is_plain_ = false;
    }
    return or_full(on_disk().xTruncate(below_, static_cast<sqlite3_int64>(bytes)));
}

int PageVfs::File::look_at_header() {
    char bytes[DatabaseHeader::kBytes] = {};
    sqlite3_int64 size = 0;
    int code = below_->pMethods->xFileSize(below_, &size);
    is_plain_ = !vfs_.seals_;
    if (code != SQLITE_OK || size == 0) return code;
    code = read_below(bytes, sizeof bytes, 0);
    if (code == SQLITE_IOERR_SHORT_READ) code = SQLITE_OK;
    if (code != SQLITE_OK) return code;
    const DatabaseHeader header = read_database_header({bytes, sizeof bytes});
    if (!header.is_database) return SQLITE_OK;  // SQLite refuses it, or rolls it back to nothing
    page_bytes_ = header.page_bytes;
    highest_ = static_cast<std::uint64_t>(size) / page_bytes_;
    is_plain_ = header.reserved_bytes != kSealBytes && header.user_version < kSealedSince;
    if (is_plain_) vfs_.plain_ = true;
    std::string first(page_bytes_, '\0');
    if (read_below(first.data(), first.size(), 0) != SQLITE_OK) return SQLITE_OK;
    if (const auto seal = read_seal(first, 1)) vfs_.store_id_ = seal->store_id;
    return SQLITE_OK;
}

int PageVfs::File::read_page(char* out, std::uint64_t number) {
    const int code = read_below(out, page_bytes_, (number - 1) * page_bytes_);
    if (code != SQLITE_OK) return code;
    const auto seal = read_seal({out, page_bytes_}, number);
    if (!seal)
        return refuse(number,
                      "it is not as it was written: the disk or another program "
                      "changed it");
    if (number == 1) vfs_.store_id_ = seal->store_id;
    if (seal->store_id != vfs_.store_id_) return refuse(number, "it is of another store");
    if (seal->transaction > vfs_.readable_)
        return refuse(number, "it is of a transaction that never ended");
    return SQLITE_OK;
}

// SQLite's own copy of the page is changed with it: that is what a rollback journal will keep.
// A page that has its seal already is one that comes back from there.
void PageVfs::File::seal_page(std::span<char> page_to_seal, std::uint64_t number) {
    constexpr std::uint64_t kPagesMax = 1 << 24;  // 2^25, and what one transaction may add
    if (read_seal({page_to_seal.data(), page_to_seal.size()}, number)) return;
    highest_ = std::max(highest_, number);
    if (highest_ < kPagesMax)
        clear_unused({reinterpret_cast<std::uint8_t*>(page_to_seal.data()), page_to_seal.size()},
                     number == 1);
    write_seal(page_to_seal, number, {.store_id = vfs_.store_id_, .transaction = vfs_.writing_});
}

int PageVfs::File::read_part(char* out, std::size_t bytes, std::uint64_t at) {
    page_.resize(page_bytes_);
    while (bytes != 0) {
        const std::size_t from = at % page_bytes_;
        const std::size_t count = std::min(bytes, page_bytes_ - from);
        const int code = read_page(page_.data(), at / page_bytes_ + 1);
        if (code != SQLITE_OK) return code;
        std::memcpy(out, page_.data() + from, count);
        out += count;
        at += count;
        bytes -= count;
    }
    return SQLITE_OK;
}

int PageVfs::File::refuse(std::uint64_t number, const char* why) {
    vfs_.problem_ = "page " + std::to_string(number) + " (from byte " +
                    std::to_string((number - 1) * page_bytes_) + "): " + why;
    return SQLITE_IOERR_DATA;
}

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

}  // namespace dyad::sqlite
