#include "store/sqlite/untouched.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <map>
#include <vector>

#include <sqlite3.h>

namespace dyad::sqlite {
namespace {

constexpr std::uint64_t kBlockBytes = 4096;

// What a name stands for: the file below, as far as nothing was written over it.
struct Layered {
    std::string name;               // the VFS below keeps a pointer into it
    std::vector<char> memory;       // of the file below
    sqlite3_file* below = nullptr;  // null: there is none
    std::uint64_t below_bytes = 0;  // of it that are still there
    std::uint64_t bytes = 0;
    std::map<std::uint64_t, std::string> written;  // whole blocks, by their number

    ~Layered() {
        if (below != nullptr && below->pMethods != nullptr) below->pMethods->xClose(below);
    }
    int read_below(std::uint64_t at, char* to, std::uint64_t count) const;
    int read(std::uint64_t at, char* to, std::uint64_t count) const;
    int write(std::uint64_t at, const char* from, std::uint64_t count);
    void resize(std::uint64_t to);
};
using LayeredPtr = std::shared_ptr<Layered>;

int Layered::read_below(std::uint64_t at, char* to, std::uint64_t count) const {
    std::memset(to, 0, count);
    if (at >= below_bytes) return SQLITE_OK;
    const auto some = static_cast<int>(std::min(count, below_bytes - at));
    return below->pMethods->xRead(below, to, some, static_cast<sqlite3_int64>(at));
}

int Layered::read(std::uint64_t at, char* to, std::uint64_t count) const {
    for (std::uint64_t done = 0; done < count;) {
        const std::uint64_t inside = (at + done) % kBlockBytes;
        const std::uint64_t some = std::min(count - done, kBlockBytes - inside);
        const auto block = written.find((at + done) / kBlockBytes);
        if (block != written.end()) {
            std::memcpy(to + done, block->second.data() + inside, some);
        } else if (const int code = read_below(at + done, to + done, some); code != SQLITE_OK) {
            return code;
        }
        done += some;
    }
    return SQLITE_OK;
}

int Layered::write(std::uint64_t at, const char* from, std::uint64_t count) {
    for (std::uint64_t done = 0; done < count;) {
        const std::uint64_t number = (at + done) / kBlockBytes;
        const std::uint64_t inside = (at + done) % kBlockBytes;
        const std::uint64_t some = std::min(count - done, kBlockBytes - inside);
        auto block = written.find(number);
        if (block == written.end()) {
            std::string bytes_of(kBlockBytes, '\0');
            if (some != kBlockBytes) {
                const int code = read_below(number * kBlockBytes, bytes_of.data(), kBlockBytes);
                if (code != SQLITE_OK) return code;
            }
            block = written.emplace(number, std::move(bytes_of)).first;
        }
        std::memcpy(block->second.data() + inside, from + done, some);
        done += some;
    }
    bytes = std::max(bytes, at + count);
    return SQLITE_OK;
}

void Layered::resize(std::uint64_t to) {
    below_bytes = std::min(below_bytes, to);
    written.erase(written.lower_bound((to + kBlockBytes - 1) / kBlockBytes), written.end());
    const auto last = written.find(to / kBlockBytes);
    if (last != written.end())
        std::fill(last->second.begin() + static_cast<std::ptrdiff_t>(to % kBlockBytes),
                  last->second.end(), '\0');
    bytes = to;
}

struct OpenFile {
    sqlite3_file base;
    LayeredPtr file;
};

Layered& of(sqlite3_file* file) {
    return *reinterpret_cast<OpenFile*>(file)->file;
}

int file_close(sqlite3_file* file) {
    reinterpret_cast<OpenFile*>(file)->file.~LayeredPtr();
    return SQLITE_OK;
}
int file_read(sqlite3_file* file, void* to, int count, sqlite3_int64 at) {
    const Layered& layered = of(file);
    const auto from = static_cast<std::uint64_t>(at), wanted = static_cast<std::uint64_t>(count);
    const std::uint64_t there = from >= layered.bytes ? 0 : std::min(wanted, layered.bytes - from);
    std::memset(to, 0, wanted);
    const int code = layered.read(from, static_cast<char*>(to), there);
    return code == SQLITE_OK && there < wanted ? SQLITE_IOERR_SHORT_READ : code;
}
int file_write(sqlite3_file* file, const void* from, int count, sqlite3_int64 at) {
    return of(file).write(static_cast<std::uint64_t>(at), static_cast<const char*>(from),
                          static_cast<std::uint64_t>(count));
}
int file_truncate(sqlite3_file* file, sqlite3_int64 bytes) {
    of(file).resize(static_cast<std::uint64_t>(bytes));
    return SQLITE_OK;
}
int file_size(sqlite3_file* file, sqlite3_int64* bytes) {
    *bytes = static_cast<sqlite3_int64>(of(file).bytes);
    return SQLITE_OK;
}
int file_nothing(sqlite3_file*, int) {
    return SQLITE_OK;
}
int file_is_locked(sqlite3_file*, int* held) {
    *held = 0;
    return SQLITE_OK;
}
int file_control(sqlite3_file*, int, void*) {
    return SQLITE_NOTFOUND;
}
int file_sector(sqlite3_file*) {
    return static_cast<int>(kBlockBytes);
}
int file_characteristics(sqlite3_file*) {
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

constexpr sqlite3_io_methods kMethods = {
    .iVersion = 1,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_nothing,
    .xFileSize = file_size,
    .xLock = file_nothing,
    .xUnlock = file_nothing,
    .xCheckReservedLock = file_is_locked,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_characteristics,
};

}  // namespace

struct UntouchedVfs::Disk {
    sqlite3_vfs* below;
    std::map<std::string, LayeredPtr> files;  // null: removed

