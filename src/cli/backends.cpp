#include "cli/backends.hpp"

#include "base/mutex.hpp"
#include "cli/on_demand.hpp"
#include "net/loop.hpp"
#include "store/mongo/mongo_store.hpp"
#include "store/sqlite/database.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace dyad::cli {
namespace {

constexpr std::int64_t kSecretLookMs = 50;

// What the nodes of one store sign with: the store knows it once it is reached, on a thread of its
// own. Threads: any.
class Secret {
  public:
    void set(std::string value) EXCLUDES(mutex_) {
        const MutexLock held(mutex_);
        value_ = std::move(value);
    }
    std::string get() const EXCLUDES(mutex_) {
        const MutexLock held(mutex_);
        return value_;
    }

  private:
    mutable Mutex mutex_;
    std::string value_ GUARDED_BY(mutex_);
};
using SecretPtr = std::shared_ptr<Secret>;

Result<std::shared_ptr<sqlite::Database>> open_sqlite(const server::Settings& settings) {
    SystemRandom random;
    sqlite::DatabaseOptions options;
    options.folder = settings.data_dir;
    return sqlite::Database::open(std::move(options), random);
}

Result<std::shared_ptr<mongo::Database>> open_mongo(mongo::MongoOptions options,
                                                    const SecretPtr& secret) {
    TRY(load_mongoc());
    SystemRandom random;
    auto database = mongo::Database::open(std::move(options), random);
    if (!database && database.error().code == Errc::storage_unavailable)
        return fail(Errc::storage_unavailable,
                    database.error().detail +
                        "; correct the user, the password or authSource in MONGODB_URL");
    if (!database) return database.error();
    (*database)->on_secret([secret](const std::string& value) { secret->set(value); });
    return database;
}

// A store on a database that all cells share: the first call opens it, the last cell's store
// closes it.
template <class Store, class Open>
auto store_of(Open open) {
    using Opened = std::remove_cvref_t<decltype(*open(server::Settings()))>;
    return [open, shared = std::weak_ptr<typename Opened::element_type>()](
               const server::Settings& settings,
               server::Parts::Post post) mutable -> Result<std::unique_ptr<dyad::Store>> {
        Opened database = shared.lock();
        if (!database) {
            ASSIGN_OR_RETURN(database, open(settings));
            shared = database;
        }
        return std::unique_ptr<dyad::Store>(
            std::make_unique<Store>(std::move(database), std::move(post)));
    };
}

// The bus follows the secret, for as long as its loop runs.
void follow_secret(net::Loop& loop, bus::RedisBus& bus, const SecretPtr& secret,
                   const std::string& known) {
    const std::string now = secret->get();
    if (now != known) bus.set_secret(now);
    // It changes only where the store is replaced by another one.
    loop.after(now.empty() ? kSecretLookMs : 100 * kSecretLookMs,
               [&loop, &bus, secret, now] { follow_secret(loop, bus, secret, now); });
}

}  // namespace

mongo::MongoOptions mongo_options(const Resolved& settings) {
    mongo::MongoOptions options;
    options.url = settings.text("MONGODB_URL");
    options.database = settings.text("MONGODB_DATABASE");
    options.pool_max = static_cast<std::size_t>(settings.integer("MONGODB_MAX_POOL_SIZE"));
    options.pool_min = static_cast<std::size_t>(settings.integer("MONGODB_MIN_POOL_SIZE"));
    options.tls = settings.boolean("MONGODB_TLS");
    options.ca_file = settings.text("MONGODB_TLS_CA_FILE");
    return options;
}

bus::RedisOptions redis_options(const Resolved& settings) {
    bus::RedisOptions options;
    options.url = *bus::RedisUrl::parse(settings.text("REDIS_URL"));
    options.tls = settings.boolean("REDIS_TLS");
    options.ca_file = settings.text("REDIS_TLS_CA_FILE");
    options.reconnect_attempts = settings.integer("REDIS_MAX_RECONNECT_ATTEMPTS");
    return options;
}

void add_backends(server::Parts& parts, const Resolved& settings) {
    const auto secret = std::make_shared<Secret>();
    parts.secret = [secret] { return secret->get(); };
    if (settings.follows_master("ENABLE_MONGODB")) {
        parts.store = store_of<mongo::MongoStore>(
            [options = mongo_options(settings), secret](const server::Settings&) {
                return open_mongo(options, secret);
            });
    } else {
        // No other node has this store, so nobody else needs to know the secret.
        secret->set(SystemRandom().uuid4());
        parts.store = store_of<sqlite::SqliteStore>(open_sqlite);
    }
    if (!settings.follows_master("ENABLE_REDIS")) return;
    parts.bus = [options = redis_options(settings), secret](
                    net::Loop& loop, Random& random,
                    const std::string& instance_id) -> Result<std::unique_ptr<Bus>> {
        if (options.tls || options.url.tls) TRY(load_ssl());
        bus::RedisOptions own = options;
        own.instance_id = instance_id;
        auto bus = std::make_unique<bus::RedisBus>(loop, std::move(own), random);
        follow_secret(loop, *bus, secret, "");
        return std::unique_ptr<Bus>(std::move(bus));
    };
}

std::string describe_store(const Resolved& settings) {
    if (!settings.follows_master("ENABLE_MONGODB")) return settings.data_dir();
    return shown_setting(*find_setting("MONGODB_URL"), settings.text("MONGODB_URL")) +
           ", database " + settings.text("MONGODB_DATABASE");
}

}  // namespace dyad::cli
