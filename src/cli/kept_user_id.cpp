// What DISTRIBUTED_USER_ID=$(uuidgen) stands for.
#include "base/clock.hpp"
#include "cli/settings.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace dyad::cli {
namespace {

constexpr std::size_t kIdBytes = 36;

Error cannot(const char* verb, const std::string& path, int code) {
    return fail(Errc::unavailable,
                std::string("cannot ") + verb + " " + path + ": " + std::strerror(code));
}

Result<KeptUserId> read_id(const std::string& path) {
    errno = 0;
    std::ifstream in(path, std::ios::binary);
    if (!in && errno == ENOENT) return fail(Errc::not_found, path + " is not there yet");
    if (!in) return cannot("read", path, errno);
    std::string id;
    in >> id;
    if (id.size() != kIdBytes ||
        id.find_first_not_of("0123456789abcdefABCDEF-") != std::string::npos)
        return fail(Errc::invalid_field,
                    path +
                        " holds no UUID; put the one that was there back, or delete the file "
                        "to begin with a new one");
    return KeptUserId{id, path, false};
}

// Whole or not at all: written under another name first, then given its own one, which fails where
// somebody was faster.
Status write_id(const std::string& path, const std::string& id) {
    const std::string temporary = path + "." + id;
    const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return cannot("write", path, errno);
    const std::string text = id + "\n";
    const bool written =
        ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
        fsync(fd) == 0;
    const int code = errno;
    ::close(fd);
    const bool linked = written && link(temporary.c_str(), path.c_str()) == 0;
    const int link_code = errno;
    unlink(temporary.c_str());
    if (!written) return cannot("write", path, code);
    if (!linked && link_code != EEXIST) return cannot("write", path, link_code);
    return Done{};
}

}  // namespace

Result<KeptUserId> kept_user_id(const std::string& path, bool make) {
    if (path.empty()) return fail(Errc::unavailable, "there is no HOME to keep it in");
    Result<KeptUserId> kept = read_id(path);
    if (kept || kept.error().code != Errc::not_found || !make) return kept;
    const std::filesystem::path folder = std::filesystem::path(path).parent_path();
    std::error_code error;
    std::filesystem::create_directories(folder.parent_path(), error);
    if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return cannot("make", folder, errno);
    const std::string id = SystemRandom().uuid4();
    TRY(write_id(path, id));
    kept = read_id(path);
    // A link that leads nowhere: an id that is not kept would be another one each time.
    if (!kept && kept.error().code == Errc::not_found) return cannot("read", path, ENOENT);
    if (kept) kept->made = kept->id == id;
    return kept;
}

}  // namespace dyad::cli
