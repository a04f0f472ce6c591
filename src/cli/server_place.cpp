#include "cli/server_place.hpp"

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "cli/json_members.hpp"
#include "cli/path_expansion.hpp"
#include "cli/text.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <unistd.h>

namespace dyad::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFile = "server.json";
constexpr std::size_t kStartField = 19;  // behind the state, in /proc/PID/stat
constexpr std::size_t kLastWordsBytes = 2048;

std::string read_text(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

// When the process began; 0 where there is none, or it has ended and only its parent may know.
std::int64_t started_ticks(std::int64_t process) {
    const std::string stat = read_text("/proc/" + std::to_string(process) + "/stat");
    const std::size_t name_end = stat.rfind(')');  // the name may hold anything
    if (name_end == std::string::npos) return 0;
    std::istringstream fields(stat.substr(name_end + 1));
    std::string state, field;
    fields >> state;
    if (state == "Z" || state == "X") return 0;
    for (std::size_t i = 0; i < kStartField; ++i)
        fields >> field;
    return whole_number(field).value_or(0);
}

// Seen by nobody half written.
bool replace_file(const std::string& path, const std::string& text) {
    const std::string next = path + "." + std::to_string(getpid());
    const int fd = open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    const bool good = close(fd) == 0 && written && rename(next.c_str(), path.c_str()) == 0;
    if (!good) unlink(next.c_str());
    return good;
}

// Also where it does not exist yet: a shell would call it so.
std::string real_path(const std::string& path) {
    std::error_code error;
    const fs::path real = fs::weakly_canonical(path, error);
    return error ? path : real.string();
}

// The folder for what a user's programs leave behind (XDG Base Directory Specification).
Result<fs::path> state_folder(const Resolved& settings) {
    const std::optional<std::string> given = system_surroundings().variable("XDG_STATE_HOME");
    fs::path folder;
    if (given && given->starts_with('/'))
        folder = *given;
    else if (settings.home)
        folder = fs::path(*settings.home) / ".local/state";
    else
        return fail(Errc::unavailable, "there is no HOME for the log of a server to be started");
    folder /= "dyad-memory";
    std::error_code error;
    fs::create_directories(folder, error);
    if (error)
        return fail(Errc::unavailable,
                    "the folder " + folder.string() + " cannot be made: " + error.message());
    return folder;
}

Result<int> open_log(const std::string& path) {
    std::error_code ignored;
    if (fs::file_size(path, ignored) > static_cast<std::uintmax_t>(limits::started_log_bytes_max) &&
        !ignored)
        fs::rename(path, path + ".1", ignored);
    const int log = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0)
        return fail(Errc::unavailable,
                    "the log " + path + " cannot be written: " + std::strerror(errno));
    return log;
}

// Nothing of this process's: no descriptor, no terminal, no signal that is ignored here.
int spawn(const std::vector<std::string>& words, int log, pid_t& process) {
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, log, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, log, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    posix_spawnattr_t how;
    posix_spawnattr_init(&how);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&how, &signals);
    for (const int signal : {SIGPIPE, SIGHUP, SIGINT, SIGQUIT, SIGTERM})
        sigaddset(&signals, signal);
    posix_spawnattr_setsigdefault(&how, &signals);
    posix_spawnattr_setflags(&how,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    std::vector<char*> arguments;
    for (const std::string& word : words)
        arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const int code =
        posix_spawn(&process, "/proc/self/exe", &files, &how, arguments.data(), environ);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return code;
}

}  // namespace

std::string place_file(const Resolved& settings) {
    if (!settings.follows_master("ENABLE_MONGODB")) {
        const std::string folder = settings.data_dir();
        return folder.empty() ? folder : folder + "/" + kFile;
    }
    const std::optional<std::string> runtime = system_surroundings().variable("XDG_RUNTIME_DIR");
    return runtime && runtime->starts_with('/') ? *runtime + "/dyad-memory/" + kFile : "";
}

PlaceNotice::PlaceNotice(const Resolved& settings) : path_(place_file(settings)) {
    if (path_.empty()) return;
    text_ = json::canonical(boost::json::object{{"dataDir", real_path(settings.data_dir())},
                                                {"pid", getpid()},
                                                {"started", started_ticks(getpid())},
                                                {"url", settings.own_url()},
                                                {"version", DYAD_VERSION}}) +
            "\n";
    std::error_code ignored;
    const fs::path folder = fs::path(path_).parent_path();
    if (!fs::exists(folder, ignored) && fs::create_directory(folder, ignored))
        fs::permissions(folder, fs::perms::owner_all, ignored);
    if (!replace_file(path_, text_))
        log::warn("distributed_memory", path_ + " cannot be written (" + std::strerror(errno) +
                                            "): clients look for this server at its default URL");
}

PlaceNotice::~PlaceNotice() {
    // Another server may have written its own meanwhile.
    if (!path_.empty() && read_text(path_) == text_) unlink(path_.c_str());
}

std::string read_place(const Resolved& settings) {
    const std::string path = place_file(settings);
    if (path.empty()) return {};
    const Result<json::Value> place = parse_large(read_text(path));
    if (!place || text_at(*place, "dataDir") != real_path(settings.data_dir())) return {};
    const std::int64_t ticks = started_ticks(integer_at(*place, "pid"));
    return ticks != 0 && ticks == integer_at(*place, "started") ? text_at(*place, "url") : "";
}

std::string StartedServer::last_words() const {
    std::string text = read_text(log_path);
    text.erase(0, std::min(static_cast<std::size_t>(log_at), text.size()));
    if (text.size() > kLastWordsBytes) text.erase(0, text.size() - kLastWordsBytes);
    return std::string(trimmed(text));
}

Result<StartedServer> start_server(const Resolved& settings, const Flags& flags,
                                   const std::string& env_file) {
    ASSIGN_OR_RETURN(const fs::path folder, state_folder(settings));
    StartedServer started;
    started.log_path = (folder / "server.log").string();
    ASSIGN_OR_RETURN(const int log, open_log(started.log_path));
    started.log_at = lseek(log, 0, SEEK_END);
    std::vector<std::string> words = {"dyad-memory", "serve"};
    for (const auto& [name, value] : flags)
        if (const SettingRow* const row = find_setting(name);
            row != nullptr && name != "DYAD_URL" && name != "DISTRIBUTED_USER_ID")
            words.push_back(std::string(row->flag) + "=" + value);
    if (!env_file.empty()) words.push_back("--env-file=" + env_file);
    const int code = spawn(words, log, started.process);
    close(log);
    if (code != 0)
        return fail(Errc::unavailable,
                    std::string("a server cannot be started: ") + std::strerror(code));
    return started;
}

}  // namespace dyad::cli
