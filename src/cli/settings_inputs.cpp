// The outside world of the settings.
#include "base/clock.hpp"
#include "cli/settings.hpp"
#include "cli/text.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>

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

// Reads one file of settings into `inputs`. What is not `required` need not be there; what is
// `shared` may belong to other programs.
class FileReader {
  public:
    FileReader(Inputs& inputs, std::string path) : inputs_(inputs), path_(std::move(path)) {}

    std::optional<SettingsFile> read(bool required, bool shared) {
        struct stat state{};
        const bool there = stat(path_.c_str(), &state) == 0;
        if (!there && !required && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
        if (!there) return refuse(std::strerror(errno));
        // Nothing else can be waited for by whoever only happens to be in its folder.
        if (!required && !S_ISREG(state.st_mode)) {
            if (!S_ISDIR(state.st_mode)) pass_over("is no file");
            return std::nullopt;
        }
        if (S_ISDIR(state.st_mode)) return refuse("it is a folder");
        const int fd = open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0) return refuse(std::strerror(errno));
        Result<std::string> text = read_all(fd);
        ::close(fd);
        if (!text) return refuse(text.error().detail);
        const char* wrong = encoding_of(*text);
        const char* const cure = wrong ? "; save it as UTF-8" : "; take out what is no setting";
        if (wrong == nullptr && text->size() > kFileBytesMax)
            wrong = "is larger than a file of settings may be, 1 MiB";
        if (wrong == nullptr) return SettingsFile{path_, *std::move(text), shared};
        const std::string name = name_within(*std::move(text));
        if (shared && name.empty()) return pass_over(wrong);
        inputs_.unreadable.push_back(path_ + ": " + wrong +
                                     (name.empty() ? "" : ", and names " + name) + cure);
        return std::nullopt;
    }

  private:
    std::nullopt_t refuse(const std::string& why) {
        inputs_.unreadable.push_back(path_ + ": the file of settings cannot be read (" + why +
                                     "); let it be read by you, or name another one with "
                                     "--env-file (/dev/null for none)");
        return std::nullopt;
    }
    std::nullopt_t pass_over(const std::string& what) {
        inputs_.passed_over.push_back(path_ + ": " + what + "; nothing was read from it");
        return std::nullopt;
    }

    Inputs& inputs_;
    std::string path_;
};

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
        inputs.env_file = FileReader(inputs, inputs.working_folder + "/.env").read(false, true);
    } else if (const Result<std::string> path = expand_path(env_file, surroundings)) {
        inputs.env_file = FileReader(inputs, *path).read(true, false);
    } else {
        inputs.unreadable.push_back("--env-file: \"" + env_file + "\" " + path.error().detail);
    }
    const std::string folder = config_folder(surroundings);
    if (!folder.empty())
        inputs.config_file = FileReader(inputs, folder + "/config.env").read(false, false);
    inputs.kept_user_id = [path = folder.empty() ? folder : folder + "/user-id", make_user_id] {
        return kept_user_id(path, make_user_id);
    };
    return inputs;
}

}  // namespace dyad::cli
