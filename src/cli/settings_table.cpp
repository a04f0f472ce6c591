#include "cli/settings_table.hpp"

#include "cli/nearest.hpp"
#include "net/http_client.hpp"

#include <algorithm>
#include <charconv>
#include <vector>

#include <arpa/inet.h>

namespace dyad::cli {
namespace {

using enum SettingType;

constexpr std::int64_t kPortMax = 65535;
constexpr std::int64_t kDaysMax = 36500;

// clang-format off
constexpr SettingRow kTable[] = {
    {"WS_SYNC_PORT", "", "--port", integer, "8765", 1, kPortMax, "", "", false, "server",
     "The port of the WebSocket, REST and the status page."},
    {"DYAD_HOST", "", "--host", address, "127.0.0.1", 0, 0, "", "", false, "server",
     "The address the server listens on. One that other machines reach needs DYAD_ALLOW_REMOTE."},
    {"DYAD_ALLOW_REMOTE", "", "--allow-remote", boolean, "false", 0, 0, "", "", false, "server",
     "Allow a DYAD_HOST that other machines reach. Whoever reaches it can read and write every "
     "user's memory: put an authenticating TLS proxy in front."},
    {"DYAD_DATA_DIR", "", "--data-dir", path, "", 0, 0, "", "", false, "server",
     "The folder of the embedded store. Default: $XDG_DATA_HOME/dyad-memory, or "
     "~/.local/share/dyad-memory."},
    {"DYAD_CELLS", "", "--cells", integer, "1", 1, 64, "threads", "", false, "server",
     "Threads that serve connections."},
    {"DISTRIBUTED_USER_ID", "", "--user", text, "", 0, 256, "", "", false, "user",
     "Whose memory is meant where a client does not say. Without it: \"local\". Required with "
     "ENABLE_DISTRIBUTED_MEMORY=true."},
    {"DYAD_URL", "", "--url", http_url, "", 0, 0, "", "", false, "client",
     "Where the command line finds the server. Default: http://DYAD_HOST:WS_SYNC_PORT."},
    {"ENABLE_WEBSOCKET", "", "--websocket", boolean, "true", 0, 0, "", "", false, "switches",
     "Serve live clients over WebSocket."},
    {"ENABLE_REAL_TIME_EVENTS", "", "--real-time-events", boolean, "true", 0, 0, "", "", false,
     "switches", "Send each change to the other clients at once."},
    {"ENABLE_GLASS_BOX_TRACKING", "", "--glass-box-tracking", boolean, "true", 0, 0, "", "", false,
     "switches", "Record where AI responses come from."},
    {"WS_PING_INTERVAL", "", "--ping-interval", integer, "30000", 100, 3'600'000, "ms", "", false,
     "live", "How long a connection may be silent before the server sends a ping."},
    {"WS_STALE_TIMEOUT", "", "--stale-timeout", integer, "90000", 200, 7'200'000, "ms", "", false,
     "live", "How long without a sign of life until a connection is closed. More than "
     "WS_PING_INTERVAL."},
    {"ALLOWED_ORIGINS", "WS_ALLOWED_ORIGINS", "--allowed-origins", origins, "", 0, 0, "", "", false,
     "live", "Web pages that may connect beside the server's own: scheme://host[:port], exact, "
     "separated by commas."},
    {"ALLOWED_HOSTS", "WS_ALLOWED_HOSTS", "--allowed-hosts", hosts, "", 0, 0, "", "", false, "live",
     "Names under which the server may be asked for beside the loopback ones (for a proxy): "
     "host[:port], separated by commas."},
    {"SYNC_EVENT_TTL_DAYS", "", "--event-ttl-days", integer, "7", 0, kDaysMax, "days", "", false,
     "retention", "How long events stay in the log. 0: for ever."},
    {"CONTEXT_TTL_DAYS", "", "--context-ttl-days", integer, "30", 0, kDaysMax, "days", "", false,
     "retention", "How long a context stays after its last change. 0: for ever."},
    {"LOG_LEVEL", "", "--log-level", choice, "info", 0, 0, "", "debug info warn error off", false,
     "log", "The least level that is logged."},
    {"LOG_FORMAT", "", "--log-format", choice, "text", 0, 0, "", "text json", false, "log",
     "Lines of text, or one JSON object per line."},
    {"DEBUG", "", "--debug", text, "", 0, 1024, "", "", false, "log",
     "Scopes that log at debug level: dyad:distributed:*, or for example "
     "dyad:distributed:websocket_sync; separated by commas."},
    {"ENABLE_DISTRIBUTED_MEMORY", "", "", boolean, "false", 0, 0, "", "", false,
     "mongodb and redis",
     "MongoDB and Redis. They are not part of this version: the embedded store is used, and the "
     "server says so."},
    {"ENABLE_MONGODB", "", "", boolean, "", 0, 0, "", "", false, "mongodb and redis",
     "Follows ENABLE_DISTRIBUTED_MEMORY. Not part of this version."},
    {"ENABLE_REDIS", "", "", boolean, "", 0, 0, "", "", false, "mongodb and redis",
     "Follows ENABLE_DISTRIBUTED_MEMORY. Not part of this version."},
    {"MONGODB_URL", "", "", mongodb_url, "mongodb://localhost:27017", 0, 0, "", "", true,
     "mongodb and redis", "Checked; not used in this version."},
    {"MONGODB_DATABASE", "", "", text, "dyad_distributed", 1, 63, "", "", false,
     "mongodb and redis", "Checked; not used in this version."},
    {"MONGODB_MAX_POOL_SIZE", "", "", integer, "10", 1, 1000, "connections", "", false,
     "mongodb and redis", "Checked; not used in this version."},
    {"MONGODB_MIN_POOL_SIZE", "", "", integer, "2", 0, 1000, "connections", "", false,
     "mongodb and redis", "Checked; not used in this version."},
    {"REDIS_URL", "", "", redis_url, "redis://localhost:6379", 0, 0, "", "", true,
     "mongodb and redis", "Checked; not used in this version."},
    {"REDIS_MAX_RECONNECT_ATTEMPTS", "", "", integer, "10", 0, 1'000'000, "attempts", "", false,
     "mongodb and redis", "Checked; not used in this version."},
    {"MONGODB_TLS", "", "", boolean, "false", 0, 0, "", "", false, "mongodb and redis",
     "Checked; not used in this version."},
    {"REDIS_TLS", "", "", boolean, "false", 0, 0, "", "", false, "mongodb and redis",
     "Checked; not used in this version."},
    {"WS_TLS", "", "", boolean, "false", 0, 0, "", "", false, "live",
     "TLS by the server itself is not part of this version: `true` is refused rather than served "
     "without encryption. Put a TLS proxy in front."},
};
// clang-format on

constexpr std::string_view kTrue[] = {"true", "1", "yes", "on"};
constexpr std::string_view kFalse[] = {"false", "0", "no", "off"};

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return out;
}

bool is_one_of(std::span<const std::string_view> words, std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

template <class Each>
bool all_parts(std::string_view list, char separator, Each each) {
    for (;;) {
        const std::size_t end = list.find(separator);
        if (!each(list.substr(0, end))) return false;
        if (end == std::string_view::npos) return true;
        list.remove_prefix(end + 1);
    }
}

bool is_port(std::string_view text) {
    unsigned value = 0;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
    return end.ec == std::errc() && end.ptr == text.data() + text.size() && value > 0 &&
           value <= kPortMax;
}

bool is_host_name(std::string_view text) {
    return !text.empty() && text.size() < 254 &&
           text.find_first_not_of(
               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
               "0123456789-._:[]") == std::string_view::npos;
}

// host[:port], [v6]:port.
bool is_host_and_port(std::string_view text) {
    const std::size_t bracket = text.rfind(']');
    const std::size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
    if (!is_host_name(text.substr(0, colon))) return false;
    return colon == std::string_view::npos || is_port(text.substr(colon + 1));
}

// The authority of a database URL: [user[:password]@]host[:port][,host[:port]…]
bool is_database_url(std::string_view url, std::initializer_list<std::string_view> schemes,
                     bool several) {
    for (const std::string_view scheme : schemes) {
        if (!url.starts_with(scheme)) continue;
        std::string_view rest = url.substr(scheme.size());
        rest = rest.substr(0, rest.find_first_of("/?"));
        if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos)
            rest.remove_prefix(at + 1);
        if (!several && rest.find(',') != std::string_view::npos) return false;
        return all_parts(rest, ',', is_host_and_port);
    }
    return false;
}

std::optional<std::string> check_integer(const SettingRow& row, std::string_view value) {
    std::int64_t number = 0;
    const auto end = std::from_chars(value.data(), value.data() + value.size(), number);
    if (end.ec == std::errc() && end.ptr == value.data() + value.size() && number >= row.min &&
        number <= row.max)
        return std::nullopt;
    return "must be a whole number from " + std::to_string(row.min) + " to " +
           std::to_string(row.max) + (row.unit.empty() ? "" : " (" + std::string(row.unit) + ")");
}

std::optional<std::string> check_text(const SettingRow& row, std::string_view value) {
    if (static_cast<std::int64_t>(value.size()) > row.max)
        return "must have at most " + std::to_string(row.max) + " bytes";
    for (const char c : value)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            return "must not hold control characters";
    return std::nullopt;
}

bool is_address(std::string_view value) {
    std::string text(value);
    if (text == "localhost") return true;
    if (text.size() > 2 && text.front() == '[' && text.back() == ']')
        text = text.substr(1, text.size() - 2);
    unsigned char bytes[16];
    return inet_pton(AF_INET, text.c_str(), bytes) == 1 ||
           inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

bool is_origin(std::string_view text) {
    const std::size_t scheme = text.find("://");
    return scheme != std::string_view::npos && scheme > 0 &&
           is_host_and_port(text.substr(scheme + 3));
}

std::string_view kind_of(const SettingRow& row) {
    switch (row.type) {
        case boolean:
            return "true or false";
        case integer:
            return "whole number";
        case text:
            return "text";
        case choice:
            return "one of";
        case path:
            return "folder";
        case address:
            return "address";
        case origins:
        case hosts:
            return "list";
        case http_url:
        case mongodb_url:
        case redis_url:
            return "URL";
    }
    return "";
}

}  // namespace

std::span<const SettingRow> settings_table() noexcept {
    return kTable;
}

const SettingRow* find_setting(std::string_view name) noexcept {
    for (const SettingRow& row : kTable)
        if (row.name == name || (!row.alias.empty() && row.alias == name)) return &row;
    return nullptr;
}

std::optional<std::string> check_setting(const SettingRow& row, std::string_view value) {
    switch (row.type) {
        case boolean:
            if (is_one_of(kTrue, lower(value)) || is_one_of(kFalse, lower(value)))
                return std::nullopt;
            return "must be true or false";
        case integer:
            return check_integer(row, value);
        case text:
            return check_text(row, value);
        case choice:
            if (!all_parts(row.choices, ' ', [&](std::string_view word) { return word != value; }))
                return std::nullopt;
            return "must be one of: " + std::string(row.choices);
        case path:
            return value.find('\0') == std::string_view::npos
                       ? std::nullopt
                       : std::optional<std::string>("must be a path");
        case address:
            if (is_address(value)) return std::nullopt;
            return "must be an IPv4 or IPv6 address, or localhost";
        case origins:
            if (all_parts(value, ',', is_origin)) return std::nullopt;
            return "must be a list such as https://app.example.com,http://localhost:3000";
        case hosts:
            if (all_parts(value, ',', is_host_and_port)) return std::nullopt;
            return "must be a list such as memory.example.com,proxy:8080";
        case http_url:
            if (net::Url::parse(value)) return std::nullopt;
            return "must look like http://127.0.0.1:8765";
        case mongodb_url:
            if (is_database_url(value, {"mongodb://", "mongodb+srv://"}, true)) return std::nullopt;
            return "must look like mongodb://user:password@host:27017 or mongodb+srv://host";
        case redis_url:
            if (is_database_url(value, {"redis://", "rediss://"}, false)) return std::nullopt;
            return "must look like redis://user:password@host:6379 or rediss://host:6380";
    }
    return std::nullopt;
}

std::string shown_setting(const SettingRow& row, std::string_view value) {
    if (!row.secret || value.empty()) return std::string(value);
    const std::size_t scheme = value.find("://");
    if (scheme == std::string_view::npos) return "***";  // whatever it is, it may be a password
    const std::size_t start = scheme + 3;
    const std::size_t at = value.rfind('@');
    if (at == std::string_view::npos || at < start) {
        // Options such as ?password= may carry one, too.
        return std::string(value.substr(0, value.find('?')));
    }
    const std::string_view login = value.substr(start, at - start);
    std::string out(value.substr(0, start));
    out.append(login.substr(0, login.find(':')));
    if (login.find(':') != std::string_view::npos) out.append(":***");
    const std::string_view rest = value.substr(at);
    return out.append(rest.substr(0, rest.find('?')));
}

bool read_boolean(std::string_view value) noexcept {
    return is_one_of(kTrue, lower(value));
}

const SettingRow* nearest_setting(std::string_view name) noexcept {
    const SettingRow* best = nullptr;
    std::size_t best_distance = 3;  // of what is still taken for a slip
    for (const SettingRow& row : kTable) {
        const std::size_t distance = edit_distance(name, row.name);
        if (distance < best_distance && distance * 3 < row.name.size()) {
            best = &row;
            best_distance = distance;
        }
    }
    return best;
}

std::string settings_markdown() {
    std::string out =
        "# Settings\n\n"
        "Generated by `dyad-memory config list --markdown`; do not edit.\n\n"
        "A setting is looked for in this order, and the first place that has it counts: the flag "
        "on the\ncommand line, the environment, the file `.env` in the working directory (or the "
        "one that `--env-file`\nnames), the file `$XDG_CONFIG_HOME/dyad-memory/config.env` (or "
        "`~/.config/dyad-memory/config.env`),\nthe default. An empty value counts as not set. "
        "`dyad-memory config show` prints each value and where it\ncomes from; `dyad-memory "
        "config check` reports everything that is wrong, at once.\n\n"
        "Both files hold lines `NAME=value`; `export` in front, `# comments`, `'literal'` and "
        "`\"quoted\\n\"` values\nare understood. Nothing in them is executed or expanded: "
        "`$(uuidgen)` is refused, unless in single quotes.\n";
    std::string_view area;
    // Grouped by area, in the order in which the areas first appear.
    std::vector<std::string_view> areas;
    for (const SettingRow& row : kTable)
        if (std::find(areas.begin(), areas.end(), row.area) == areas.end())
            areas.push_back(row.area);
    for (const std::string_view wanted : areas) {
        area = wanted;
        std::string title(area);
        title[0] = static_cast<char>(title[0] - 32);
        out.append("\n## ").append(title).append(
            "\n\n| name | flag | kind | default | meaning |\n| --- | --- | --- | --- | --- |\n");
        for (const SettingRow& row : kTable) {
            if (row.area != area) continue;
            out.append("| `").append(row.name).append("`");
            if (!row.alias.empty()) out.append(" (or `").append(row.alias).append("`)");
            out.append(" | ");
            if (!row.flag.empty()) out.append("`").append(row.flag).append("`");
            out.append(" | ").append(kind_of(row));
            if (row.type == choice) out.append(" ").append(row.choices);
            if (row.type == integer)
                out.append(", ")
                    .append(std::to_string(row.min))
                    .append(" to ")
                    .append(std::to_string(row.max));
            if (!row.unit.empty()) out.append(", ").append(row.unit);
            out.append(" | ");
            if (!row.fallback.empty()) out.append("`").append(row.fallback).append("`");
            out.append(" | ").append(row.meaning);
            if (row.secret) out.append(" Shown without its password.");
            out.append(" |\n");
        }
    }
    return out;
}

}  // namespace dyad::cli
