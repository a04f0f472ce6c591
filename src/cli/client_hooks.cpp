// The hooks of each client: at which events it runs `dyad-memory hook CLIENT`, and how its file
// says so.
#include "cli/client_files.hpp"
#include "cli/text.hpp"

namespace dyad::cli {
namespace {

struct HookRow {
    Client client;
    const char* event;
    const char* matcher;  // of the tools; empty: there is none
    int timeout_s;
};

// What is asked of a person's patience: a prompt waits for its hook. A session's end has 1.5 s.
constexpr HookRow kHooks[] = {
    {Client::claude_code, "SessionStart", "", 10},
    {Client::claude_code, "UserPromptSubmit", "", 5},
    {Client::claude_code, "PreToolUse", "Edit|MultiEdit|Write|NotebookEdit", 10},
    {Client::claude_code, "PreCompact", "", 10},
    {Client::claude_code, "PostCompact", "", 10},
    {Client::claude_code, "Stop", "", 10},
    {Client::claude_code, "SessionEnd", "", 1},
    {Client::codex, "SessionStart", "", 10},
    {Client::codex, "UserPromptSubmit", "", 5},
    {Client::codex, "PreToolUse", "apply_patch|Edit|Write", 10},
    {Client::codex, "PreCompact", "", 10},
    {Client::codex, "PostCompact", "", 10},
    {Client::codex, "Stop", "", 10},
    {Client::codex, "SessionEnd", "", 1},
    {Client::vscode, "SessionStart", "", 10},
    {Client::vscode, "UserPromptSubmit", "", 5},
    {Client::vscode, "PreToolUse", "", 10},
    {Client::vscode, "PreCompact", "", 10},
    {Client::vscode, "Stop", "", 10},
    {Client::cursor, "sessionStart", "", 10},
    {Client::cursor, "beforeSubmitPrompt", "", 5},
    {Client::cursor, "preToolUse", "Write", 10},
    {Client::cursor, "preCompact", "", 10},
    {Client::cursor, "stop", "", 10},
    {Client::cursor, "sessionEnd", "", 1},
};

// As a shell takes it. Before a tool the event is named: what cannot be read is refused then.
std::string command_of(const HookRow& row, const Ways& ways) {
    const bool plain = ways.program.find_first_of(" '\"\\$`") == std::string::npos;
    std::string out = plain ? ways.program : in_quotes(ways.program);
    out.append(" hook ").append(client_names()[static_cast<std::size_t>(row.client)]);
    if (const std::string_view event = row.event; event.ends_with("reToolUse"))
        out.append(" ").append(event);
    for (const std::string& word : ways.options)
        out.append(" ").append(in_quotes(word));
    return out;
}

std::string element_of(const HookRow& row, const std::string& command) {
    std::string matcher;
    if (*row.matcher != '\0') matcher = "\"matcher\":" + as_json(row.matcher) + ",";
    const std::string handler =
        "\"command\":" + as_json(command) + ",\"timeout\":" + std::to_string(row.timeout_s) + "}";
    if (row.client == Client::cursor) return "{" + matcher + handler;
    const std::string typed = "{\"type\":\"command\"," + handler;
    if (row.client == Client::vscode) return typed;
    return "{" + matcher + "\"hooks\":[" + typed + "]}";
}

std::string hooks_path(Client client, const Ways& ways) {
    const std::string in = ways.project.value_or(ways.home);
    if (client == Client::cursor) return in + "/.cursor/hooks.json";
    if (client == Client::vscode)
        return in + (ways.project ? "/.github" : "/.copilot") + "/hooks/dyad-memory.json";
    const bool claude = client == Client::claude_code;
    const std::string folder = in + (claude ? "/.claude" : "/.codex");
    return (ways.project ? folder
                         : folder_or(claude ? "CLAUDE_CONFIG_DIR" : "CODEX_HOME", folder)) +
           (claude ? "/settings.json" : "/hooks.json");
}

}  // namespace

std::optional<ClientFile> hooks_of(Client client, const Ways& ways) {
    ClientFile file{hooks_path(client, ways), {}};
    if (client == Client::cursor) file.entries.push_back({Entry::Kind::needed, {"version"}, "1"});
    for (const HookRow& row : kHooks)
        if (row.client == client)
            file.entries.push_back({Entry::Kind::element,
                                    {"hooks", row.event},
                                    element_of(row, command_of(row, ways))});
    if (file.entries.empty()) return std::nullopt;
    return file;
}

bool is_our_hook(std::string_view json) {
    return json.find("dyad-memory") != json.npos && json.find(" hook ") != json.npos;
}

}  // namespace dyad::cli