    int exists(const char* name, int& found) const {
        const auto at = files.find(name);
        if (at == files.end()) return below->xAccess(below, name, SQLITE_ACCESS_EXISTS, &found);
        found = at->second != nullptr && at->second->bytes != 0;
        return SQLITE_OK;
    }
    int open(const char* name, int flags, LayeredPtr& file);
};

int UntouchedVfs::Disk::open(const char* name, int flags, LayeredPtr& file) {
    file = std::make_shared<Layered>();
    if (name == nullptr) return SQLITE_OK;  // a temporary file
    const auto at = files.find(name);
    if (at != files.end() && at->second != nullptr) {
        file = at->second;
        return SQLITE_OK;
    }
    int found = 0;
    if (at == files.end()) {
        const int code = below->xAccess(below, name, SQLITE_ACCESS_EXISTS, &found);
        if (code != SQLITE_OK) return code;
    }
    if (found == 0 && (flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
    if (found != 0) {
        constexpr int kChanging = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                                  SQLITE_OPEN_EXCLUSIVE | SQLITE_OPEN_DELETEONCLOSE |
                                  SQLITE_OPEN_URI;
        file->name.append(name).append(4, '\0');
        file->memory.resize(static_cast<std::size_t>(below->szOsFile));
        file->below = reinterpret_cast<sqlite3_file*>(file->memory.data());
        int code = below->xOpen(below, file->name.c_str(), file->below,
                                (flags & ~kChanging) | SQLITE_OPEN_READONLY, nullptr);
        sqlite3_int64 bytes = 0;
        if (code == SQLITE_OK) code = file->below->pMethods->xFileSize(file->below, &bytes);
        if (code != SQLITE_OK) return code;
        file->below_bytes = file->bytes = static_cast<std::uint64_t>(bytes);
    }
    files[name] = file;
    return SQLITE_OK;
}

namespace {

UntouchedVfs::Disk& disk_of(sqlite3_vfs* vfs) {
    return *static_cast<UntouchedVfs::Disk*>(vfs->pAppData);
}
sqlite3_vfs* below(sqlite3_vfs* vfs) {
    return disk_of(vfs).below;
}

int vfs_open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* granted) {
    file->pMethods = nullptr;
    LayeredPtr layered;
    const int code = disk_of(vfs).open(name, flags, layered);
    if (code != SQLITE_OK) return code;
    auto* opened = reinterpret_cast<OpenFile*>(file);
    new (&opened->file) LayeredPtr(std::move(layered));
    opened->base.pMethods = &kMethods;
    if (granted != nullptr) *granted = flags;
    return SQLITE_OK;
}
int vfs_delete(sqlite3_vfs* vfs, const char* name, int) {
    disk_of(vfs).files[name] = nullptr;
    return SQLITE_OK;
}
int vfs_access(sqlite3_vfs* vfs, const char* name, int, int* found) {
    return disk_of(vfs).exists(name, *found);
}
int vfs_full_path(sqlite3_vfs* vfs, const char* name, int bytes, char* out) {
    return below(vfs)->xFullPathname(below(vfs), name, bytes, out);
}
int vfs_randomness(sqlite3_vfs* vfs, int bytes, char* out) {
    return below(vfs)->xRandomness(below(vfs), bytes, out);
}
int vfs_sleep(sqlite3_vfs* vfs, int microseconds) {
    return below(vfs)->xSleep(below(vfs), microseconds);
}
int vfs_time(sqlite3_vfs* vfs, double* now) {
    return below(vfs)->xCurrentTime(below(vfs), now);
}
int vfs_last_error(sqlite3_vfs*, int, char*) {
    return 0;
}

}  // namespace

UntouchedVfs::UntouchedVfs(const std::string& below)
    : disk_(std::make_unique<Disk>()), vfs_(std::make_unique<sqlite3_vfs>()) {
    static std::atomic<unsigned> next{0};
    name_ = "dyad-untouched-" + std::to_string(next++);
    disk_->below = sqlite3_vfs_find(below.empty() ? nullptr : below.c_str());
    CHECK(disk_->below != nullptr);
    *vfs_ = {};
    vfs_->iVersion = 1;
    vfs_->szOsFile = sizeof(OpenFile);
    vfs_->mxPathname = disk_->below->mxPathname;
    vfs_->zName = name_.c_str();
    vfs_->pAppData = disk_.get();
    vfs_->xOpen = vfs_open;
    vfs_->xDelete = vfs_delete;
    vfs_->xAccess = vfs_access;
    vfs_->xFullPathname = vfs_full_path;
    vfs_->xRandomness = vfs_randomness;
    vfs_->xSleep = vfs_sleep;
    vfs_->xCurrentTime = vfs_time;
    vfs_->xGetLastError = vfs_last_error;
    sqlite3_vfs_register(vfs_.get(), 0);
}

UntouchedVfs::~UntouchedVfs() {
    sqlite3_vfs_unregister(vfs_.get());
}

}  // namespace dyad::sqlite
