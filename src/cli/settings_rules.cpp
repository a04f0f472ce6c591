#include "cli/settings_rules.hpp"

#include "auth/authority.hpp"

#include <algorithm>

namespace dyad::cli {
namespace {

constexpr std::string_view kNotPart =
    "not part of this version: the embedded store and the bus inside the process are used "
    "instead; what is written is kept, but not shared with instances on MongoDB and Redis";

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
        if (are_good({"DYAD_HOST", "DYAD_ALLOW_REMOTE"}) && !auth::is_loopback(host) &&
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

}  // namespace

void check_together(Resolved& resolved) {
    Together(resolved).check();
}

}  // namespace dyad::cli
