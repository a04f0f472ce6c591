#include "cli/settings_table.hpp"

#include "cli/text.hpp"

namespace dyad::cli {
namespace {

using enum SettingType;

constexpr std::int64_t kPortMax = 65535;
constexpr std::int64_t kDaysMax = 36500;
constexpr std::string_view kOthers = "mongodb and redis";

// clang-format off
constexpr SettingRow kTable[] = {
    {"WS_SYNC_PORT", "", "--port", integer, "8765", 1, kPortMax, "", "", "server",
     "The port of the WebSocket, REST and the status page."},
    {"DYAD_HOST", "", "--host", address, "localhost", 0, 0, "", "", "server",
     "The address the server listens on. localhost: 127.0.0.1 and ::1. One that other machines "
     "reach, such as :: for all of both families, needs DYAD_ALLOW_REMOTE."},
    {"DYAD_ALLOW_REMOTE", "", "--allow-remote", boolean, "false", 0, 0, "", "", "server",
     "Allow a DYAD_HOST that other machines reach. Whoever reaches it can read and write every "
     "user's memory: put an authenticating TLS proxy in front."},
    {"DYAD_DATA_DIR", "", "--data-dir", path, "", 0, 0, "", "", "server",
     "The folder of the embedded store; with MongoDB there is none. Default: "
     "$XDG_DATA_HOME/dyad-memory, or ~/.local/share/dyad-memory."},
    {"DYAD_CELLS", "", "--cells", integer, "1", 1, 64, "threads", "", "server",
     "Threads that serve connections."},
    {"DISTRIBUTED_USER_ID", "", "--user", text, "", 0, 256, "", "", "user",
     "Whose memory is meant where a client does not say. Without it: \"local\". Required with "
     "ENABLE_DISTRIBUTED_MEMORY=true."},
    {"DYAD_URL", "", "--url", http_url, "", 0, 0, "", "", "client",
     "Where the command line finds the server. Default: http://DYAD_HOST:WS_SYNC_PORT."},
    {"ENABLE_WEBSOCKET", "", "--websocket", boolean, "true", 0, 0, "", "", "switches",
     "Serve live clients over WebSocket."},
    {"ENABLE_REAL_TIME_EVENTS", "", "--real-time-events", boolean, "true", 0, 0, "", "", "switches",
     "Send each change to the other clients at once."},
    {"ENABLE_GLASS_BOX_TRACKING", "", "--glass-box-tracking", boolean, "true", 0, 0, "", "",
     "switches", "Record where AI responses come from."},
    {"WS_PING_INTERVAL", "", "--ping-interval", integer, "30000", 100, 3'600'000, "ms", "", "live",
     "How long a connection may be silent before the server sends a ping."},
    {"WS_STALE_TIMEOUT", "", "--stale-timeout", integer, "90000", 200, 7'200'000, "ms", "", "live",
     "How long without a sign of life until a connection is closed. More than WS_PING_INTERVAL."},
    {"ALLOWED_ORIGINS", "WS_ALLOWED_ORIGINS", "--allowed-origins", origins, "", 0, 0, "", "",
     "live", "Web pages that may connect beside the server's own: scheme://host[:port], exact, "
     "separated by commas."},
    {"ALLOWED_HOSTS", "WS_ALLOWED_HOSTS", "--allowed-hosts", hosts, "", 0, 0, "", "", "live",
     "Names under which the server may be asked for beside the loopback ones (for a proxy): "
     "host[:port], separated by commas."},
    {"SYNC_EVENT_TTL_DAYS", "", "--event-ttl-days", integer, "7", 0, kDaysMax, "days", "",
     "retention", "How long events stay in the log. 0: for ever."},
    {"CONTEXT_TTL_DAYS", "", "--context-ttl-days", integer, "30", 0, kDaysMax, "days", "",
     "retention", "How long a context stays after its last change. 0: for ever."},
    {"DYAD_CLOCK_HOLD_HOURS", "", "--clock-hold-hours", integer, "24", 0, 8760, "hours", "",
     "retention", "How long the clock has to stand after a jump, or after the machine was off, "
     "before anything expires by it: minutes to so many hours, the longer the further it went. 0: "
     "not at all."},
    {"LOG_LEVEL", "", "--log-level", choice, "info", 0, 0, "", "debug info warn error off", "log",
     "The least level that is logged."},
    {"LOG_FORMAT", "", "--log-format", choice, "text", 0, 0, "", "text json", "log",
     "Lines of text, or one JSON object per line."},
    {"DEBUG", "", "--debug", scopes, "", 0, 1024, "", "", "log",
     "Scopes that log at debug level: dyad:distributed:*, or for example "
     "dyad:distributed:access (a line for each HTTP request); separated by commas."},
    {"ENABLE_DISTRIBUTED_MEMORY", "", "", boolean, "false", 0, 0, "", "", kOthers,
     "Be one of many nodes: the memory in MongoDB, the nodes joined by Redis. Off: the embedded "
     "store and a bus inside the process. Needs DISTRIBUTED_USER_ID."},
    {"ENABLE_MONGODB", "", "", boolean, "", 0, 0, "", "", kOthers,
     "Keep the memory in MongoDB. Follows ENABLE_DISTRIBUTED_MEMORY where it is not set. Without "
     "Redis other nodes' writes are found by looking, after some 250 ms."},
    {"ENABLE_REDIS", "", "", boolean, "", 0, 0, "", "", kOthers,
     "Tell other nodes and existing instances through Redis. Follows ENABLE_DISTRIBUTED_MEMORY "
     "where it is not set."},
    {"MONGODB_URL", "", "", mongodb_url, "mongodb://localhost:27017", 0, 0, "", "", kOthers,
     "Where MongoDB is: mongodb:// or mongodb+srv://, with the credentials and options that its "
     "drivers know (?authSource=, ?replicaSet=, ?tls=)."},
    {"MONGODB_DATABASE", "", "", database_name, "dyad_distributed", 1, 63, "", "", kOthers,
     "The database that existing instances use, too."},
    {"MONGODB_MAX_POOL_SIZE", "", "", integer, "10", 1, 1000, "connections", "", kOthers,
     "Connections to MongoDB at most."},
    {"MONGODB_MIN_POOL_SIZE", "", "", integer, "2", 0, 1000, "connections", "", kOthers,
     "Connections to MongoDB at least. Not more than MONGODB_MAX_POOL_SIZE."},
    {"MONGODB_TLS", "", "", boolean, "false", 0, 0, "", "", kOthers,
     "TLS to MongoDB where its URL does not say it; mongodb+srv:// does. Certificates are "
     "verified."},
    {"MONGODB_TLS_CA_FILE", "", "", file, "", 0, 0, "", "", kOthers,
     "The authorities that MongoDB's certificate is verified by, as PEM. Default: the system's."},
    {"REDIS_URL", "", "", redis_url, "redis://localhost:6379", 0, 0, "", "", kOthers,
     "Where Redis is: redis:// or rediss:// (TLS), with credentials and /database; any node of a "
     "Redis Cluster."},
    {"REDIS_MAX_RECONNECT_ATTEMPTS", "", "", integer, "10", 0, 1'000'000, "attempts", "", kOthers,
     "The pause between attempts grows for so many of them; then it stays. They never end."},
    {"REDIS_TLS", "", "", boolean, "false", 0, 0, "", "", kOthers,
     "TLS to Redis where its URL does not say it; rediss:// does. Certificates are verified."},
    {"REDIS_TLS_CA_FILE", "", "", file, "", 0, 0, "", "", kOthers,
     "The authorities that Redis's certificate is verified by, as PEM. Default: the system's."},
    {"WS_TLS", "", "", boolean, "false", 0, 0, "", "", "live",
     "TLS by the server itself is not part of this version: `true` is refused rather than served "
     "without encryption. Put a TLS proxy in front."},
};
// clang-format on

}  // namespace

std::span<const SettingRow> settings_table() noexcept {
    return kTable;
}

const SettingRow* find_setting(std::string_view name) noexcept {
    for (const SettingRow& row : kTable)
        if (row.name == name || (!row.alias.empty() && row.alias == name)) return &row;
    return nullptr;
}

const SettingRow* nearest_setting(std::string_view name) noexcept {
    std::vector<std::string> names;
    for (const SettingRow& row : kTable)
        names.emplace_back(row.name);
    return find_setting(nearest(name, names, 3));
}

}  // namespace dyad::cli
