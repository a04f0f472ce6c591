#include "cli/config_file.hpp"

#include "base/limits.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace dyad::cli {
namespace {

namespace fs = std::filesystem;

Error failed(const std::string& path, const std::string& what) {
    return fail(Errc::unavailable, path + " " + what + ": " + std::strerror(errno));
}

Result<std::optional<std::string>> read_all(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return std::optional<std::string>();
    if (fd < 0) return failed(path, "cannot be read");
    std::string text;
    char buffer[16384];
    ssize_t got = 0;
    while ((got = ::read(fd, buffer, sizeof buffer)) > 0 &&
           static_cast<std::int64_t>(text.size()) <= limits::client_file_bytes_max)
        text.append(buffer, static_cast<std::size_t>(got));
    const Error error = failed(path, "cannot be read");
    close(fd);
    if (got < 0) return error;
    if (static_cast<std::int64_t>(text.size()) > limits::client_file_bytes_max)
        return fail(Errc::too_large, path + " is larger than client_file_bytes_max, " +
                                         std::to_string(limits::client_file_bytes_max) + " bytes");
    return std::optional(std::move(text));
}

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t put = ::write(fd, text.data(), text.size());
        if (put < 0) return false;
        text.remove_prefix(static_cast<std::size_t>(put));
    }
    return fsync(fd) == 0;
}

// Beside the place first, then there at once.
Status place(const std::string& path, std::string_view text, unsigned mode) {
    const std::string next = path + ".dyad-new";
    unlink(next.c_str());
    const int fd =
        open(next.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode != 0 ? 0600 : 0666);
    if (fd < 0) return failed(path, "cannot be written");
    const bool good = write_all(fd, text) && (mode == 0 || fchmod(fd, mode) == 0) &&
                      rename(next.c_str(), path.c_str()) == 0;
    const Error error = failed(path, "cannot be written");
    close(fd);
    if (good) return Done{};
    unlink(next.c_str());
    return error;
}

}  // namespace

Result<ConfigFile> ConfigFile::read(const std::string& path) {
    ConfigFile file;
    file.path_ = file.real_path_ = path;
    std::error_code error;
    if (fs::is_symlink(path, error)) {
        file.real_path_ = fs::canonical(path, error).string();
        if (error) return fail(Errc::unavailable, path + " is a link to what does not exist");
    }
    struct stat status{};
    if (stat(file.real_path_.c_str(), &status) == 0) {
        if (!S_ISREG(status.st_mode)) return fail(Errc::unavailable, path + " is no regular file");
        file.mode_ = status.st_mode & 07777;
    }
    ASSIGN_OR_RETURN(file.text_, read_all(file.real_path_));
    ASSIGN_OR_RETURN(file.backup_, read_all(file.backup_path()));
    return file;
}

Status ConfigFile::check_unchanged() const {
    ASSIGN_OR_RETURN(const std::optional<std::string> now, read_all(real_path_));
    if (now != text_)
        return fail(Errc::version_conflict,
                    path_ + " was changed by another program meanwhile; try again");
    // A file that may not be written is not to be changed, though its folder would let us.
    if (mode_ != 0 && (mode_ & 0222) == 0)
        return fail(Errc::unavailable, path_ + " is read-only; allow writing (chmod u+w) first");
    return Done{};
}

Status ConfigFile::write(const std::string& text) const {
    TRY(check_unchanged());
    std::error_code error;
    fs::create_directories(fs::path(real_path_).parent_path(), error);
    if (error)
        return fail(Errc::unavailable,
                    "the folder of " + path_ + " cannot be made: " + error.message());
    return place(real_path_, text, mode_);
}

Status ConfigFile::write_backup() const {
    TRY(check_unchanged());
    return text_ ? place(backup_path(), *text_, mode_) : Status(Done{});
}

Status ConfigFile::remove() const {
    TRY(check_unchanged());
    if (unlink(real_path_.c_str()) != 0) return failed(path_, "cannot be removed");
    return Done{};
}

void ConfigFile::remove_backup() const {
    unlink(backup_path().c_str());
}

}  // namespace dyad::cli
