#include "cli/settings.hpp"

#include "cli/dotenv.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace dyad::cli {
namespace {

constexpr std::string_view kNotPart =
    "not part of this version: the embedded store and the bus inside the process are used "
    "instead; what is written is kept, but not shared with instances on MongoDB and Redis";

std::optional<std::string> variable(const Inputs& inputs, std::string_view name) {
    for (const auto& [key, value] : inputs.environment)
        if (key == name && !value.empty()) return value;
    return std::nullopt;
}

// Rules that hold between settings; each where those that it looks at are good.
class Together {
  public:
    explicit Together(Resolved& resolved) : resolved_(resolved) {}

    void check() {
        if (are_good({"WS_STALE_TIMEOUT", "WS_PING_INTERVAL"}) &&
            resolved_.integer("WS_STALE_TIMEOUT") <= resolved_.integer("WS_PING_INTERVAL"))
            add(true, "WS_STALE_TIMEOUT",
                "must be more than WS_PING_INTERVAL, or live connections are closed");
        if (are_good({"MONGODB_MIN_POOL_SIZE", "MONGODB_MAX_POOL_SIZE"}) &&
            resolved_.integer("MONGODB_MIN_POOL_SIZE") > resolved_.integer("MONGODB_MAX_POOL_SIZE"))
            add(true, "MONGODB_MIN_POOL_SIZE", "must not be more than MONGODB_MAX_POOL_SIZE");
        check_services();
        if (is_on("WS_TLS"))
            add(true, "WS_TLS",
                "the server has no TLS of its own in this version, and does not go on without; put "
                "a TLS proxy in front and set WS_TLS=false");
        const std::string& host = resolved_.text("DYAD_HOST");
        if (are_good({"DYAD_HOST", "DYAD_ALLOW_REMOTE"}) && !is_loopback(host) &&
            !is_on("DYAD_ALLOW_REMOTE"))
            add(true, "DYAD_HOST",
                "\"" + host +
                    "\" can be reached by other machines, and the server does not ask who is "
                    "there; use 127.0.0.1, or put an authenticating proxy in front and set "
                    "DYAD_ALLOW_REMOTE=true");
    }

  private:
    void check_services() {
        if (!are_good({"ENABLE_DISTRIBUTED_MEMORY"})) return;
        const bool master = is_on("ENABLE_DISTRIBUTED_MEMORY");
        if (master && resolved_.text("DISTRIBUTED_USER_ID").empty())
            add(true, "DISTRIBUTED_USER_ID",
                "is required with ENABLE_DISTRIBUTED_MEMORY=true: set it to an address or a name "
                "of yours");
        if (master)
            add(false, "ENABLE_DISTRIBUTED_MEMORY",
                "MongoDB and Redis are " + std::string(kNotPart));
        if (!master && is_on("ENABLE_MONGODB"))
            add(false, "ENABLE_MONGODB", "MongoDB is " + std::string(kNotPart));
        if (!master && is_on("ENABLE_REDIS"))
            add(false, "ENABLE_REDIS", "Redis is " + std::string(kNotPart));
    }

    bool are_good(std::initializer_list<std::string_view> names) const {
        return std::all_of(names.begin(), names.end(), [&](std::string_view name) {
            const Setting& setting = resolved_.at(name);
            return setting.value.empty() || !check_setting(*setting.row, setting.value);
        });
    }

    bool is_on(std::string_view name) const {
        return are_good({name}) && !resolved_.text(name).empty() && resolved_.boolean(name);
    }

    void add(bool fatal, std::string name, std::string text) {
        resolved_.problems.push_back({fatal, name, name + ": " + std::move(text)});
    }

    Resolved& resolved_;
};

bool is_ours(std::string_view name) {
    for (const std::string_view prefix : {"DYAD_", "WS_SYNC_", "DISTRIBUTED_USER"})
        if (name.starts_with(prefix)) return true;
    return false;
}

// One layer over what is there already. `strict`: a file of ours, where an unknown name of our kind
// is worth a word even if nothing is near.
class Layer {
  public:
    Layer(Resolved& resolved, bool strict) : resolved_(resolved), strict_(strict) {}

    void apply(std::string_view name, const std::string& value, std::string source) {
        const SettingRow* const row = find_setting(name);
        if (row == nullptr) return unknown(name, source);
        if (value.empty()) return;
        Setting& setting =
            resolved_.settings[static_cast<std::size_t>(row - settings_table().data())];
        setting.value = value;
        setting.source = std::move(source);
        setting.given = true;
    }

