#include "support/fault_vfs.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include <sqlite3.h>

namespace dyad::test {
namespace {

struct OpenFile : sqlite3_file {
    FaultDisk* disk;
    std::shared_ptr<FaultDisk::Inode> inode;
    std::string delete_on_close;
    FaultDisk::Kind kind;
    bool is_first;  // its next sync makes its name durable
};

OpenFile& as_open(sqlite3_file* file) {
    return *static_cast<OpenFile*>(file);
}

int file_close(sqlite3_file* file) {
    OpenFile& open = as_open(file);
    if (!open.delete_on_close.empty()) open.disk->remove(open.delete_on_close);
    open.~OpenFile();
    return SQLITE_OK;
}

int file_read(sqlite3_file* file, void* out, int bytes, sqlite3_int64 at) {
    const std::string& shown = as_open(file).inode->shown;
    const auto from = static_cast<std::size_t>(at);
    const auto wanted = static_cast<std::size_t>(bytes);
    const std::size_t there = from >= shown.size() ? 0 : std::min(wanted, shown.size() - from);
    if (there != 0) std::memcpy(out, shown.data() + from, there);
    std::memset(static_cast<char*>(out) + there, 0, wanted - there);
    return there == wanted ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

int file_write(sqlite3_file* file, const void* in, int bytes, sqlite3_int64 at) {
    OpenFile& open = as_open(file);
    return open.disk->write(*open.inode, static_cast<std::size_t>(at),
                            {static_cast<const char*>(in), static_cast<std::size_t>(bytes)});
}

int file_truncate(sqlite3_file* file, sqlite3_int64 bytes) {
    OpenFile& open = as_open(file);
    return open.disk->truncate(*open.inode, static_cast<std::size_t>(bytes));
}

int file_sync(sqlite3_file* file, int) {
    OpenFile& open = as_open(file);
    const int code = open.disk->sync(*open.inode, open.kind, open.is_first);
    if (code == SQLITE_OK) open.is_first = false;
    return code;
}

int file_size(sqlite3_file* file, sqlite3_int64* bytes) {
    *bytes = static_cast<sqlite3_int64>(as_open(file).inode->shown.size());
    return SQLITE_OK;
}

int file_lock(sqlite3_file*, int) {
    return SQLITE_OK;
}

int file_check_reserved(sqlite3_file*, int* held) {
    *held = 0;
    return SQLITE_OK;
}

int file_control(sqlite3_file*, int, void*) {
    return SQLITE_NOTFOUND;
}

int file_sector_size(sqlite3_file*) {
    return FaultDisk::kSectorBytes;
}

int file_characteristics(sqlite3_file*) {
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;  // what SQLite takes for granted on Unix
}

// Version 1: no shared memory, which one exclusive connection does not need.
const sqlite3_io_methods kMethods = {1,
                                     file_close,
                                     file_read,
                                     file_write,
                                     file_truncate,
                                     file_sync,
                                     file_size,
                                     file_lock,
                                     file_lock,
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

FaultDisk& disk_of(sqlite3_vfs* vfs) {
    return *static_cast<FaultDisk*>(vfs->pAppData);
}

int vfs_open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* granted) {
    file->pMethods = nullptr;
    FaultDisk& disk = disk_of(vfs);
    const std::string path = name == nullptr ? "temporary" : name;
    std::shared_ptr<FaultDisk::Inode> inode = disk.find(path);
    const bool creates = inode == nullptr;
    if (creates) {
        if ((flags & SQLITE_OPEN_CREATE) == 0 || disk.dead) return SQLITE_CANTOPEN;
        inode = disk.create(path);
    }
    auto* open = new (file) OpenFile();
    open->pMethods = &kMethods;
    open->disk = &disk;
    open->inode = std::move(inode);
    if ((flags & SQLITE_OPEN_DELETEONCLOSE) != 0) open->delete_on_close = path;
    open->kind = path.find("-log") != std::string::npos ? FaultDisk::Kind::journal
                 : path.ends_with("-journal")           ? FaultDisk::Kind::rollback_journal
                                                        : FaultDisk::Kind::database;
    open->is_first =
        creates &&
        (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL)) != 0;
    if (granted != nullptr) *granted = flags;
    return SQLITE_OK;
}

int vfs_delete(sqlite3_vfs* vfs, const char* name, int) {
    FaultDisk& disk = disk_of(vfs);
    if (disk.dead) return SQLITE_IOERR_DELETE;
    if (disk.find(name) == nullptr) return SQLITE_IOERR_DELETE_NOENT;
    disk.remove(name);
    return SQLITE_OK;
}

int vfs_access(sqlite3_vfs* vfs, const char* name, int flags, int* out) {
    const auto inode = disk_of(vfs).find(name);
    *out = inode != nullptr && (flags != SQLITE_ACCESS_EXISTS || !inode->shown.empty());
    return SQLITE_OK;
}

int vfs_full_path(sqlite3_vfs*, const char* name, int bytes, char* out) {
    sqlite3_snprintf(bytes, out, "%s", name);
    return SQLITE_OK;
}

int vfs_randomness(sqlite3_vfs*, int bytes, char* out) {
    std::memset(out, 0x5a, static_cast<std::size_t>(bytes));  // the same in every run
    return bytes;
}

int vfs_sleep(sqlite3_vfs*, int) {
    return 0;
}

int vfs_time(sqlite3_vfs*, double* days) {
    *days = 2460000.5;
    return SQLITE_OK;
}

int vfs_last_error(sqlite3_vfs*, int, char*) {
    return 0;
}

}  // namespace

std::shared_ptr<FaultDisk::Inode> FaultDisk::find(const std::string& name) const {
    const auto at = names_.find(name);
    return at == names_.end() ? nullptr : at->second;
}

std::shared_ptr<FaultDisk::Inode> FaultDisk::create(const std::string& name) {
    if (before_change) before_change();
    auto inode = std::make_shared<Inode>();
    names_[name] = inode;
    name_changes_.push_back({name, inode});
    return inode;
}

void FaultDisk::remove(const std::string& name) {
    if (before_change) before_change();
    names_.erase(name);
    name_changes_.push_back({name, nullptr});
}

std::size_t FaultDisk::used_bytes() const {
    std::size_t bytes = 0;
    for (const auto& [name, inode] : names_)
        bytes += inode->shown.size();
    return bytes;
}

// Remembers the sectors of [from, to) as they are shown now.
void FaultDisk::note(Inode& inode, std::size_t from, std::size_t to) {
    for (std::size_t sector = from / kSectorBytes; sector * kSectorBytes < to; ++sector) {
        std::string bytes = sector * kSectorBytes < inode.shown.size()
                                ? inode.shown.substr(sector * kSectorBytes, kSectorBytes)
                                : std::string();
        bytes.resize(kSectorBytes, '\0');
        inode.pending[sector].push_back(std::move(bytes));
    }
}

int FaultDisk::write(Inode& inode, std::size_t at, std::string_view bytes) {
    if (dead) return SQLITE_IOERR_WRITE;
    if (before_change) before_change();
    const std::size_t end = at + bytes.size();
    if (end > inode.shown.size()) {
        if (used_bytes() + (end - inode.shown.size()) > capacity_bytes) return SQLITE_FULL;
        inode.shown.resize(end, '\0');
    } else if (flaw == Flaw::rewrite_skipped &&
               std::string_view(inode.shown).substr(at, bytes.size()) == bytes) {
        return SQLITE_OK;
    }
    ++writes_;
    inode.shown.replace(at, bytes.size(), bytes);
    note(inode, at, end);
    return SQLITE_OK;
}

int FaultDisk::truncate(Inode& inode, std::size_t bytes) {
    if (dead) return SQLITE_IOERR_TRUNCATE;
    if (before_change) before_change();
    const std::size_t before = inode.shown.size();
    inode.shown.resize(bytes, '\0');
    if (bytes < before) note(inode, bytes, before);
    return SQLITE_OK;
}

int FaultDisk::sync(Inode& inode, Kind kind, bool is_first) {
    if (dead) return SQLITE_IOERR_FSYNC;
    if (before_change) before_change();
    ++syncs_;
    if (--syncs_until_failure == 0) {
        inode.durable.resize(inode.shown.size(), '\0');
        for (const auto& [sector, versions] : inode.pending) {
            if (sector * kSectorBytes >= inode.durable.size() || faults_.chance(0.5)) continue;
            const std::size_t at = sector * kSectorBytes;
            inode.durable.replace(at, std::min(kSectorBytes, inode.durable.size() - at),
                                  versions.back(), 0,
                                  std::min(kSectorBytes, inode.durable.size() - at));
        }
        inode.pending.clear();
        return SQLITE_IOERR_FSYNC;
    }
    if ((flaw == Flaw::journal_sync_lost && kind == Kind::journal && !is_first) ||
        (flaw == Flaw::rollback_sync_lost && kind == Kind::rollback_journal && !is_first) ||
        (flaw == Flaw::database_sync_lost && kind == Kind::database) ||
        (flaw == Flaw::creation_sync_lost && kind == Kind::journal && is_first))
        return SQLITE_OK;
    // Sectors of a failed sync stay as they are: only what was written since is flushed.
    inode.durable.resize(inode.shown.size(), '\0');
    for (const auto& [sector, versions] : inode.pending) {
        const std::size_t at = sector * kSectorBytes;
        if (at >= inode.durable.size()) continue;
        const std::size_t bytes = std::min(kSectorBytes, inode.durable.size() - at);
        inode.durable.replace(at, bytes, versions.back(), 0, bytes);
    }
    inode.pending.clear();
    if (is_first && flaw != Flaw::folder_sync_lost) {
        durable_names_ = names_;
        name_changes_.clear();
    }
    return SQLITE_OK;
}

std::unique_ptr<FaultDisk> FaultDisk::cut(SeededRandom& random) const {
    auto after = std::make_unique<FaultDisk>();
    std::map<std::string, std::shared_ptr<Inode>> names = durable_names_;
    const std::size_t kept = random.below(name_changes_.size() + 1);
    for (std::size_t i = 0; i < kept; ++i) {
        const NameChange& change = name_changes_[i];
        if (change.inode)
            names[change.name] = change.inode;
        else
            names.erase(change.name);
    }
    constexpr double kLuck[] = {0.0, 0.1, 0.5, 0.9, 1.0};
    const double luck = kLuck[random.below(std::size(kLuck))];
    for (const auto& [name, inode] : names) {
        auto survivor = std::make_shared<Inode>();
        std::string& bytes = survivor->durable;
        bytes = inode->durable;
        if (bytes.size() != inode->shown.size() && random.chance(luck))
            bytes.resize(inode->shown.size(), '\0');
        for (const auto& [sector, versions] : inode->pending) {
            const std::size_t at = sector * kSectorBytes;
            if (at >= bytes.size() || !random.chance(luck)) continue;
            const std::string& version =
                random.chance(0.7) ? versions.back() : versions[random.below(versions.size())];
            const std::size_t count = std::min(kSectorBytes, bytes.size() - at);
            bytes.replace(at, count, version, 0, count);
        }
        survivor->shown = bytes;
        after->names_[name] = survivor;
        after->durable_names_[name] = survivor;
    }
    after->faults_ = SeededRandom(random.next_u64());
    return after;
}

void FaultDisk::corrupt(const std::string& name, std::size_t at, std::string_view bytes) {
    const std::shared_ptr<Inode> inode = find(name);
    if (inode == nullptr || at >= inode->shown.size()) return;
    bytes = bytes.substr(0, inode->shown.size() - at);
    inode->shown.replace(at, bytes.size(), bytes);
    inode->durable = inode->shown;
}

std::size_t FaultDisk::size(const std::string& name) const {
    const std::shared_ptr<Inode> inode = find(name);
    return inode == nullptr ? 0 : inode->shown.size();
}

FaultDisk::Files FaultDisk::files() const {
    Files all;
    for (const auto& [name, inode] : names_)
        all[name] = inode->shown;
    return all;
}

void FaultDisk::put(const Files& files) {
    names_.clear();
    for (const auto& [name, bytes] : files) {
        auto inode = std::make_shared<Inode>();
        inode->shown = inode->durable = bytes;
        names_[name] = std::move(inode);
    }
    durable_names_ = names_;
    name_changes_.clear();
}

FaultVfs::FaultVfs(std::string name, FaultDisk& disk)
    : name_(std::move(name)), vfs_(std::make_unique<sqlite3_vfs>()) {
    *vfs_ = {};
    vfs_->iVersion = 1;
    vfs_->szOsFile = sizeof(OpenFile);
    vfs_->mxPathname = 256;
    vfs_->zName = name_.c_str();
    vfs_->pAppData = &disk;
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

FaultVfs::~FaultVfs() {
    sqlite3_vfs_unregister(vfs_.get());
}

}  // namespace dyad::test
