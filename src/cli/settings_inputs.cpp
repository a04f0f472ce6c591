// The outside world of the settings.
#include "cli/settings.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <unistd.h>

extern char** environ;

namespace dyad::cli {
namespace {

constexpr std::uintmax_t kFileBytesMax = 1 << 20;

// Nothing where there is no such file.
std::optional<SettingsFile> read_file(const std::string& path, bool required, Inputs& inputs) {
    std::error_code error;
    const auto kind = std::filesystem::status(path, error).type();
    if (kind == std::filesystem::file_type::not_found && !required) return std::nullopt;
    if (kind == std::filesystem::file_type::directory && !required) return std::nullopt;
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    if (!in || kind == std::filesystem::file_type::directory || !(text << in.rdbuf())) {
        const bool empty = in && std::filesystem::file_size(path, error) == 0 && !error;
        if (empty) return SettingsFile{path, ""};
        inputs.unreadable.push_back(path +
                                    ": the file of settings cannot be read; check that it "
                                    "exists and may be read by you");
        return std::nullopt;
    }
    if (text.str().size() > kFileBytesMax) {
        inputs.unreadable.push_back(path + ": a file of settings has at most 1 MiB");
        return std::nullopt;
    }
    return SettingsFile{path, text.str()};
}

}  // namespace

Inputs read_inputs(Flags flags, const std::string& env_file) {
    Inputs inputs;
    inputs.flags = std::move(flags);
    std::error_code error;
    inputs.working_folder = std::filesystem::current_path(error).string();
    std::string config_home, home;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        const std::size_t equals = text.find('=');
        if (equals == std::string_view::npos) continue;
        const std::string name(text.substr(0, equals));
        const std::string value(text.substr(equals + 1));
        if (name == "XDG_CONFIG_HOME") config_home = value;
        if (name == "HOME") home = value;
        inputs.environment.emplace_back(name, value);
    }
    inputs.env_file = read_file(env_file.empty() ? inputs.working_folder + "/.env" : env_file,
                                !env_file.empty(), inputs);
    if (config_home.empty() && !home.empty()) config_home = home + "/.config";
    if (!config_home.empty())
        inputs.config_file = read_file(config_home + "/dyad-memory/config.env", false, inputs);
    return inputs;
}

}  // namespace dyad::cli
