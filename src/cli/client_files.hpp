// What `connect` puts into which file of which client, and how it comes out again. A row for each
// client; nothing here reads or writes a file.
#pragma once

#include "base/result.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::cli {

enum class Client : std::uint8_t { claude_code, codex, cursor, vscode, dyad, agent_plugin };

const std::vector<std::string>& client_names();  // as the command line spells them
// Requires: one of these.
Client client_by_name(std::string_view name);

// One thing of ours in a file.
struct Entry {
    enum class Kind : std::uint8_t {
        member,   // of a JSON object
        element,  // of a JSON array: a hook
        needed,  // a JSON member that the file must have, and that stays as it is where it is there
        table,   // of TOML
        file,    // the whole file
    };
    Kind kind;
    std::vector<std::string> path;
    std::string value;  // JSON without blanks, or text
};

struct ClientFile {
    std::string path;
    std::vector<Entry> entries;

    // The text with our entries as they should be. Errors: those of edit/.
    Result<std::string> put_into(const std::string& text) const;
    // The text without any of ours.
    Result<std::string> take_out_of(const std::string& text) const;
    // The same, with the values that stand in the text.
    Result<ClientFile> as_in(const std::string& text) const;
    bool is_ours() const { return entries.front().kind == Entry::Kind::file; }
};

// How a client is to reach the server.
struct Ways {
    std::string url;                   // of /mcp
    std::string user;                  // empty: the server's own setting counts
    std::string program;               // dyad-memory, or its path
    std::vector<std::string> options;  // of the server that the program is to use
    bool stdio = false;
    bool hooks = true;
    std::string home;
    std::string config_home;             // $XDG_CONFIG_HOME
    std::optional<std::string> project;  // absent: for the user
};

// Empty for dyad, which has no file.
std::vector<ClientFile> files_of(Client client, const Ways& ways);
// The link by which Dyad adds a server.
std::string dyad_link(const Ways& ways);
// The folder of the agent plugin.
std::string plugin_folder(const Ways& ways);

// The hooks of the client, in a file of its kind; nothing where it has none.
std::optional<ClientFile> hooks_of(Client client, const Ways& ways);
// A hook of ours, however it is written.
bool is_our_hook(std::string_view json);

// The folder that the variable of the environment names.
std::string folder_or(const char* variable, const std::string& fallback);
std::string as_json(std::string_view text);  // a string of JSON, and of TOML

// The files of plugins/, by their names in the package.
struct PluginFile {
    std::string_view name;
    std::string_view text;
};
const std::vector<PluginFile>& plugin_files();

}  // namespace dyad::cli
