#include "store/sqlite/untouched.hpp"

#include "store/sqlite/file.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include <sqlite3.h>

namespace dyad::sqlite {
namespace {

constexpr std::uint64_t kBlockBytes = 4096;

}  // namespace

// What a name stands for: the file below, as far as nothing was written over it.
struct UntouchedVfs::Layered {
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

int UntouchedVfs::Layered::read_below(std::uint64_t at, char* to, std::uint64_t count) const {
    std::memset(to, 0, count);
    if (at >= below_bytes) return SQLITE_OK;
    const auto some = static_cast<int>(std::min(count, below_bytes - at));
    return below->pMethods->xRead(below, to, some, static_cast<sqlite3_int64>(at));
}

int UntouchedVfs::Layered::read(std::uint64_t at, char* to, std::uint64_t count) const {
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

int UntouchedVfs::Layered::write(std::uint64_t at, const char* from, std::uint64_t count) {
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

void UntouchedVfs::Layered::resize(std::uint64_t to) {
    below_bytes = std::min(below_bytes, to);
    written.erase(written.lower_bound((to + kBlockBytes - 1) / kBlockBytes), written.end());
    const auto last = written.find(to / kBlockBytes);
    if (last != written.end())
        std::fill(last->second.begin() + static_cast<std::ptrdiff_t>(to % kBlockBytes),
                  last->second.end(), '\0');
    bytes = to;
}

class UntouchedVfs::OpenFile final : public VfsFile {
  public:
    explicit OpenFile(std::shared_ptr<Layered> layered) : layered_(std::move(layered)) {}

    int read(char* to, std::uint64_t count, std::uint64_t at) override {
        const std::uint64_t bytes = layered_->bytes;
        const std::uint64_t there = at >= bytes ? 0 : std::min(count, bytes - at);
        std::memset(to, 0, count);
        const int code = layered_->read(at, to, there);
        return code == SQLITE_OK && there < count ? SQLITE_IOERR_SHORT_READ : code;
    }
    int write(const char* from, std::uint64_t count, std::uint64_t at) override {
        return layered_->write(at, from, count);
    }
    int truncate(std::uint64_t bytes) override {
        layered_->resize(bytes);
        return SQLITE_OK;
    }
    int size(std::int64_t& bytes) override {
        bytes = static_cast<std::int64_t>(layered_->bytes);
        return SQLITE_OK;
    }

  private:
    std::shared_ptr<Layered> layered_;
};

UntouchedVfs::UntouchedVfs(const std::string& below) : Vfs(find_vfs(below), "dyad-untouched-") {}

int UntouchedVfs::open(const char* name, int flags, int* granted, std::unique_ptr<VfsFile>& file) {
    std::shared_ptr<Layered> layered;
    const int code = find(name, flags, layered);
    if (code != SQLITE_OK) return code;
    file = std::make_unique<OpenFile>(std::move(layered));
    if (granted != nullptr) *granted = flags;
    return SQLITE_OK;
}

int UntouchedVfs::remove(const char* name, int) {
    files_[name] = nullptr;
    return SQLITE_OK;
}

int UntouchedVfs::access(const char* name, int, int& found) {
    const auto at = files_.find(name);
    if (at == files_.end()) return Vfs::access(name, SQLITE_ACCESS_EXISTS, found);
    found = at->second != nullptr && at->second->bytes != 0;
    return SQLITE_OK;
}

int UntouchedVfs::find(const char* name, int flags, std::shared_ptr<Layered>& file) {
    file = std::make_shared<Layered>();
    if (name == nullptr) return SQLITE_OK;  // a temporary file
    const auto at = files_.find(name);
    if (at != files_.end() && at->second != nullptr) {
        file = at->second;
        return SQLITE_OK;
    }
    int found = 0;
    if (at == files_.end()) {
        const int code = below().xAccess(&below(), name, SQLITE_ACCESS_EXISTS, &found);
        if (code != SQLITE_OK) return code;
    }
    if (found == 0 && (flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
    if (found != 0) {
        constexpr int kChanging = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                                  SQLITE_OPEN_EXCLUSIVE | SQLITE_OPEN_DELETEONCLOSE |
                                  SQLITE_OPEN_URI;
        file->name.append(name).append(4, '\0');
        file->memory.resize(static_cast<std::size_t>(below().szOsFile));
        file->below = reinterpret_cast<sqlite3_file*>(file->memory.data());
        int code = below().xOpen(&below(), file->name.c_str(), file->below,
                                 (flags & ~kChanging) | SQLITE_OPEN_READONLY, nullptr);
        sqlite3_int64 bytes = 0;
        if (code == SQLITE_OK) code = file->below->pMethods->xFileSize(file->below, &bytes);
        if (code != SQLITE_OK) return code;
        file->below_bytes = file->bytes = static_cast<std::uint64_t>(bytes);
    }
    files_[name] = file;
    return SQLITE_OK;
}

}  // namespace dyad::sqlite
