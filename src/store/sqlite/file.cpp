#include "store/sqlite/file.hpp"

#include "base/check.hpp"

#include <algorithm>

#include <sqlite3.h>

namespace dyad::sqlite {
namespace {

// SQLite's own VFS cannot write 128 KiB at once: it never writes more than a page, up to 64 KiB.
constexpr std::size_t kPieceBytes = 64 * 1024;

Error io_error(int code, const char* what, const char* path) {
    const Errc errc = (code & 0xff) == SQLITE_FULL ? Errc::storage_full : Errc::storage_unavailable;
    return fail(errc, std::string(path) + ": " + what + " failed: " + sqlite3_errstr(code) +
                          " (SQLite code " + std::to_string(code) + ")");
}

// A VFS looks for parameters behind the name: an empty one ends the list.
std::string with_terminators(std::string path) {
    path.append(4, '\0');
    return path;
}

}  // namespace

sqlite3_vfs& find_vfs(const std::string& name) {
    sqlite3_vfs* found = sqlite3_vfs_find(name.empty() ? nullptr : name.c_str());
    CHECK(found != nullptr);
    return *found;
}

File::File(std::string path) : path_(with_terminators(std::move(path))) {}

File::~File() {
    if (file_ != nullptr && file_->pMethods != nullptr) file_->pMethods->xClose(file_);
}

Result<std::unique_ptr<File>> File::open(sqlite3_vfs& vfs, std::string path, bool create) {
    std::unique_ptr<File> file(new File(std::move(path)));
    file->memory_ = std::make_unique<char[]>(static_cast<std::size_t>(vfs.szOsFile));
    file->file_ = reinterpret_cast<sqlite3_file*>(file->memory_.get());
    // A new one as a journal: so it gets the database's permissions, but only where that is there.
    const int flags =
        SQLITE_OPEN_READWRITE |
        (create ? SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_CREATE : SQLITE_OPEN_SUPER_JOURNAL);
    int granted = 0;
    const int code = vfs.xOpen(&vfs, file->path_.c_str(), file->file_, flags, &granted);
    if (code != SQLITE_OK) {
        Error error = io_error(code, "opening", file->path());
        error.detail += "; it must be a file that the server's user may read and write";
        return error;
    }
    if ((granted & SQLITE_OPEN_READONLY) != 0)
        return fail(Errc::storage_unavailable, std::string(file->path()) +
                                                   ": may only be read; give the server's user the "
                                                   "right to write it");
    return file;
}

Result<std::optional<std::uint64_t>> File::look(sqlite3_vfs& vfs, const std::string& path) {
    const auto file = open(vfs, path, false);
    if (file) {
        ASSIGN_OR_RETURN(const std::uint64_t bytes, (*file)->size());
        return std::optional(bytes);
    }
    // To SQLite an empty file does not exist, unless one asks whether it may be written.
    for (const int question : {SQLITE_ACCESS_EXISTS, SQLITE_ACCESS_READWRITE}) {
        int there = 0;
        const std::string name = with_terminators(path);
        if (vfs.xAccess(&vfs, name.c_str(), question, &there) != SQLITE_OK || there != 0)
            return file.error();
    }
    return std::optional<std::uint64_t>();
}

Result<std::string> File::load(sqlite3_vfs& vfs, std::string path, std::size_t bytes) {
    ASSIGN_OR_RETURN(const auto file, open(vfs, std::move(path), false));
    return file->read(0, bytes);
}

Result<std::uint64_t> File::size() const {
    sqlite3_int64 bytes = 0;
    const int code = file_->pMethods->xFileSize(file_, &bytes);
    if (code != SQLITE_OK) return io_error(code, "asking for its size", path());
    return static_cast<std::uint64_t>(bytes);
}

Status File::read(std::uint64_t at, std::span<char> out) const {
    while (!out.empty()) {
        const std::span<char> piece = out.first(std::min(kPieceBytes, out.size()));
        const int code = file_->pMethods->xRead(file_, piece.data(), static_cast<int>(piece.size()),
                                                static_cast<sqlite3_int64>(at));
        if (code != SQLITE_OK) return io_error(code, "reading", path());
        at += piece.size();
        out = out.subspan(piece.size());
    }
    return Done{};
}

Result<std::string> File::read(std::uint64_t at, std::size_t bytes) const {
    ASSIGN_OR_RETURN(const std::uint64_t end, size());
    std::string out(at >= end ? 0 : std::min<std::uint64_t>(bytes, end - at), '\0');
    TRY(read(at, std::span<char>(out)));
    return out;
}

Result<Pages> File::read_all() const {
    ASSIGN_OR_RETURN(const std::uint64_t end, size());
    Pages out(end);
    TRY(read(0, out.span()));
    return out;
}

Status File::write(std::uint64_t at, std::string_view bytes) {
    while (!bytes.empty()) {
        const std::string_view piece = bytes.substr(0, kPieceBytes);
        const int code = file_->pMethods->xWrite(
            file_, piece.data(), static_cast<int>(piece.size()), static_cast<sqlite3_int64>(at));
        if (code != SQLITE_OK) return io_error(code, "writing", path());
        at += piece.size();
        bytes.remove_prefix(piece.size());
    }
    return Done{};
}

Status File::truncate(std::uint64_t bytes) {
    const int code = file_->pMethods->xTruncate(file_, static_cast<sqlite3_int64>(bytes));
    if (code != SQLITE_OK) return io_error(code, "truncating", path());
    return Done{};
}

Status File::sync() {
    const int code = file_->pMethods->xSync(file_, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
    if (code != SQLITE_OK) return io_error(code, "syncing", path());
    return Done{};
}

}  // namespace dyad::sqlite
