#include "cli/start_server.hpp"

#include "server/live/live_hub.hpp"
#include "server/live/plain_renderer.hpp"
#include "server/rest/api.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace dyad::cli {

Result<std::unique_ptr<server::Server>> start_server(const server::Settings& settings) {
    server::Server::prepare_process();  // before the store has its thread
    SystemRandom random;
    sqlite::DatabaseOptions options;
    options.folder = settings.data_dir;
    Result<std::shared_ptr<sqlite::Database>> database =
        sqlite::Database::open(std::move(options), random);
    if (!database) return database.error();
    static const server::live::PlainRenderer renderer;
    server::Parts parts;
    parts.store = [database = *database](
                      const server::Settings&,
                      server::Parts::Post post) -> Result<std::unique_ptr<Store>> {
        return std::unique_ptr<Store>(
            std::make_unique<sqlite::SqliteStore>(database, std::move(post)));
    };
    parts.http = [](server::Node& node) -> server::HttpHandler {
        auto api = std::make_shared<server::rest::Api>(node);
        return [api](server::ExchangePtr exchange) { api->handle(std::move(exchange)); };
    };
    parts.live = [](server::Cell& cell) -> std::unique_ptr<server::LiveService> {
        return std::make_unique<server::live::LiveHub>(cell);
    };
    parts.renderer = &renderer;
    return server::Server::start(settings, parts);
}

}  // namespace dyad::cli
