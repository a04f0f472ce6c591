#include "cli/settings.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace dyad::cli {
namespace {

Inputs with(std::vector<std::pair<std::string, std::string>> environment) {
    Inputs inputs;
    inputs.environment = std::move(environment);
    inputs.working_folder = "/work";
    return inputs;
}

std::string problems_of(const Resolved& resolved) {
    std::string out;
    for (const Problem& problem : resolved.problems)
        out.append(problem.fatal ? "E " : "W ").append(problem.text).append("\n");
    return out;
}

TEST(Settings, DefaultsAreGood) {
    const Resolved resolved = resolve(with({{"HOME", "/home/ada"}}));
    EXPECT_EQ(problems_of(resolved), "");
    const server::Settings settings = server_settings(resolved);
    EXPECT_EQ(settings.port, 8765);
    EXPECT_EQ(settings.host, "127.0.0.1");
    EXPECT_EQ(settings.user_id, "local");
    EXPECT_EQ(settings.data_dir, "/home/ada/.local/share/dyad-memory");
    EXPECT_EQ(settings.ping_interval_ms, 30000);
    EXPECT_EQ(settings.stale_timeout_ms, 90000);
    EXPECT_EQ(settings.event_ttl_days, 7);
    EXPECT_EQ(settings.context_ttl_days, 30);
    EXPECT_TRUE(settings.enable_websocket);
    EXPECT_EQ(resolved.url(), "http://127.0.0.1:8765");
}

TEST(Settings, EachPlaceBeatsTheOnesBehindIt) {
    Inputs inputs = with({});
    inputs.config_file = SettingsFile{"/etc/c", "WS_SYNC_PORT=1001"};
    EXPECT_EQ(resolve(inputs).integer("WS_SYNC_PORT"), 1001);
    EXPECT_EQ(resolve(inputs).at("WS_SYNC_PORT").source, "/etc/c line 1");
    inputs.env_file = SettingsFile{"/work/.env", "\nWS_SYNC_PORT=1002"};
    EXPECT_EQ(resolve(inputs).integer("WS_SYNC_PORT"), 1002);
    EXPECT_EQ(resolve(inputs).at("WS_SYNC_PORT").source, "/work/.env line 2");
    inputs.environment.emplace_back("WS_SYNC_PORT", "1003");
    EXPECT_EQ(resolve(inputs).integer("WS_SYNC_PORT"), 1003);
    EXPECT_EQ(resolve(inputs).at("WS_SYNC_PORT").source, "environment");
    inputs.flags["WS_SYNC_PORT"] = "1004";
    EXPECT_EQ(resolve(inputs).integer("WS_SYNC_PORT"), 1004);
    EXPECT_EQ(resolve(inputs).at("WS_SYNC_PORT").source, "--port");
}

TEST(Settings, AnEmptyValueCountsAsNotSet) {
    Inputs inputs = with({{"WS_SYNC_PORT", ""}});
    inputs.env_file = SettingsFile{"/work/.env", "WS_SYNC_PORT=1002"};
    EXPECT_EQ(resolve(inputs).integer("WS_SYNC_PORT"), 1002);
}

TEST(Settings, EverythingThatIsWrongIsReportedAtOnce) {
    const Resolved resolved = resolve(with({{"WS_SYNC_PORT", "80000"},
                                            {"WS_PING_INTERVAL", "often"},
                                            {"CONTEXT_TTL_DAYS", "-1"},
                                            {"ENABLE_WEBSOCKET", "perhaps"},
                                            {"MONGODB_URL", "http://h"},
                                            {"REDIS_URL", "redis://"},
                                            {"LOG_FORMAT", "xml"},
                                            {"ALLOWED_ORIGINS", "example.com"},
                                            {"DYAD_HOST", "not an address"}}));
    const std::string text = problems_of(resolved);
    EXPECT_EQ(resolved.problems.size(), 9u) << text;
    for (const char* part :
         {"WS_SYNC_PORT: \"80000\"", "WS_PING_INTERVAL: \"often\"", "CONTEXT_TTL_DAYS: \"-1\"",
          "ENABLE_WEBSOCKET: \"perhaps\"", "MONGODB_URL", "REDIS_URL", "LOG_FORMAT: \"xml\"",
          "ALLOWED_ORIGINS", "DYAD_HOST"})
        EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
    EXPECT_TRUE(resolved.has_fatal());
}

TEST(Settings, AMisspeltNameIsRecognized) {
    Inputs inputs = with({{"WS_SNYC_PORT", "1"}});
    inputs.env_file = SettingsFile{"/work/.env", "ENABLE_WEBSOKET=false\nDYAD_NONSENSE_X=1\nPATHS=1"};
    const std::string text = problems_of(resolve(inputs));
    EXPECT_NE(text.find("did you mean WS_SYNC_PORT?"), std::string::npos) << text;
    EXPECT_NE(text.find("did you mean ENABLE_WEBSOCKET?"), std::string::npos) << text;
    EXPECT_NE(text.find("DYAD_NONSENSE_X"), std::string::npos) << text;
    EXPECT_EQ(text.find("PATHS"), std::string::npos) << "a .env file serves others, too: " << text;
}

TEST(Settings, DistributedMemoryIsSaidNotToBePartAndNeedsAUser) {
    const Resolved without = resolve(with({{"ENABLE_DISTRIBUTED_MEMORY", "true"}}));
    EXPECT_TRUE(without.has_fatal());
    EXPECT_NE(problems_of(without).find("DISTRIBUTED_USER_ID: is required"), std::string::npos);
    const Resolved with_user = resolve(with({{"ENABLE_DISTRIBUTED_MEMORY", "true"},
                                             {"DISTRIBUTED_USER_ID", "ada"},
                                             {"HOME", "/h"}}));
    EXPECT_FALSE(with_user.has_fatal());
    EXPECT_NE(problems_of(with_user).find("not part of this version"), std::string::npos);
    EXPECT_EQ(server_settings(with_user).user_id, "ada");
}

TEST(Settings, PasswordsAreNeverShown) {
    for (const auto& [name, value] :
         {std::pair{"MONGODB_URL", "mongodb://ada:s3cret@h/db?authSource=admin"},
          {"MONGODB_URL", "mongodb://ada:s3c@ret@h/db"},
          {"MONGODB_URL", "mongodb+srv://h/?password=s3cret"},
          {"REDIS_URL", "redis://:s3cret@h:1/0"},
          {"REDIS_URL", "s3cret"}}) {
        const SettingRow* row = find_setting(name);
        ASSERT_NE(row, nullptr);
        const std::string shown = shown_setting(*row, value);
        EXPECT_EQ(shown.find("s3c"), std::string::npos) << shown;
        EXPECT_EQ(shown.find("ret"), std::string::npos) << shown;
        const std::string text = problems_of(resolve(with({{name, value}})));
        EXPECT_EQ(text.find("s3c"), std::string::npos) << text;
    }
}

TEST(Settings, ADatabaseUrlMayNameSeveralHosts) {
    for (const char* good :
         {"mongodb://localhost:27017", "mongodb://a:1,b:2,[::1]:3/db?replicaSet=x",
          "mongodb+srv://u:p@cluster.mongodb.net"})
        EXPECT_FALSE(check_setting(*find_setting("MONGODB_URL"), good)) << good;
    for (const char* bad : {"mongodb://", "mongodb://h:0", "mongodb://h:x", "mongodb://a,,b", "h"})
        EXPECT_TRUE(check_setting(*find_setting("MONGODB_URL"), bad)) << bad;
    for (const char* good : {"redis://localhost:6379", "rediss://u:p@h:6380/2"})
        EXPECT_FALSE(check_setting(*find_setting("REDIS_URL"), good)) << good;
    for (const char* bad : {"redis://a,b", "http://h", "redis://h:99999"})
        EXPECT_TRUE(check_setting(*find_setting("REDIS_URL"), bad)) << bad;
}

TEST(Settings, AnAddressThatOthersReachNeedsConsent) {
    EXPECT_TRUE(resolve(with({{"DYAD_HOST", "0.0.0.0"}})).has_fatal());
    const Resolved allowed = resolve(with({{"DYAD_HOST", "0.0.0.0"}, {"DYAD_ALLOW_REMOTE", "true"}}));
    EXPECT_FALSE(allowed.has_fatal());
    EXPECT_EQ(allowed.url(), "http://127.0.0.1:8765");
    EXPECT_FALSE(resolve(with({{"DYAD_HOST", "::1"}})).has_fatal());
    EXPECT_EQ(resolve(with({{"DYAD_HOST", "::1"}})).url(), "http://[::1]:8765");
}

TEST(Settings, ConnectionsMayNotGoStaleBeforeTheyArePinged) {
    EXPECT_TRUE(resolve(with({{"WS_PING_INTERVAL", "5000"}, {"WS_STALE_TIMEOUT", "5000"}}))
                    .has_fatal());
}

TEST(Settings, TheDataFolderIsAbsoluteAndFollowsTheDesktopRules) {
    EXPECT_EQ(resolve(with({{"XDG_DATA_HOME", "/x"}, {"HOME", "/h"}})).data_dir(),
              "/x/dyad-memory");
    EXPECT_EQ(resolve(with({{"DYAD_DATA_DIR", "./a/../b/"}})).data_dir(), "/work/b");
    EXPECT_EQ(resolve(with({})).data_dir(), "");
}

TEST(Settings, OlderNamesOfAListAreTaken) {
    const Resolved resolved =
        resolve(with({{"WS_ALLOWED_HOSTS", "dyad_ws,h:1"}, {"WS_ALLOWED_ORIGINS", "https://a.b"}}));
    EXPECT_FALSE(resolved.has_fatal()) << problems_of(resolved);
    EXPECT_EQ(server_settings(resolved).allowed_hosts, (std::vector<std::string>{"dyad_ws", "h:1"}));
}

TEST(SettingsTable, DefaultsAreWithinTheirOwnBoundsAndNamesAreUnique) {
    std::vector<std::string_view> names;
    for (const SettingRow& row : settings_table()) {
        if (!row.fallback.empty()) EXPECT_FALSE(check_setting(row, row.fallback)) << row.name;
        EXPECT_FALSE(row.meaning.empty()) << row.name;
        EXPECT_FALSE(value_label(row).empty()) << row.name;
        for (const std::string_view name : {row.name, row.alias, row.flag})
            if (!name.empty()) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

TEST(SettingsTable, HoldsEverySettingOfTheExistingProtocol) {
    for (const char* name :
         {"ENABLE_DISTRIBUTED_MEMORY", "ENABLE_MONGODB", "ENABLE_REDIS", "ENABLE_WEBSOCKET",
          "ENABLE_GLASS_BOX_TRACKING", "ENABLE_REAL_TIME_EVENTS", "MONGODB_URL",
          "MONGODB_DATABASE", "MONGODB_MAX_POOL_SIZE", "MONGODB_MIN_POOL_SIZE", "REDIS_URL",
          "REDIS_MAX_RECONNECT_ATTEMPTS", "WS_SYNC_PORT", "WS_PING_INTERVAL", "WS_STALE_TIMEOUT",
          "DISTRIBUTED_USER_ID", "SYNC_EVENT_TTL_DAYS", "CONTEXT_TTL_DAYS", "MONGODB_TLS",
          "REDIS_TLS", "WS_TLS", "DEBUG", "LOG_LEVEL"})
        EXPECT_NE(find_setting(name), nullptr) << name;
}

}  // namespace
}  // namespace dyad::cli
