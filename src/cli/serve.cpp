// `dyad-memory serve`.
#include "auth/authority.hpp"
#include "base/log.hpp"
#include "cli/backends.hpp"
#include "cli/command.hpp"
#include "cli/server_place.hpp"
#include "cli/terminal.hpp"
#include "server/hooks/door.hpp"
#include "server/live/live_hub.hpp"
#include "server/live/plain_renderer.hpp"
#include "server/mcp/endpoint.hpp"
#include "server/mcp/others/others.hpp"
#include "server/mcp/product/product.hpp"
#include "server/rest/api.hpp"
#include "server/server.hpp"
#include "server/session_notes.hpp"

#include <filesystem>

#include <sys/resource.h>
#include <unistd.h>

// The allocator's: what only the start needed (the journals are read whole) goes back to the
// system. Sanitizers have another allocator, without it.
extern "C" [[gnu::weak]] void mi_collect(bool force) noexcept;

namespace dyad::cli {
namespace {

constexpr std::string_view kScope = "distributed_memory";

// A core dump would hold what users remember. A limit of one byte, where zero would still allow
// dumps that are piped to a program. Unlike PR_SET_DUMPABLE it leaves /proc/self readable for the
// owner, so that a second server can say who holds the port.
void forbid_core_dumps() {
    const rlimit none{1, 1};
    static_cast<void>(setrlimit(RLIMIT_CORE, &none));
}

void configure_log(const Resolved& settings) {
    log::configure(*log::level_by_name(settings.text("LOG_LEVEL")),
                   settings.text("LOG_FORMAT") == "json" ? log::Format::json : log::Format::text,
                   settings.text("DEBUG"));
}

// The parts of every cell. Lifetime: until the server's end.
server::Parts make_parts(const Resolved& settings, const server::live::PlainRenderer& renderer) {
    server::Parts parts;
    add_backends(parts, settings);
    static const server::mcp::Mount kMounts[] = {
        {"/mcp", &server::mcp::product_registry()},
        {"/mcp/reference", &server::mcp::reference_registry()},
        {"/mcp/openmemory", &server::mcp::openmemory_registry()}};
    parts.http = [switchboard = std::make_shared<server::mcp::Switchboard>(parts.secret),
                  notes = std::make_shared<server::SessionNotes>()](
                     server::Node& node) -> server::HttpHandler {
        node.engine().on_note([&node, switchboard, notes](const SessionNote& note) {
            notes->take(note, [&] {
                switchboard->sessions.take(note);
                server::mcp::Shown::of_process().take(note);
                server::hooks::Sessions::of_process().take(note, node.clock().steady_ms());
            });
        });
        return [api = std::make_shared<server::rest::Api>(node),
                hooks = std::make_shared<server::hooks::Door>(node),
                gate = std::make_shared<server::mcp::Gate>(node, switchboard, kMounts)](
                   server::ExchangePtr exchange) {
            if (server::hooks::Door::takes(exchange->request())) return hooks->handle(exchange);
            if (!gate->handle(exchange)) api->handle(std::move(exchange));
        };
    };
    parts.live = [](server::Cell& cell) { return std::make_unique<server::live::LiveHub>(cell); };
    parts.renderer = &renderer;
    return parts;
}

// For whoever started it by hand; a service manager reads the log instead.
void greet(const Resolved& settings, bool loopback) {
    const std::string& port = settings.text("WS_SYNC_PORT");
    print_line(paint(Colour::bold, "Dyad Distributed Memory ") + DYAD_VERSION + " is running");
    print_line("  Status page  " + paint(Colour::cyan, settings.own_url()));
    print_line("  WebSocket    ws" + settings.own_url().substr(4) + "/sync");
    print_line("  Memory       " + printable(describe_store(settings)) + " (user \"" +
               printable(settings.user_id()) + "\" where a client names none)");
    if (!loopback)
        print_line(paint(Colour::amber, "  Open         ") +
                   "other machines reach this port, and nobody is asked who they are");
    print_line("  Stop         Ctrl-C, or: kill " + std::to_string(getpid()) +
               paint(Colour::dim, "  (port " + port + " of " + settings.text("DYAD_HOST") + ")"));
    flush_output();
}

// Versions before this one took `~/memory` by the letter: what they made must not be left behind
// unseen for an empty memory.
bool is_left_behind(const Resolved& settings, const std::string& data_dir) {
    namespace fs = std::filesystem;
    const std::string& by_letter = settings.at("DYAD_DATA_DIR").by_letter;
    const fs::path before = fs::path(settings.working_folder) / by_letter;
    std::error_code error;
    if (by_letter.empty() || !fs::exists(before / "memory.db", error) ||
        fs::exists(fs::path(data_dir) / "memory.db", error))
        return false;
    complain("dyad-memory: DYAD_DATA_DIR: " + printable(by_letter) + " means " +
             printable(data_dir) + ", but a memory is in " + printable(before.string()) +
             ", where an earlier version made it; move that folder there");
    return true;
}

Exit refuse(const Error& error, const Resolved& settings) {
    complain("dyad-memory: " + printable(error.detail.empty()
                                             ? std::string(error_row(error.code).message)
                                             : error.detail));
    if (error.code == Errc::storage_damaged && !settings.follows_master("ENABLE_MONGODB"))
        complain("dyad-memory: nothing was changed; dyad-memory doctor says more about " +
                 printable(settings.data_dir()));
    return error.code == Errc::invalid_field ? Exit::usage : Exit::failed;
}

Exit run_serve(const CommonOptions& common) {
    forbid_core_dumps();
    const Resolved settings = resolve(read_inputs(common.flags, common.env_file, true));
    for (const Problem& problem : settings.problems)
        if (problem.fatal) complain("dyad-memory: " + printable(problem.text));
    if (settings.has_fatal()) return Exit::usage;
    configure_log(settings);
    for (const Problem& problem : settings.problems)
        log::warn(kScope, problem.text);
    if (!settings.note.empty()) log::info(kScope, settings.note);
    const std::string data_dir = settings.data_dir();
    const bool embedded = !settings.follows_master("ENABLE_MONGODB");
    if (embedded && data_dir.empty()) {
        complain(
            "dyad-memory: there is no HOME to keep the memory in; name a folder with "
            "--data-dir or DYAD_DATA_DIR");
        return Exit::usage;
    }
    if (embedded && is_left_behind(settings, data_dir)) return Exit::usage;
    const server::live::PlainRenderer renderer;
    Result<std::unique_ptr<server::Server>> server =
        server::Server::start(server_settings(settings), make_parts(settings, renderer),
                              static_cast<std::size_t>(settings.integer("DYAD_CELLS")));
    if (!server) return refuse(server.error(), settings);
    const PlaceNotice notice(settings);
    if (mi_collect != nullptr) mi_collect(true);
    log::info(kScope, std::string("version ") + DYAD_VERSION + ", memory in " +
                          describe_store(settings) + ", listening at " + settings.own_url());
    if (output_is_terminal()) greet(settings, auth::is_loopback(settings.text("DYAD_HOST")));
    (*server)->run();
    return Exit::ok;
}

}  // namespace

void add_serve(Command& root) {
    Command serve = root.add("serve", "Run the server", Run(run_serve));
    for (const SettingRow& row : settings_table())
        if (!row.flag.empty() && row.name != "DYAD_URL" && row.name != "DISTRIBUTED_USER_ID")
            serve.setting(row.name);
}

}  // namespace dyad::cli
