#include "cli/bridge/text_file.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace dyad::cli {
namespace {

class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&&) = delete;
    int get() const noexcept { return fd_; }

  private:
    int fd_;
};

Error cannot(const char* verb, int code) {
    return fail(Errc::invalid_field,
                std::string("it cannot be ") + verb + ": " + std::strerror(code));
}

Error being_written() {
    return fail(Errc::unavailable, "it is open for writing in another program");
}

Error changed() {
    return fail(Errc::version_conflict, "it has changed since it was read");
}

// A file that nobody else can open for writing until this goes.
struct Reading {
    Descriptor fd;
    bool leased = false;
    std::string bytes;
    struct stat status{};

    // Somebody waits to write to it.
    bool is_wanted() const { return leased && fcntl(fd.get(), F_GETLEASE) != F_RDLCK; }
};

Result<std::string> bytes_of(int fd, std::size_t size) {
    std::string out(size + 1, '\0');
    std::size_t have = 0;
    for (ssize_t got = 1; got != 0 && have < out.size(); have += static_cast<std::size_t>(got)) {
        got = pread(fd, out.data() + have, out.size() - have, static_cast<off_t>(have));
        if (got < 0) return cannot("read", errno);
    }
    if (have > size) return being_written();
    out.resize(have);
    return out;
}

Result<std::optional<Reading>> open_reading(const std::string& path, std::int64_t bytes_max) {
    static const auto ignored = std::signal(SIGIO, SIG_IGN);  // how it is said that one waits
    static_cast<void>(ignored);
    Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (fd.get() < 0 && errno == ENOENT) {
        std::error_code none;
        if (std::filesystem::is_symlink(path, none))
            return fail(Errc::invalid_field, "it is a symbolic link that leads nowhere");
        return std::optional<Reading>();
    }
    if (fd.get() < 0) return cannot("read", errno);
    Reading out{std::move(fd), false, {}, {}};
    if (fstat(out.fd.get(), &out.status) != 0) return cannot("read", errno);
    if (!S_ISREG(out.status.st_mode)) return fail(Errc::invalid_field, "it is no regular file");
    out.leased = fcntl(out.fd.get(), F_SETLEASE, F_RDLCK) == 0;
    if (!out.leased && errno == EAGAIN) return being_written();
    if (fstat(out.fd.get(), &out.status) != 0) return cannot("read", errno);
    if (out.status.st_size > bytes_max)
        return fail(Errc::too_large, "it has " + std::to_string(out.status.st_size) +
                                         " bytes, and may have " + std::to_string(bytes_max));
    ASSIGN_OR_RETURN(out.bytes,
                     bytes_of(out.fd.get(), static_cast<std::size_t>(out.status.st_size)));
    return std::optional<Reading>(std::move(out));
}

// Where the bytes are written first; whoever died there left it.
std::string new_name(const std::filesystem::path& target) {
    return (target.parent_path() / ("." + target.filename().string() + ".dyad-new")).string();
}

Status write_new(const std::string& path, const std::string& bytes, const struct stat* like) {
    ::unlink(path.c_str());
    const Descriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (fd.get() < 0) return cannot("written", errno);
    if (like != nullptr) {
        if (fchown(fd.get(), like->st_uid, like->st_gid) != 0 && like->st_uid != geteuid())
            return fail(Errc::invalid_field, "it belongs to another user");
        if (fchmod(fd.get(), like->st_mode & 07777) != 0) return cannot("written", errno);
    }
    for (std::size_t done = 0; done < bytes.size();) {
        const ssize_t put = ::write(fd.get(), bytes.data() + done, bytes.size() - done);
        if (put < 0 && errno != EINTR) return cannot("written", errno);
        if (put > 0) done += static_cast<std::size_t>(put);
    }
    if (fsync(fd.get()) != 0) return cannot("written", errno);
    return Done{};
}

void sync_folder(const std::filesystem::path& file) {
    const Descriptor fd(::open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() >= 0) fsync(fd.get());
}

bool swap(const std::string& a, const std::string& b, unsigned how) {
    return renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), how) == 0;
}

// What is at `path` is still what was seen, and may be written.
Result<Reading> still(const std::string& path, const std::string& seen) {
    ASSIGN_OR_RETURN(std::optional<Reading> now, open_reading(path, INT64_MAX));
    if (!now || now->bytes != seen) return changed();
    if (now->status.st_nlink > 1)
        return fail(Errc::invalid_field,
                    "it has several hard links, which a new version would "
                    "part; make symbolic links of them");
    if ((now->status.st_mode & 0222) == 0) return fail(Errc::invalid_field, "it is read-only");
    return *std::move(now);
}

Status put_in_place(const std::string& made, const std::string& target, const Reading& old) {
    if (!swap(made, target, RENAME_EXCHANGE)) {
        if (errno != EINVAL && errno != ENOSYS) return cannot("written", errno);
        return swap(made, target, 0) ? Status(Done{}) : Status(cannot("written", errno));
    }
    // Who wrote to it at the last moment gets it back, at its place.
    const Result<std::string> last =
        bytes_of(old.fd.get(), static_cast<std::size_t>(old.status.st_size));
    struct stat displaced{};
    const bool same = ::stat(made.c_str(), &displaced) == 0 &&
                      displaced.st_ino == old.status.st_ino && last && *last == old.bytes;
    if (same && !old.is_wanted()) return Done{};
    if (!swap(made, target, RENAME_EXCHANGE))
        return fail(Errc::internal, "what was written to it at the last moment stands in " + made);
    return same ? being_written() : changed();
}

}  // namespace

std::optional<FileStamp> stamp_of(const std::string& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return std::nullopt;
    const auto ns = [](const timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; };
    return FileStamp{status.st_ino, static_cast<std::uint64_t>(status.st_size), ns(status.st_mtim),
                     ns(status.st_ctim)};
}

Result<std::optional<std::string>> read_text_file(const std::string& path, std::int64_t bytes_max) {
    ASSIGN_OR_RETURN(std::optional<Reading> reading, open_reading(path, bytes_max));
    if (!reading) return std::optional<std::string>();
    return std::optional<std::string>(std::move(reading->bytes));
}

Status replace_text_file(const std::string& path, const std::optional<std::string>& seen,
                         const std::string& bytes) {
    std::error_code code;
    std::filesystem::path target(path);
    if (seen) {
        target = std::filesystem::canonical(path, code);
        if (code) return changed();
    } else {
        std::filesystem::create_directories(target.parent_path(), code);
        if (code) return cannot("written", code.value());
    }
    const std::string made = new_name(target);
    Status done = Done{};
    if (seen) {
        ASSIGN_OR_RETURN(const Reading old, still(target, *seen));
        done = write_new(made, bytes, &old.status);
        if (done) done = put_in_place(made, target, old);
    } else {
        done = write_new(made, bytes, nullptr);
        if (done && !swap(made, target, RENAME_NOREPLACE) &&
            ::link(made.c_str(), target.c_str()) != 0)
            done = errno == EEXIST ? changed() : cannot("written", errno);
    }
    if (done || done.error().code != Errc::internal) ::unlink(made.c_str());
    if (done) sync_folder(target);
    return done;
}

Status remove_text_file(const std::string& path, const std::string& seen) {
    ASSIGN_OR_RETURN(const Reading old, still(path, seen));
    if (::unlink(path.c_str()) != 0) return cannot("removed", errno);
    sync_folder(path);
    return Done{};
}

}  // namespace dyad::cli