  private:
    void unknown(std::string_view name, const std::string& source) {
        const SettingRow* const near = nearest_setting(name);
        if (near == nullptr && !(strict_ && is_ours(name))) return;
        std::string text = std::string(name) + ": there is no such setting (" + source + ")";
        if (near != nullptr) text.append("; did you mean ").append(near->name).append("?");
        resolved_.problems.push_back({false, std::string(name), std::move(text)});
    }

    Resolved& resolved_;
    bool strict_;
};

}  // namespace

const Setting& Resolved::at(std::string_view name) const {
    const SettingRow* const row = find_setting(name);
    CHECK(row != nullptr);
    return settings[static_cast<std::size_t>(row - settings_table().data())];
}

bool Resolved::boolean(std::string_view name) const {
    return read_boolean(at(name).value);
}

std::int64_t Resolved::integer(std::string_view name) const {
    const std::string& value = at(name).value;
    std::int64_t number = 0;
    std::from_chars(value.data(), value.data() + value.size(), number);
    return number;
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

bool is_loopback(std::string_view host) noexcept {
    return host == "localhost" || host == "::1" || host == "[::1]" || host.starts_with("127.");
}

Resolved resolve(const Inputs& inputs) {
    Resolved resolved;
    resolved.working_folder = inputs.working_folder;
    resolved.home = variable(inputs, "HOME");
    resolved.data_home = variable(inputs, "XDG_DATA_HOME");
    for (const SettingRow& row : settings_table())
        resolved.settings.push_back({&row, std::string(row.fallback), "default", false});
    for (const std::string& text : inputs.unreadable)
        resolved.problems.push_back({true, "", text});
    for (const auto* file : {&inputs.config_file, &inputs.env_file}) {
        if (!*file) continue;
        const Dotenv parsed = parse_dotenv((*file)->text);
        for (const DotenvProblem& problem : parsed.problems)
            resolved.problems.push_back(
                {true, "",
                 (*file)->path + " line " + std::to_string(problem.line) + ": " + problem.text});
        for (const DotenvEntry& entry : parsed.entries)
            Layer(resolved, true)
                .apply(entry.name, entry.value,
                       (*file)->path + " line " + std::to_string(entry.line));
    }
    for (const auto& [name, value] : inputs.environment)
        Layer(resolved, false).apply(name, value, "environment");
    for (const auto& [name, value] : inputs.flags)
        Layer(resolved, false).apply(name, value, std::string(find_setting(name)->flag));

    for (const Setting& setting : resolved.settings) {
        if (setting.value.empty()) continue;
        if (const auto wrong = check_setting(*setting.row, setting.value)) {
            resolved.problems.push_back({true, std::string(setting.row->name),
                                         std::string(setting.row->name) + ": \"" +
                                             shown_setting(*setting.row, setting.value) + "\" (" +
                                             setting.source + ") " + *wrong});
        }
    }
    Together(resolved).check();
    return resolved;
}

server::Settings server_settings(const Resolved& resolved) {
    CHECK(!resolved.has_fatal());
    const auto list = [&](std::string_view name) {
        std::vector<std::string> out;
        std::string_view text = resolved.text(name);
        while (!text.empty()) {
            const std::size_t comma = text.find(',');
            out.emplace_back(text.substr(0, comma));
            text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
        }
        return out;
    };
    server::Settings settings;
    settings.host = resolved.text("DYAD_HOST");
    settings.port = static_cast<std::uint16_t>(resolved.integer("WS_SYNC_PORT"));
    settings.data_dir = resolved.data_dir();
    settings.user_id = resolved.user_id();
    settings.enable_websocket = resolved.boolean("ENABLE_WEBSOCKET");
    settings.enable_glass_box_tracking = resolved.boolean("ENABLE_GLASS_BOX_TRACKING");
    settings.enable_real_time_events = resolved.boolean("ENABLE_REAL_TIME_EVENTS");
    settings.ping_interval_ms = resolved.integer("WS_PING_INTERVAL");
    settings.stale_timeout_ms = resolved.integer("WS_STALE_TIMEOUT");
    settings.event_ttl_days = resolved.integer("SYNC_EVENT_TTL_DAYS");
    settings.context_ttl_days = resolved.integer("CONTEXT_TTL_DAYS");
    settings.allowed_origins = list("ALLOWED_ORIGINS");
    settings.allowed_hosts = list("ALLOWED_HOSTS");
    return settings;
}

}  // namespace dyad::cli
