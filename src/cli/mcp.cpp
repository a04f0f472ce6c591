// `dyad-memory mcp`.
#include "cli/command.hpp"
#include "cli/mcp_shim.hpp"
#include "cli/rest_client.hpp"

namespace dyad::cli {
namespace {

constexpr const char* kAbout =
    "Speak MCP on standard input and output, for clients that start a program";
constexpr const char* kMore =
    "Finds the running server by itself, and starts one where none runs, whose log is in\n"
    "~/.local/state/dyad-memory/server.log; with --url or DYAD_URL it uses that server only.\n"
    "dyad-memory connect puts it, or the server's own URL, into a client's configuration.\n\n";

Exit run_mcp(const CommonOptions& common) {
    const std::optional<Resolved> settings = client_settings(common);
    if (!settings) return Exit::usage;
    net::Headers names;
    if (settings->at("DISTRIBUTED_USER_ID").given)
        names.emplace_back("Dyad-User", settings->user_id());
    if (!common.instance.empty()) names.emplace_back("Dyad-Instance", common.instance);
    return McpShim(ServerFinder(*settings, common), std::move(names)).run();
}

}  // namespace

void add_mcp(Command& root) {
    Command mcp = root.add("mcp", kAbout, Run(run_mcp));
    for (const char* const name : {"WS_SYNC_PORT", "DYAD_HOST", "DYAD_DATA_DIR"})
        mcp.setting(name);
    mcp.footer(kMore);
}

}  // namespace dyad::cli
