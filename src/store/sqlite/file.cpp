#include "store/sqlite/file.hpp"

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

File::File(std::string path) : path_(with_terminators(std::move(path))) {}

File::~File() {
    if (file_ != nullptr && file_->pMethods != nullptr) file_->pMethods->xClose(file_);
}

Result<std::unique_ptr<File>> File::open(sqlite3_vfs& vfs, std::string path, bool create) {
    std::unique_ptr<File> file(new File(std::move(path)));
    file->memory_ = std::make_unique<char[]>(static_cast<std::size_t>(vfs.szOsFile));
    file->file_ = reinterpret_cast<sqlite3_file*>(file->memory_.get());
    const int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_MAIN_JOURNAL | (create ? SQLITE_OPEN_CREATE : 0);
    int granted = 0;
    const int code = vfs.xOpen(&vfs, file->path_.c_str(), file->file_, flags, &granted);
    if (code != SQLITE_OK) return io_error(code, "opening", file->path());
    if ((granted & SQLITE_OPEN_READONLY) != 0)
        return fail(Errc::storage_unavailable, std::string(file->path()) +
                                                   ": may only be read; give the server's user the "
                                                   "right to write it");
    return file;
}

Result<bool> File::exists(sqlite3_vfs& vfs, std::string path) {
    path = with_terminators(std::move(path));
    int found = 0;
    const int code = vfs.xAccess(&vfs, path.c_str(), SQLITE_ACCESS_EXISTS, &found);
    if (code != SQLITE_OK) return io_error(code, "looking for it", path.c_str());
    return found != 0;
}

Result<std::uint64_t> File::size() const {
    sqlite3_int64 bytes = 0;
    const int code = file_->pMethods->xFileSize(file_, &bytes);
    if (code != SQLITE_OK) return io_error(code, "asking for its size", path());
    return static_cast<std::uint64_t>(bytes);
}

Result<std::string> File::read(std::uint64_t at, std::size_t bytes) const {
    const Result<std::uint64_t> end = size();
    if (!end) return end.error();
    std::string out(at >= *end ? 0 : std::min<std::uint64_t>(bytes, *end - at), '\0');
    for (std::size_t done = 0; done < out.size();) {
        const std::size_t piece = std::min(kPieceBytes, out.size() - done);
        const int code = file_->pMethods->xRead(file_, out.data() + done, static_cast<int>(piece),
                                                static_cast<sqlite3_int64>(at + done));
        if (code != SQLITE_OK) return io_error(code, "reading", path());
        done += piece;
    }
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
