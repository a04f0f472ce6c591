// The outside world of the settings.
#include "base/clock.hpp"
#include "cli/settings.hpp"

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

class FileReader {
  public:
    // `shared`: a file that may not be there and may belong to other programs.
    FileReader(Inputs& inputs, std::string path, bool required, bool shared)
        : inputs_(inputs), path_(std::move(path)), required_(required), shared_(shared) {}

    std::optional<SettingsFile> read() {
        struct stat state{};
        const bool there = stat(path_.c_str(), &state) == 0;
        if (!there && !required_ && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
        if (!there) return refuse(std::strerror(errno));
        // Nothing else can be waited for by whoever only happens to be in its folder.
        if (!required_ && !S_ISREG(state.st_mode)) {
            if (!S_ISDIR(state.st_mode)) pass_over("is no file");
            return std::nullopt;
        }
        if (S_ISDIR(state.st_mode)) return refuse("it is a folder");
        const int fd = open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0) return refuse(std::strerror(errno));
        Result<std::string> text = read_all(fd);
        ::close(fd);
        if (!text) return refuse(text.error().detail);
        return check(*std::move(text));
    }

  private:
    std::optional<SettingsFile> check(std::string text) {
        const char* const encoding = encoding_of(text);
        if (encoding == nullptr && text.size() <= kFileBytesMax)
            return SettingsFile{path_, std::move(text), shared_};
        const std::string what =
            encoding != nullptr ? encoding : "is larger than a file of settings may be, 1 MiB";
        const std::string name = name_within(std::move(text));
        if (shared_ && name.empty()) {
            pass_over(what);
            return std::nullopt;
        }
        inputs_.unreadable.push_back(
            path_ + ": " + what + (name.empty() ? "" : ", and names " + name) +
            (encoding != nullptr ? "; save it as UTF-8" : "; take out what is no setting"));
        return std::nullopt;
    }

    std::optional<SettingsFile> refuse(const std::string& why) {
        inputs_.unreadable.push_back(path_ + ": the file of settings cannot be read (" + why +
                                     "); let it be read by you, or name another one with "
                                     "--env-file (/dev/null for none)");
        return std::nullopt;
    }

    void pass_over(const std::string& what) {
        inputs_.passed_over.push_back(path_ + ": " + what + "; nothing was read from it");
    }

    Inputs& inputs_;
    std::string path_;
    bool required_;
    bool shared_;
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
        const std::string_view text(*entry);
        const std::size_t equals = text.find('=');
        if (equals != std::string_view::npos)
            inputs.environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
    const Surroundings surroundings = system_surroundings();
    inputs.home_of = surroundings.home_of;
    if (env_file.empty()) {
        inputs.env_file = FileReader(inputs, inputs.working_folder + "/.env", false, true).read();
    } else if (const Result<std::string> path = expand_path(env_file, surroundings)) {
        inputs.env_file = FileReader(inputs, *path, true, false).read();
    } else {
        inputs.unreadable.push_back("--env-file: \"" + env_file + "\" " + path.error().detail);
    }
    const std::string folder = config_folder(surroundings);
    if (!folder.empty())
        inputs.config_file = FileReader(inputs, folder + "/config.env", false, false).read();
    inputs.kept_user_id = [path = folder.empty() ? folder : folder + "/user-id", make_user_id] {
        return kept_user_id(path, make_user_id);
    };
    return inputs;
}

}  // namespace dyad::cli
