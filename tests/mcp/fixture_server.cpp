// A server of the test registry: what @modelcontextprotocol/conformance calls by name, at /mcp. Its
// memory is in a folder of its own, or where the settings in the environment say. For tests only.
//
//     mcp_fixture_server PORT DATA_DIR
#include "cli/backends.hpp"
#include "mcp/fixture_registry.hpp"
#include "server/live/live_hub.hpp"
#include "server/live/plain_renderer.hpp"
#include "server/mcp/endpoint.hpp"
#include "server/rest/api.hpp"
#include "server/server.hpp"
#include "server/session_notes.hpp"

#include <cstdio>
#include <cstdlib>

namespace {

using namespace dyad;

server::Parts make_parts(const cli::Resolved& settings,
                         const server::live::PlainRenderer& renderer) {
    static const server::mcp::Mount kMounts[] = {{"/mcp", &test::fixture_registry()}};
    server::Parts parts;
    cli::add_backends(parts, settings);
    parts.http = [switchboard = std::make_shared<server::mcp::Switchboard>(parts.secret),
                  notes = std::make_shared<server::SessionNotes>()](
                     server::Node& node) -> server::HttpHandler {
        node.engine().on_note([switchboard, notes](const SessionNote& note) {
            notes->take(note, [&] { switchboard->sessions.take(note); });
        });
        return [api = std::make_shared<server::rest::Api>(node),
                gate = std::make_shared<server::mcp::Gate>(node, switchboard, kMounts)](
                   server::ExchangePtr exchange) {
            if (!gate->handle(exchange)) api->handle(std::move(exchange));
        };
    };
    parts.live = [](server::Cell& cell) { return std::make_unique<server::live::LiveHub>(cell); };
    parts.renderer = &renderer;
    return parts;
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 3) return 2;
    const cli::Resolved resolved = cli::resolve(cli::read_inputs({}, ""));
    server::Settings settings = cli::server_settings(resolved);
    settings.host = "127.0.0.1";
    settings.port = static_cast<std::uint16_t>(std::atoi(arguments[1]));
    settings.data_dir = arguments[2];
    settings.user_id = "conformance";
    const server::live::PlainRenderer renderer;
    auto server = server::Server::start(std::move(settings), make_parts(resolved, renderer),
                                        static_cast<std::size_t>(resolved.integer("DYAD_CELLS")));
    if (!server) {
        std::fprintf(stderr, "%s\n", server.error().to_string().c_str());
        return 1;
    }
    (*server)->run();
    return 0;
}
