#include "cli/client_files.hpp"

#include "base/bytes.hpp"
#include "cli/path_expansion.hpp"
#include "edit/json_edit.hpp"
#include "edit/toml_edit.hpp"
#include "model/json.hpp"
#include "net/http.hpp"

#include <algorithm>
#include <filesystem>

namespace dyad::cli {
namespace {

namespace fs = std::filesystem;
using Kind = Entry::Kind;

constexpr const char* kName = "dyad";

std::string listed(const std::vector<std::string>& words, const char* between = ",") {
    std::string out;
    for (const std::string& word : words)
        out.append(out.empty() ? "" : between).append(as_json(word));
    return "[" + out + "]";
}

std::vector<std::string> arguments(const Ways& ways) {
    std::vector<std::string> words = {"mcp"};
    words.insert(words.end(), ways.options.begin(), ways.options.end());
    return words;
}

// A header takes ASCII (RFC 8187, section 3.2.1, for the rest).
std::string header_value(const std::string& text) {
    const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return c > 0; });
    return ascii ? text : "UTF-8''" + net::percent_encode(text);
}

// The server, as most clients write it. `typed`: says what kind it is.
std::string server_json(const Ways& ways, bool typed) {
    std::string out = "{";
    if (typed) out.append(ways.stdio ? R"("type":"stdio",)" : R"("type":"http",)");
    if (ways.stdio) {
        out.append(R"("command":)").append(as_json(ways.program));
        out.append(R"(,"args":)").append(listed(arguments(ways)));
    } else {
        out.append(R"("url":)").append(as_json(ways.url));
        if (!ways.user.empty())
            out.append(R"(,"headers":{"Dyad-User":)").append(as_json(header_value(ways.user))) +=
                '}';
    }
    return out.append("}");
}

std::string server_toml(const Ways& ways) {
    std::string out = std::string("[mcp_servers.") + kName + "]\n";
    if (ways.stdio)
        return out + "command = " + as_json(ways.program) +
               "\nargs = " + listed(arguments(ways), ", ") + "\n";
    out.append("url = ").append(as_json(ways.url)).append("\n");
    if (!ways.user.empty())
        out.append("http_headers = { \"Dyad-User\" = ").append(as_json(header_value(ways.user))) +=
            " }\n";
    return out;
}

// Of the edition that is there.
std::string vscode_folder(const Ways& ways) {
    std::error_code ignored;
    for (const char* const name : {"Code", "Code - Insiders", "VSCodium", "Code - OSS"})
        if (fs::is_directory(fs::path(ways.config_home) / name, ignored))
            return ways.config_home + "/" + name + "/User";
    return ways.config_home + "/Code/User";
}

ClientFile server_file(Client client, const Ways& ways) {
    const std::string in = ways.project.value_or(ways.home);
    const auto member = [](std::string path, const char* list, std::string value) {
        return ClientFile{std::move(path), {{Kind::member, {list, kName}, std::move(value)}}};
    };
    switch (client) {
        case Client::claude_code:
            return member(ways.project ? in + "/.mcp.json"
                                       : folder_or("CLAUDE_CONFIG_DIR", in) + "/.claude.json",
                          "mcpServers", server_json(ways, true));
        case Client::cursor:
            return member(in + "/.cursor/mcp.json", "mcpServers", server_json(ways, false));
        case Client::vscode:
            return member(
                ways.project ? in + "/.vscode/mcp.json" : vscode_folder(ways) + "/mcp.json",
                "servers", server_json(ways, true));
        case Client::codex:
            return {(ways.project ? in + "/.codex" : folder_or("CODEX_HOME", in + "/.codex")) +
                        "/config.toml",
                    {{Kind::table, {"mcp_servers", kName}, server_toml(ways)}}};
        case Client::dyad:
        case Client::agent_plugin:
            break;
    }
    CHECK(false);
}

// One that is as it should be stays where it is.
Result<std::string> put_element(const std::string& text, const Entry& entry) {
    ASSIGN_OR_RETURN(std::vector<std::string> ours, edit::json_elements(text, entry.path));
    std::erase_if(ours, [](const std::string& one) { return !is_our_hook(one); });
    if (ours.size() == 1 && edit::compact_json(ours[0]) == entry.value) return text;
    ASSIGN_OR_RETURN(const std::string clean, edit::drop_from_json(text, entry.path, is_our_hook));
    return edit::add_to_json(clean, entry.path, entry.value);
}

}  // namespace

std::string as_json(std::string_view text) {
    return json::canonical(json::Value(text));
}

