// The outside world of the settings.
#include "base/clock.hpp"
#include "cli/settings.hpp"
#include "cli/text.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

extern char** environ;

namespace dyad::cli {
namespace {

constexpr std::size_t kFileBytesMax = 1 << 20;
constexpr int kPipeMs = 5000;  // of silence, until a pipe is given up

// A name of ours in it, in whatever encoding: a text without its zero bytes is legible.
std::string name_within(std::string text) {
    std::erase(text, '\0');
    for (const SettingRow& row : settings_table())
        if (text.find(row.name) != std::string::npos) return std::string(row.name);
    return {};
}

const char* encoding_of(std::string_view text) {
    if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) return "is in UTF-16";
    return text.find('\0') != std::string_view::npos ? "is no text in UTF-8" : nullptr;
}

// What is read of the descriptor, one byte more than a file may have at most.
Result<std::string> read_all(int fd) {
    std::string text;
    char chunk[65536];
    while (text.size() <= kFileBytesMax) {
        const ssize_t got = ::read(fd, chunk, sizeof chunk);
        if (got == 0) break;
        if (got > 0) {
            text.append(chunk, static_cast<std::size_t>(got));
            continue;
        }
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return fail(Errc::unavailable, std::strerror(errno));
        pollfd wait{fd, POLLIN, 0};
        if (poll(&wait, 1, kPipeMs) == 0)
            return fail(Errc::unavailable, "nothing comes out of the pipe");
    }
    return text;
}

// One file of settings. What is not `required` need not be there; what is `shared` may belong to
// other programs.
std::optional<SettingsFile> read_file(Inputs& inputs, const std::string& path, bool required,
                                      bool shared) {
    const auto refuse = [&](const std::string& why) {
        inputs.unreadable.push_back(path + ": the file of settings cannot be read (" + why +
                                    "); let it be read by you, or name another one with "
                                    "--env-file (/dev/null for none)");
        return std::nullopt;
    };
    const auto pass_over = [&](const std::string& what) {
        inputs.passed_over.push_back(path + ": " + what + "; nothing was read from it");
        return std::nullopt;
    };
    struct stat state{};
    const bool there = stat(path.c_str(), &state) == 0;
    if (!there && !required && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
    if (!there) return refuse(std::strerror(errno));
    if (S_ISDIR(state.st_mode)) return required ? refuse("it is a folder") : std::nullopt;
    // Nothing else can be waited for by whoever only happens to be in its folder.
    if (!required && !S_ISREG(state.st_mode)) return pass_over("is no file");
    const int fd = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return refuse(std::strerror(errno));
    Result<std::string> text = read_all(fd);
    ::close(fd);
    if (!text) return refuse(text.error().detail);
    const char* wrong = encoding_of(*text);
    const char* const cure = wrong ? "; save it as UTF-8" : "; take out what is no setting";
    if (wrong == nullptr && text->size() > kFileBytesMax)
        wrong = "is larger than a file of settings may be, 1 MiB";
    if (wrong == nullptr) return SettingsFile{path, *std::move(text), shared};
    const std::string name = name_within(*std::move(text));
    if (shared && name.empty()) return pass_over(wrong);
    inputs.unreadable.push_back(path + ": " + wrong + (name.empty() ? "" : ", and names " + name) +
                                cure);
    return std::nullopt;
}

// The folder of config.env. A relative XDG_CONFIG_HOME is none (XDG Base Directory Specification).
std::string config_folder(const Surroundings& surroundings) {
    for (const auto& [variable, below] : {std::pair{"XDG_CONFIG_HOME", "/dyad-memory"},
                                          std::pair{"HOME", "/.config/dyad-memory"}}) {
        const std::optional<std::string> value = surroundings.variable(variable);
        if (!value || value->empty()) continue;
        const Result<std::string> folder = expand_path(*value, surroundings);
        if (folder && folder->starts_with('/')) return *folder + below;
    }
    return {};
}

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
    int code = 0;
    errno = EIO;  // of a write that ends early
    if (::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        fsync(fd) != 0)
        code = errno;
    ::close(fd);
    if (code == 0 && link(temporary.c_str(), path.c_str()) != 0 && errno != EEXIST) code = errno;
    unlink(temporary.c_str());
    return code == 0 ? Status(Done{}) : cannot("write", path, code);
}

// Reads the file, or makes it (and its folder, for the owner alone) where `make` says so. Several
// processes at once get the same id. Errors: not_found where there is none and none is made;
// unavailable where it cannot be read or written; invalid_field where it holds no id.
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

}  // namespace

Inputs read_inputs(Flags flags, const std::string& env_file, bool make_user_id) {
    Inputs inputs;
    inputs.flags = std::move(flags);
    std::error_code error;
    inputs.working_folder = std::filesystem::current_path(error).string();
    for (char** entry = environ; *entry != nullptr; ++entry) {
        std::string_view value(*entry);
        const std::string_view name = take_part(value, '=');
        inputs.environment.emplace_back(name, value);
    }
    const Surroundings surroundings = system_surroundings();
    inputs.home_of = surroundings.home_of;
    if (env_file.empty()) {
        inputs.env_file = read_file(inputs, inputs.working_folder + "/.env", false, true);
    } else if (const Result<std::string> path = expand_path(env_file, surroundings)) {
        inputs.env_file = read_file(inputs, *path, true, false);
    } else {
        inputs.unreadable.push_back("--env-file: \"" + env_file + "\" " + path.error().detail);
    }
    const std::string folder = config_folder(surroundings);
    if (!folder.empty())
        inputs.config_file = read_file(inputs, folder + "/config.env", false, false);
    inputs.kept_user_id = [path = folder.empty() ? folder : folder + "/user-id", make_user_id] {
        return kept_user_id(path, make_user_id);
    };
    return inputs;
}

}  // namespace dyad::cli
