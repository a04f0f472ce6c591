#include "ops/embedded_store.hpp"

#include "store/sqlite/database.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace dyad::ops {

std::function<Result<std::unique_ptr<Store>>(const server::Settings&, server::Parts::Post)>
embedded_store() {
    auto shared = std::make_shared<std::weak_ptr<sqlite::Database>>();
    return [shared](const server::Settings& settings,
                    server::Parts::Post post) -> Result<std::unique_ptr<Store>> {
        std::shared_ptr<sqlite::Database> database = shared->lock();
        if (!database) {
            SystemRandom random;
            sqlite::DatabaseOptions options;
            options.folder = settings.data_dir;
            Result<std::shared_ptr<sqlite::Database>> opened =
                sqlite::Database::open(std::move(options), random);
            if (!opened) return opened.error();
            database = *std::move(opened);
            *shared = database;
        }
        return std::unique_ptr<Store>(
            std::make_unique<sqlite::SqliteStore>(std::move(database), std::move(post)));
    };
}

}  // namespace dyad::ops