std::string folder_or(const char* variable, const std::string& fallback) {
    const std::optional<std::string> value = system_surroundings().variable(variable);
    return value && value->starts_with('/') ? *value : fallback;
}

const std::vector<std::string>& client_names() {
    static const std::vector<std::string> names = {"claude-code", "codex", "cursor",
                                                   "vscode",      "dyad",  "agent-plugin"};
    return names;
}

Client client_by_name(std::string_view name) {
    const auto found = std::find(client_names().begin(), client_names().end(), name);
    CHECK(found != client_names().end());
    return static_cast<Client>(found - client_names().begin());
}

Result<std::string> ClientFile::put_into(const std::string& text) const {
    std::string out = text;
    for (const Entry& entry : entries) {
        if (entry.kind == Kind::file) {
            out = entry.value;
        } else if (entry.kind == Kind::table) {
            ASSIGN_OR_RETURN(out, edit::set_toml(out, entry.path, entry.value));
        } else if (entry.kind == Kind::element) {
            ASSIGN_OR_RETURN(out, put_element(out, entry));
        } else {
            ASSIGN_OR_RETURN(const auto there, edit::json_at(out, entry.path));
            if (entry.kind == Kind::needed && there) continue;
            ASSIGN_OR_RETURN(out, edit::set_json(out, entry.path, entry.value));
        }
    }
    return out;
}

Result<std::string> ClientFile::take_out_of(const std::string& text) const {
    std::string out = text;
    for (const Entry& entry : entries) {
        if (entry.kind == Kind::file) {
            out.clear();
        } else if (entry.kind == Kind::table) {
            ASSIGN_OR_RETURN(out, edit::drop_toml(out, entry.path));
        } else if (entry.kind == Kind::element) {
            ASSIGN_OR_RETURN(out, edit::drop_from_json(out, entry.path, is_our_hook));
        } else if (entry.kind == Kind::member) {
            ASSIGN_OR_RETURN(out, edit::drop_json(out, entry.path));
        }
    }
    // What was needed for ours alone goes with them.
    for (const Entry& entry : entries)
        if (entry.kind == Kind::needed && out != text &&
            edit::compact_json(out) == "{" + as_json(entry.path[0]) + ":" + entry.value + "}")
            out = "{}\n";
    return out;
}

Result<ClientFile> ClientFile::as_in(const std::string& text) const {
    ClientFile file{path, {}};
    for (const Entry& entry : entries) {
        if (entry.kind == Kind::table) {
            ASSIGN_OR_RETURN(const std::string block, edit::toml_at(text, entry.path));
            if (!block.empty()) file.entries.push_back({entry.kind, entry.path, block});
        } else if (entry.kind == Kind::element) {
            ASSIGN_OR_RETURN(const std::vector<std::string> all,
                             edit::json_elements(text, entry.path));
            for (const std::string& one : all)
                if (is_our_hook(one))
                    file.entries.push_back({entry.kind, entry.path, edit::compact_json(one)});
        } else if (entry.kind != Kind::file) {
            ASSIGN_OR_RETURN(const auto there, edit::json_at(text, entry.path));
            if (there) file.entries.push_back({entry.kind, entry.path, edit::compact_json(*there)});
        }
    }
    return file;
}

std::vector<ClientFile> files_of(Client client, const Ways& ways) {
    std::vector<ClientFile> files;
    if (client == Client::dyad) return files;
    if (client == Client::agent_plugin) {
        for (const PluginFile& one : plugin_files())
            files.push_back({plugin_folder(ways) + "/" + std::string(one.name),
                             {{Kind::file, {}, std::string(one.text)}}});
        return files;
    }
    files.push_back(server_file(client, ways));
    if (ways.hooks)
        if (std::optional<ClientFile> hooks = hooks_of(client, ways))
            files.push_back(*std::move(hooks));
    return files;
}

std::string dyad_link(const Ways& ways) {
    std::string command = ways.program;  // taken apart at blanks
    for (const std::string& word : arguments(ways))
        command.append(" ").append(word);
    const std::string config = ways.stdio ? R"({"type":"stdio","command":)" + as_json(command) + "}"
                                          : R"({"type":"http","url":)" + as_json(ways.url) + "}";
    return std::string("dyad://add-mcp-server?name=") + kName +
           "&config=" + net::percent_encode(to_base64(as_bytes(config)));
}

std::string plugin_folder(const Ways& ways) {
    return ways.project ? *ways.project + "/dyad-memory-plugin"
                        : ways.config_home + "/dyad-memory/agent-plugin";
}

}  // namespace dyad::cli
