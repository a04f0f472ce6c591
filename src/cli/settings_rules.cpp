// What must hold between settings.
#include "auth/authority.hpp"
#include "cli/settings.hpp"

#include <algorithm>

namespace dyad::cli {
namespace {

constexpr std::string_view kNotPart =
    "not part of this version: the embedded store and the bus inside the process are used "
    "instead; what is written is kept, but not shared with instances on MongoDB and Redis";

}  // namespace

void check_together(Resolved& resolved) {
    const auto are_good = [&](std::initializer_list<std::string_view> names) {
        return std::all_of(names.begin(), names.end(), [&](std::string_view name) {
            const Setting& setting = resolved.at(name);
            return setting.value.empty() || !check_setting(*setting.row, setting.value);
        });
    };
    const auto is_on = [&](std::string_view name) {
        return are_good({name}) && resolved.boolean(name);
    };
    const auto add = [&](bool fatal, std::string_view name, const std::string& text) {
        resolved.problems.push_back({fatal, std::string(name), std::string(name) + ": " + text});
    };
    if (are_good({"WS_STALE_TIMEOUT", "WS_PING_INTERVAL"}) &&
        resolved.integer("WS_STALE_TIMEOUT") <= resolved.integer("WS_PING_INTERVAL"))
        add(true, "WS_STALE_TIMEOUT",
            "must be more than WS_PING_INTERVAL, or live connections are closed");
    if (are_good({"MONGODB_MIN_POOL_SIZE", "MONGODB_MAX_POOL_SIZE"}) &&
        resolved.integer("MONGODB_MIN_POOL_SIZE") > resolved.integer("MONGODB_MAX_POOL_SIZE"))
        add(true, "MONGODB_MIN_POOL_SIZE", "must not be more than MONGODB_MAX_POOL_SIZE");
    const bool master = is_on("ENABLE_DISTRIBUTED_MEMORY");
    if (master && resolved.text("DISTRIBUTED_USER_ID").empty())
        add(true, "DISTRIBUTED_USER_ID",
            "is required with ENABLE_DISTRIBUTED_MEMORY=true: set it to an address or a name of "
            "yours");
    if (master)
        add(false, "ENABLE_DISTRIBUTED_MEMORY", "MongoDB and Redis are " + std::string(kNotPart));
    for (const auto& [name, system] :
         {std::pair{"ENABLE_MONGODB", "MongoDB is "}, {"ENABLE_REDIS", "Redis is "}})
        if (!master && are_good({"ENABLE_DISTRIBUTED_MEMORY"}) && is_on(name))
            add(false, name, system + std::string(kNotPart));
    if (is_on("WS_TLS"))
        add(true, "WS_TLS",
            "the server has no TLS of its own in this version, and does not go on without; put a "
            "TLS proxy in front and set WS_TLS=false");
    const std::string& host = resolved.text("DYAD_HOST");
    if (are_good({"DYAD_HOST", "DYAD_ALLOW_REMOTE"}) && !auth::is_loopback(host) &&
        !is_on("DYAD_ALLOW_REMOTE"))
        add(true, "DYAD_HOST",
            "\"" + host +
                "\" can be reached by other machines, and the server does not ask who is there; "
                "use 127.0.0.1, or put an authenticating proxy in front and set "
                "DYAD_ALLOW_REMOTE=true");
}

}  // namespace dyad::cli
