#include "cli/settings.hpp"

#include <fstream>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

namespace dyad::cli {
namespace {

Resolved with_environment(std::vector<std::pair<std::string, std::string>> environment) {
    Inputs inputs;
    inputs.environment = std::move(environment);
    inputs.environment.emplace_back("HOME", "/home/ada");
    inputs.working_folder = "/work";
    return resolve(inputs);
}

std::string problems_of(const Resolved& resolved) {
    std::string out;
    for (const Problem& problem : resolved.problems)
        out.append(problem.fatal ? "fatal " : "warn ").append(problem.text).append("\n");
    return out;
}

TEST(SettingsTable, NamesAndFlagsAreUniqueAndEveryDefaultIsGood) {
    std::set<std::string_view> names, flags;
    for (const SettingRow& row : settings_table()) {
        EXPECT_TRUE(names.insert(row.name).second) << row.name;
        if (!row.alias.empty()) EXPECT_TRUE(names.insert(row.alias).second) << row.alias;
        if (!row.flag.empty()) EXPECT_TRUE(flags.insert(row.flag).second) << row.flag;
        if (!row.fallback.empty())
            EXPECT_FALSE(check_setting(row, row.fallback).has_value()) << row.name;
        EXPECT_FALSE(row.meaning.empty()) << row.name;
    }
}

TEST(SettingsTable, HasEveryNameOfTheWire) {
    for (const char* name : {"ENABLE_DISTRIBUTED_MEMORY",
                             "ENABLE_MONGODB",
                             "ENABLE_REDIS",
                             "ENABLE_WEBSOCKET",
                             "ENABLE_GLASS_BOX_TRACKING",
                             "ENABLE_REAL_TIME_EVENTS",
                             "MONGODB_URL",
                             "MONGODB_DATABASE",
                             "MONGODB_MAX_POOL_SIZE",
                             "MONGODB_MIN_POOL_SIZE",
                             "REDIS_URL",
                             "REDIS_MAX_RECONNECT_ATTEMPTS",
                             "WS_SYNC_PORT",
                             "WS_PING_INTERVAL",
                             "WS_STALE_TIMEOUT",
                             "DISTRIBUTED_USER_ID",
                             "SYNC_EVENT_TTL_DAYS",
                             "CONTEXT_TTL_DAYS",
                             "MONGODB_TLS",
                             "REDIS_TLS",
                             "WS_TLS",
                             "DEBUG",
                             "LOG_LEVEL"})
        EXPECT_NE(find_setting(name), nullptr) << name;
}

struct Case {
    const char* name;
    const char* value;
    bool good;
};
class SettingValue : public testing::TestWithParam<Case> {};
TEST_P(SettingValue, IsChecked) {
    const auto& [name, value, good] = GetParam();
    EXPECT_EQ(!check_setting(*find_setting(name), value).has_value(), good) << name << "=" << value;
}
INSTANTIATE_TEST_SUITE_P(
    All, SettingValue,
    testing::Values(
        Case{"WS_SYNC_PORT", "1", true}, Case{"WS_SYNC_PORT", "65535", true},
        Case{"WS_SYNC_PORT", "0", false}, Case{"WS_SYNC_PORT", "65536", false},
        Case{"WS_SYNC_PORT", "80x", false}, Case{"WS_SYNC_PORT", "99999999999999999999", false},
        Case{"CONTEXT_TTL_DAYS", "0", true}, Case{"CONTEXT_TTL_DAYS", "-1", false},
        Case{"ENABLE_REDIS", "TRUE", true}, Case{"ENABLE_REDIS", "off", true},
        Case{"ENABLE_REDIS", "perhaps", false}, Case{"LOG_LEVEL", "debug", true},
        Case{"LOG_LEVEL", "loud", false}, Case{"DYAD_HOST", "::1", true},
        Case{"DYAD_HOST", "[::1]", true}, Case{"DYAD_HOST", "10.0.0.1", true},
        Case{"DYAD_HOST", "10.0.0.300", false},
        Case{"MONGODB_URL", "mongodb://localhost:27017", true},
        Case{"MONGODB_URL", "mongodb+srv://user:p%40ss@cluster.mongodb.net/db?x=1", true},
        Case{"MONGODB_URL", "mongodb://a:1,b:2/?replicaSet=r", true},
        Case{"MONGODB_URL", "mongo://localhost", false}, Case{"MONGODB_URL", "mongodb://", false},
        Case{"MONGODB_URL", "mongodb://host:port", false},
        Case{"REDIS_URL", "rediss://username:password@redis-cloud.com:6380", true},
        Case{"REDIS_URL", "redis://a:1,b:2", false}, Case{"REDIS_URL", "http://localhost", false},
        Case{"DYAD_URL", "http://127.0.0.1:8765", true}, Case{"DYAD_URL", "ftp://x", false},
        Case{"ALLOWED_ORIGINS", "https://a.example,http://localhost:3000", true},
        Case{"ALLOWED_ORIGINS", "*", false}, Case{"ALLOWED_ORIGINS", "a.example", false},
        Case{"ALLOWED_HOSTS", "dyad_ws", true}, Case{"ALLOWED_HOSTS", "a b", false},
        Case{"DISTRIBUTED_USER_ID", "any unique string", true},
        Case{"DISTRIBUTED_USER_ID", "a\nb", false}));

TEST(SettingsTable, PasswordsAreNotShown) {
    const SettingRow& url = *find_setting("MONGODB_URL");
    EXPECT_EQ(shown_setting(url, "mongodb://ada:s3cret@host:27017/db?x=s3cret"),
              "mongodb://ada:***@host:27017/db");
    EXPECT_EQ(shown_setting(url, "mongodb://host/db"), "mongodb://host/db");
    EXPECT_EQ(shown_setting(url, "mongodb://a:p@ss@host"), "mongodb://a:***@host");
    EXPECT_EQ(shown_setting(url, "s3cret"), "***");
    EXPECT_EQ(shown_setting(*find_setting("LOG_LEVEL"), "info"), "info");
}

TEST(Settings, FlagBeatsEnvironmentBeatsEnvFileBeatsConfigFileBeatsDefault) {
    Inputs inputs;
    inputs.config_file = SettingsFile{"/c/config.env", "WS_SYNC_PORT=1\nLOG_LEVEL=warn\n"};
    inputs.env_file = SettingsFile{"/w/.env", "WS_SYNC_PORT=2\n"};
    EXPECT_EQ(resolve({}).integer("WS_SYNC_PORT"), 8765);
    EXPECT_EQ(resolve(inputs).integer("WS_SYNC_PORT"), 2);
    EXPECT_EQ(resolve(inputs).at("WS_SYNC_PORT").source, "/w/.env line 1");
    EXPECT_EQ(resolve(inputs).text("LOG_LEVEL"), "warn");
    inputs.environment = {{"WS_SYNC_PORT", "3"}};
    EXPECT_EQ(resolve(inputs).integer("WS_SYNC_PORT"), 3);
    inputs.flags = {{"WS_SYNC_PORT", "4"}};
    EXPECT_EQ(resolve(inputs).integer("WS_SYNC_PORT"), 4);
    EXPECT_EQ(resolve(inputs).at("WS_SYNC_PORT").source, "--port");
}

TEST(Settings, AnEmptyValueCountsAsNotSet) {
    EXPECT_EQ(with_environment({{"WS_SYNC_PORT", ""}}).integer("WS_SYNC_PORT"), 8765);
    EXPECT_FALSE(with_environment({{"DISTRIBUTED_USER_ID", ""}}).at("DISTRIBUTED_USER_ID").given);
}

TEST(Settings, AllProblemsAreReportedAtOnceWithNameAndValue) {
    const Resolved resolved = with_environment(
        {{"WS_SYNC_PORT", "80000"}, {"LOG_LEVEL", "loud"}, {"REDIS_URL", "http://x:pw@y"}});
    EXPECT_TRUE(resolved.has_fatal());
    const std::string text = problems_of(resolved);
    for (const char* part :
         {"WS_SYNC_PORT", "80000", "environment", "LOG_LEVEL", "loud", "debug info", "REDIS_URL"})
        EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
    EXPECT_EQ(text.find("pw"), std::string::npos) << text;
}

TEST(Settings, ASlipInANameIsPointedOutWithoutBeingFatal) {
    const Resolved resolved =
        with_environment({{"WS_SYNC_PROT", "1"}, {"REDIS_HOST", "x"}, {"PATH", "/bin"}});
    EXPECT_FALSE(resolved.has_fatal());
    EXPECT_EQ(resolved.problems.size(), 1u) << problems_of(resolved);
    EXPECT_NE(problems_of(resolved).find("did you mean WS_SYNC_PORT?"), std::string::npos);
}

TEST(Settings, AFileMayHoldTheSettingsOfOthers) {
    Inputs inputs;
    inputs.env_file = SettingsFile{"/w/.env", "OPENAI_API_KEY=x\nDYAD_COLOUR=red\n"};
    const Resolved resolved = resolve(inputs);
    ASSERT_EQ(resolved.problems.size(), 1u) << problems_of(resolved);
    EXPECT_NE(resolved.problems[0].text.find("DYAD_COLOUR"), std::string::npos);
    EXPECT_FALSE(resolved.has_fatal());
}

TEST(Settings, TheMasterSwitchNeedsAUserAndSaysThatTheEmbeddedStoreIsUsed) {
    Resolved resolved = with_environment({{"ENABLE_DISTRIBUTED_MEMORY", "true"}});
    EXPECT_TRUE(resolved.has_fatal());
    EXPECT_NE(problems_of(resolved).find("DISTRIBUTED_USER_ID: is required"), std::string::npos);
    resolved =
        with_environment({{"ENABLE_DISTRIBUTED_MEMORY", "true"}, {"DISTRIBUTED_USER_ID", "ada"}});
    EXPECT_FALSE(resolved.has_fatal()) << problems_of(resolved);
    EXPECT_NE(problems_of(resolved).find("embedded store"), std::string::npos);
    resolved = with_environment({{"ENABLE_REDIS", "true"}});
    EXPECT_FALSE(resolved.has_fatal());
    EXPECT_NE(problems_of(resolved).find("Redis is not part of this version"), std::string::npos);
    EXPECT_TRUE(with_environment({{"ENABLE_REDIS", "false"}}).problems.empty());
}

TEST(Settings, AnAddressThatOthersReachHasToBeMeant) {
    EXPECT_TRUE(with_environment({{"DYAD_HOST", "0.0.0.0"}}).has_fatal());
    EXPECT_TRUE(with_environment({{"DYAD_HOST", "::"}}).has_fatal());
    EXPECT_FALSE(with_environment({{"DYAD_HOST", "127.0.0.2"}}).has_fatal());
    EXPECT_FALSE(
        with_environment({{"DYAD_HOST", "0.0.0.0"}, {"DYAD_ALLOW_REMOTE", "true"}}).has_fatal());
}

TEST(Settings, TlsThatIsNotThereIsRefusedAndNotDropped) {
    EXPECT_TRUE(with_environment({{"WS_TLS", "true"}}).has_fatal());
}

TEST(Settings, StaleTimeoutIsLongerThanThePingInterval) {
    EXPECT_TRUE(with_environment({{"WS_PING_INTERVAL", "90000"}}).has_fatal());
    EXPECT_FALSE(with_environment({{"WS_PING_INTERVAL", "89999"}}).has_fatal());
}

TEST(Settings, TheDataFolderIsAbsolute) {
    EXPECT_EQ(with_environment({}).data_dir(), "/home/ada/.local/share/dyad-memory");
    EXPECT_EQ(with_environment({{"XDG_DATA_HOME", "/x"}}).data_dir(), "/x/dyad-memory");
    EXPECT_EQ(with_environment({{"DYAD_DATA_DIR", "a/../b/"}}).data_dir(), "/work/b");
    EXPECT_EQ(with_environment({{"DYAD_DATA_DIR", "/"}}).data_dir(), "/");
    EXPECT_EQ(resolve({}).data_dir(), "");
}

TEST(Settings, TheClientFindsTheServerOfTheSameSettings) {
    EXPECT_EQ(with_environment({}).url(), "http://127.0.0.1:8765");
    EXPECT_EQ(with_environment({{"WS_SYNC_PORT", "9"}, {"DYAD_HOST", "0.0.0.0"}}).url(),
              "http://127.0.0.1:9");
    EXPECT_EQ(with_environment({{"DYAD_HOST", "::"}}).url(), "http://[::1]:8765");
    EXPECT_EQ(with_environment({{"DYAD_URL", "http://x:1"}}).url(), "http://x:1");
}

TEST(Settings, AliasesAreTakenAndListsAreSplit) {
    const server::Settings settings = server_settings(
        with_environment({{"WS_ALLOWED_HOSTS", "a,b:8080"}, {"DISTRIBUTED_USER_ID", "ada"}}));
    EXPECT_EQ(settings.allowed_hosts, (std::vector<std::string>{"a", "b:8080"}));
    EXPECT_TRUE(settings.allowed_origins.empty());
    EXPECT_EQ(settings.user_id, "ada");
    EXPECT_EQ(server_settings(with_environment({})).user_id, "local");
}

TEST(Settings, TheDocumentIsCurrent) {
    std::ifstream in(DYAD_SOURCE_DIR "/docs/settings.md", std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    EXPECT_EQ(text.str(), settings_markdown()) << "run: ./x docs";
}

}  // namespace
}  // namespace dyad::cli
