#include "cli/settings.hpp"

#include "cli/text.hpp"

#include <algorithm>
#include <filesystem>

namespace dyad::cli {

const Setting& Resolved::at(std::string_view name) const {
    const SettingRow* const row = find_setting(name);
    CHECK(row != nullptr);
    return settings[static_cast<std::size_t>(row - settings_table().data())];
}

bool Resolved::boolean(std::string_view name) const {
    return at(name).value == "true";
}

std::int64_t Resolved::integer(std::string_view name) const {
    return whole_number(at(name).value).value_or(0);
}

bool Resolved::follows_master(std::string_view name) const {
    return boolean(text(name).empty() ? "ENABLE_DISTRIBUTED_MEMORY" : name);
}

bool Resolved::has_fatal() const {
    return std::any_of(problems.begin(), problems.end(),
                       [](const Problem& problem) { return problem.fatal; });
}

std::string Resolved::data_dir() const {
    std::filesystem::path folder;
    if (!text("DYAD_DATA_DIR").empty())
        folder = text("DYAD_DATA_DIR");
    else if (data_home)
        folder = std::filesystem::path(*data_home) / "dyad-memory";
    else if (home)
        folder = std::filesystem::path(*home) / ".local/share/dyad-memory";
    else
        return {};
    if (folder.is_relative()) folder = std::filesystem::path(working_folder) / folder;
    std::string out = folder.lexically_normal().string();
    while (out.size() > 1 && out.back() == '/')
        out.pop_back();
    return out;
}

std::string Resolved::user_id() const {
    return text("DISTRIBUTED_USER_ID").empty() ? "local" : text("DISTRIBUTED_USER_ID");
}

std::string Resolved::url() const {
    return text("DYAD_URL").empty() ? own_url() : text("DYAD_URL");
}

std::string Resolved::own_url() const {
    std::string host = text("DYAD_HOST");
    if (host == "0.0.0.0") host = "127.0.0.1";
    if (host == "::" || host == "[::]") host = "::1";
    if (host.find(':') != std::string::npos && host.front() != '[') host = "[" + host + "]";
    return "http://" + host + ":" + text("WS_SYNC_PORT");
}

server::Settings server_settings(const Resolved& resolved) {
    CHECK(!resolved.has_fatal());
    const auto list = [&](std::string_view name) {
        std::vector<std::string> out;
        for (std::string_view text = resolved.text(name); !text.empty();)
            out.emplace_back(take_part(text, ','));
        return out;
    };
    server::Settings settings;
    settings.host = resolved.text("DYAD_HOST");
    settings.port = static_cast<std::uint16_t>(resolved.integer("WS_SYNC_PORT"));
    settings.data_dir = resolved.data_dir();
    settings.user_id = resolved.user_id();
    settings.enable_mongodb = resolved.follows_master("ENABLE_MONGODB");
    settings.enable_redis = resolved.follows_master("ENABLE_REDIS");
    settings.enable_websocket = resolved.boolean("ENABLE_WEBSOCKET");
    settings.enable_glass_box_tracking = resolved.boolean("ENABLE_GLASS_BOX_TRACKING");
    settings.enable_real_time_events = resolved.boolean("ENABLE_REAL_TIME_EVENTS");
    settings.ping_interval_ms = resolved.integer("WS_PING_INTERVAL");
    settings.stale_timeout_ms = resolved.integer("WS_STALE_TIMEOUT");
    settings.event_ttl_days = resolved.integer("SYNC_EVENT_TTL_DAYS");
    settings.clock_hold_hours = resolved.integer("DYAD_CLOCK_HOLD_HOURS");
    settings.context_ttl_days = resolved.integer("CONTEXT_TTL_DAYS");
    settings.allowed_origins = list("ALLOWED_ORIGINS");
    settings.allowed_hosts = list("ALLOWED_HOSTS");
    return settings;
}

}  // namespace dyad::cli
