#include "store/mongo/pool.hpp"

#include "base/log.hpp"
#include "store/mongo/database.hpp"

#include <mutex>

namespace dyad::mongo {
namespace {

constexpr std::int32_t kSelectionMs = 3000;
constexpr std::int32_t kConnectMs = 3000;
constexpr std::int32_t kSocketMs = 8000;  // without an answer

// The driver's own words are for whoever debugs it.
void take_log(mongoc_log_level_t level, const char* domain, const char* text, void*) {
    if (level <= MONGOC_LOG_LEVEL_WARNING)
        log::debug("mongodb_client", std::string(domain) + ": " + text);
}

void init_driver() {
    static std::once_flag once;
    std::call_once(once, [] {
        mongoc_init();
        mongoc_log_set_handler(take_log, nullptr);
    });
}

bool is_primary(const mongoc_server_description_t* server) {
    const std::string_view type = mongoc_server_description_type(server);
    return type == "RSPrimary" || type == "Standalone" || type == "Mongos";
}

void server_changed(const mongoc_apm_server_changed_t* change) {
    if (is_primary(mongoc_apm_server_changed_get_new_description(change)) &&
        !is_primary(mongoc_apm_server_changed_get_previous_description(change)))
        static_cast<Shared*>(mongoc_apm_server_changed_get_context(change))->heads.begin_era();
}

void set_options(mongoc_uri_t* uri, const MongoOptions& options) {
    mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYWRITES, false);
    mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYREADS, false);
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_MAXPOOLSIZE,
                                   static_cast<std::int32_t>(options.pool_max + 1));
    const auto unless_said = [uri](const char* option, std::int32_t value) {
        if (!mongoc_uri_has_option(uri, option)) mongoc_uri_set_option_as_int32(uri, option, value);
    };
    unless_said(MONGOC_URI_SERVERSELECTIONTIMEOUTMS, kSelectionMs);
    unless_said(MONGOC_URI_CONNECTTIMEOUTMS, kConnectMs);
    unless_said(MONGOC_URI_SOCKETTIMEOUTMS, kSocketMs);
    mongoc_uri_set_appname(uri, "dyad-memory");
    if (options.tls && !mongoc_uri_has_option(uri, MONGOC_URI_TLS))
        mongoc_uri_set_option_as_bool(uri, MONGOC_URI_TLS, true);
    if (!options.ca_file.empty() && mongoc_uri_get_tls(uri))
        mongoc_uri_set_option_as_utf8(uri, MONGOC_URI_TLSCAFILE, options.ca_file.c_str());
}

}  // namespace

Result<std::unique_ptr<Pool>> Pool::make(const MongoOptions& options, Shared* shared) {
    init_driver();
    bson_error_t error{};
    const std::unique_ptr<mongoc_uri_t, void (*)(mongoc_uri_t*)> uri(
        mongoc_uri_new_with_error(options.url.c_str(), &error), mongoc_uri_destroy);
    if (!uri) return fail(Errc::invalid_field, std::string("MONGODB_URL: ") + error.message);
    set_options(uri.get(), options);
    Clients clients(mongoc_client_pool_new_with_error(uri.get(), &error),
                    mongoc_client_pool_destroy);
    if (!clients) return fail(Errc::invalid_field, std::string("MONGODB_URL: ") + error.message);
    mongoc_client_pool_set_error_api(clients.get(), MONGOC_ERROR_API_VERSION_2);
    std::unique_ptr<Pool> pool(new Pool(std::move(clients)));
    if (shared != nullptr) pool->tell(*shared);
    return pool;
}

void Pool::tell(Shared& shared) {
    const std::unique_ptr<mongoc_apm_callbacks_t, void (*)(mongoc_apm_callbacks_t*)> callbacks(
        mongoc_apm_callbacks_new(), mongoc_apm_callbacks_destroy);
    mongoc_apm_set_server_changed_cb(callbacks.get(), server_changed);
    mongoc_client_pool_set_apm_callbacks(clients_.get(), callbacks.get(), &shared);
}

}  // namespace dyad::mongo
