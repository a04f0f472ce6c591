#include "store/sqlite/vfs.hpp"

#include "base/check.hpp"

#include <atomic>
#include <new>

#include <sqlite3.h>

namespace dyad::sqlite {
namespace {

struct OpenFile : sqlite3_file {
    VfsFile* file;
};

VfsFile& of(sqlite3_file* open) {
    return *static_cast<OpenFile*>(open)->file;
}
Vfs& of(sqlite3_vfs* vfs) {
    return *static_cast<Vfs*>(vfs->pAppData);
}
sqlite3_vfs* disk(sqlite3_vfs* vfs) {
    return &of(vfs).below();
}
std::uint64_t number(sqlite3_int64 value) {
    return static_cast<std::uint64_t>(value);
}

int close_file(sqlite3_file* open) {
    const int code = of(open).close();
    delete &of(open);
    return code;
}

// Version 1: no shared memory and no memory-mapped pages.
constexpr sqlite3_io_methods kMethods = {
    .iVersion = 1,
    .xClose = close_file,
    .xRead =
        [](sqlite3_file* open, void* to, int count, sqlite3_int64 at) {
            return of(open).read(static_cast<char*>(to), number(count), number(at));
        },
    .xWrite =
        [](sqlite3_file* open, const void* from, int count, sqlite3_int64 at) {
            return of(open).write(static_cast<const char*>(from), number(count), number(at));
        },
    .xTruncate = [](sqlite3_file* open,
                    sqlite3_int64 bytes) { return of(open).truncate(number(bytes)); },
    .xSync = [](sqlite3_file* open, int flags) { return of(open).sync(flags); },
    .xFileSize =
        [](sqlite3_file* open, sqlite3_int64* bytes) {
            std::int64_t size = 0;
            const int code = of(open).size(size);
            *bytes = size;
            return code;
        },
    .xLock = [](sqlite3_file* open, int level) { return of(open).lock(level); },
    .xUnlock = [](sqlite3_file* open, int level) { return of(open).unlock(level); },
    .xCheckReservedLock = [](sqlite3_file* open, int* held) { return of(open).is_locked(*held); },
    .xFileControl = [](sqlite3_file* open, int what,
                       void* argument) { return of(open).control(what, argument); },
    .xSectorSize = [](sqlite3_file* open) { return of(open).sector_bytes(); },
    .xDeviceCharacteristics = [](sqlite3_file* open) { return of(open).characteristics(); },
};

int open_file(sqlite3_vfs* vfs, const char* name, sqlite3_file* memory, int flags, int* granted) {
    memory->pMethods = nullptr;
    std::unique_ptr<VfsFile> file;
    const int code = of(vfs).open(name, flags, granted, file);
    if (code == SQLITE_OK) new (memory) OpenFile{{&kMethods}, file.release()};
    return code;
}

std::string numbered(const char* name) {
    static std::atomic<std::uint64_t> count = 0;
    return name + std::to_string(++count);
}

}  // namespace

int VfsFile::is_locked(int& held) {
    held = 0;
    return SQLITE_OK;
}
int VfsFile::control(int, void*) {
    return SQLITE_NOTFOUND;
}
int VfsFile::characteristics() {
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

Vfs::Vfs(sqlite3_vfs& below, const char* name)
    : below_(below), name_(numbered(name)), vfs_(std::make_unique<sqlite3_vfs>()) {
    *vfs_ = {
        .iVersion = 1,
        .szOsFile = sizeof(OpenFile),
        .mxPathname = below.mxPathname,
        .zName = name_.c_str(),
        .pAppData = this,
        .xOpen = open_file,
        .xDelete = [](sqlite3_vfs* vfs, const char* path,
                      int sync_folder) { return of(vfs).remove(path, sync_folder); },
        .xAccess = [](sqlite3_vfs* vfs, const char* path, int flags,
                      int* found) { return of(vfs).access(path, flags, *found); },
        .xFullPathname =
            [](sqlite3_vfs* vfs, const char* path, int bytes, char* out) {
                return disk(vfs)->xFullPathname(disk(vfs), path, bytes, out);
            },
        .xRandomness = [](sqlite3_vfs* vfs, int bytes,
                          char* out) { return disk(vfs)->xRandomness(disk(vfs), bytes, out); },
        .xSleep = [](sqlite3_vfs* vfs,
                     int microseconds) { return disk(vfs)->xSleep(disk(vfs), microseconds); },
        .xCurrentTime = [](sqlite3_vfs* vfs,
                           double* days) { return disk(vfs)->xCurrentTime(disk(vfs), days); },
        .xGetLastError = [](sqlite3_vfs* vfs, int bytes,
                            char* out) { return disk(vfs)->xGetLastError(disk(vfs), bytes, out); },
    };
    CHECK(sqlite3_vfs_register(vfs_.get(), 0) == SQLITE_OK);
}

Vfs::~Vfs() {
    sqlite3_vfs_unregister(vfs_.get());
}

int Vfs::remove(const char* name, int sync_folder) {
    return below_.xDelete(&below_, name, sync_folder);
}

int Vfs::access(const char* name, int flags, int& found) {
    return below_.xAccess(&below_, name, flags, &found);
}

}  // namespace dyad::sqlite
