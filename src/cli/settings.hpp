// Where each setting's value comes from, and what is wrong with all of them together.
//
// The order: flag > environment > env file > configuration file > default. resolve() is pure; the
// outside world is read by read_inputs().
#pragma once

#include "base/result.hpp"
#include "cli/path_expansion.hpp"
#include "cli/settings_table.hpp"
#include "server/settings.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dyad::cli {

using Flags = std::map<std::string, std::string, std::less<>>;  // by the setting's name

struct SettingsFile {
    std::string path;
    std::string text;
    bool shared = false;  // with other programs: the working folder's .env
};

// The UUID that `DISTRIBUTED_USER_ID=$(uuidgen)` stands for: whoever writes that wants one of his
// own, and the same one tomorrow. It is made once and kept in a file, by whichever process needs it
// first.
struct KeptUserId {
    std::string id;
    std::string path;
    bool made = false;  // by this call
};

struct Inputs {
    Flags flags;
    std::vector<std::pair<std::string, std::string>> environment;
    std::optional<SettingsFile> env_file;
    std::optional<SettingsFile> config_file;
    std::vector<std::string> unreadable;   // what should have been read and could not be
    std::vector<std::string> passed_over;  // files that cannot hold settings of ours
    std::string working_folder;
    // Of users; without it there is none. Variables are those of `environment`.
    std::function<std::optional<std::string>(const std::string& user)> home_of;
    // What DISTRIBUTED_USER_ID=$(uuidgen) stands for. Errors: not_found where none was made yet and
    // none is to be made now.
    std::function<Result<KeptUserId>()> kept_user_id;
};

struct Setting {
    const SettingRow* row = nullptr;
    std::string value;      // empty: not set
    std::string source;     // "default", "--port", "environment", "/path/.env line 3"
    bool given = false;     // by anything but the default
    bool literal = false;   // in single quotes: means nothing but itself
    std::string by_letter;  // of a path that means another one: what it would be unread
};

struct Problem {
    bool fatal = true;
    std::string name;  // of the setting; empty: of a file
    std::string text;  // one plain sentence that begins with the name
};

struct Resolved {
    std::vector<Setting> settings;  // one for each row of the table, in its order
    std::vector<Problem> problems;
    std::string note;  // to be said once; mostly empty
    std::string working_folder;
    std::optional<std::string> home;
    std::optional<std::string> data_home;

    // Requires: the table has this name.
    const Setting& at(std::string_view name) const;
    bool boolean(std::string_view name) const;
    std::int64_t integer(std::string_view name) const;
    const std::string& text(std::string_view name) const { return at(name).value; }
    // Of ENABLE_MONGODB and ENABLE_REDIS: as it is set, or else as the master switch is.
    bool follows_master(std::string_view name) const;

    bool has_fatal() const;
    // The folder of the store: as set, or the default one; absolute. Empty where neither is known.
    std::string data_dir() const;
    std::string user_id() const;  // "local" where nobody is named
    // Where a client finds the server.
    std::string url() const;
    // The address that `serve` listens at, as a client of this machine names it.
    std::string own_url() const;
};

Resolved resolve(const Inputs& inputs);

// Requires: no fatal problem.
server::Settings server_settings(const Resolved& resolved);

// Reads the environment, `.env` (or `env_file`, which must exist then) and the configuration file.
// A user id is made where it is needed and `make_user_id` says so.
Inputs read_inputs(Flags flags, const std::string& env_file, bool make_user_id = false);

}  // namespace dyad::cli
