// A server of the test registry: what @modelcontextprotocol/conformance calls by name, at /mcp,
// over the embedded store in a folder of its own. For tests only.
//
//     mcp_fixture_server PORT DATA_DIR
#include "mcp/fixture_registry.hpp"
#include "server/live/live_hub.hpp"
#include "server/live/plain_renderer.hpp"
#include "server/mcp/endpoint.hpp"
#include "server/rest/api.hpp"
#include "server/server.hpp"
#include "store/sqlite/database.hpp"
#include "store/sqlite/sqlite_store.hpp"

#include <cstdio>
#include <cstdlib>

namespace {

using namespace dyad;

server::Parts make_parts(const server::live::PlainRenderer& renderer) {
    static const server::mcp::Mount kMounts[] = {{"/mcp", &test::fixture_registry()}};
    server::Parts parts;
    parts.store = [shared = std::shared_ptr<sqlite::Database>()](
                      const server::Settings& settings,
                      server::Parts::Post post) mutable -> Result<std::unique_ptr<Store>> {
        SystemRandom random;
        sqlite::DatabaseOptions options;
        options.folder = settings.data_dir;
        if (!shared) {
            ASSIGN_OR_RETURN(shared, sqlite::Database::open(std::move(options), random));
        }
        return std::unique_ptr<Store>(
            std::make_unique<sqlite::SqliteStore>(shared, std::move(post)));
    };
    parts.http = [switchboard = std::make_shared<server::mcp::Switchboard>(nullptr)](
                     server::Node& node) -> server::HttpHandler {
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
    server::Settings settings;
    settings.host = "127.0.0.1";
    settings.port = static_cast<std::uint16_t>(std::atoi(arguments[1]));
    settings.data_dir = arguments[2];
    settings.user_id = "conformance";
    const server::live::PlainRenderer renderer;
    const char* const cells = std::getenv("DYAD_CELLS");
    auto server = server::Server::start(std::move(settings), make_parts(renderer),
                                        cells != nullptr ? std::strtoul(cells, nullptr, 10) : 1);
    if (!server) {
        std::fprintf(stderr, "%s\n", server.error().to_string().c_str());
        return 1;
    }
    (*server)->run();
    return 0;
}
