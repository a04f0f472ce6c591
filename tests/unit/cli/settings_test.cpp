#include "cli/settings.hpp"

#include "cli/command_line.hpp"

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
            EXPECT_EQ(normal_setting(row, row.fallback), row.fallback) << row.name;
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
    const SettingRow& row = *find_setting(name);
    EXPECT_EQ(!check_setting(row, normal_setting(row, value)).has_value(), good)
        << name << "=" << value;
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
        Case{"MONGODB_URL", "mongodb+srv://u:p@a.example:27017", false},
        Case{"MONGODB_URL", "mongodb+srv://a.example,b.example", false},
        Case{"MONGODB_URL", "mongodb://admin:secret@localhost:27017/dyad?authSource=admin", true},
        Case{"MONGODB_DATABASE", "dyad_distributed", true}, Case{"MONGODB_DATABASE", "a.b", false},
        Case{"MONGODB_DATABASE", "admin", false}, Case{"MONGODB_DATABASE", "a b", false},
        Case{"REDIS_URL", "redis://h:6379/3", true}, Case{"REDIS_URL", "redis://h:6379/", true},
        Case{"REDIS_URL", "redis://h:6379/three", false},
        Case{"REDIS_URL", "redis://h:6379?db=3", true},
        Case{"REDIS_URL", "redis://u:%zz@h:6379", false},
        Case{"REDIS_URL", "rediss://username:password@redis-cloud.com:6380", true},
        Case{"REDIS_URL", "redis://a:1,b:2", false}, Case{"REDIS_URL", "http://localhost", false},
        Case{"DYAD_URL", "http://127.0.0.1:8765", true}, Case{"DYAD_URL", "ftp://x", false},
        Case{"ALLOWED_ORIGINS", "https://a.example,http://localhost:3000", true},
        Case{"ALLOWED_ORIGINS", "wss://a.example", false},
        Case{"ALLOWED_ORIGINS", "https://a.example/x", false},
        Case{"ALLOWED_ORIGINS", "https://A.example:443/", true},
        Case{"ALLOWED_HOSTS", "https://a.example", false}, Case{"ALLOWED_HOSTS", "*", false},
        Case{"ALLOWED_ORIGINS", "*", false}, Case{"ALLOWED_ORIGINS", "a.example", false},
        Case{"ALLOWED_HOSTS", "dyad_ws", true}, Case{"ALLOWED_HOSTS", "a b", false},
        Case{"DEBUG", "dyad:*", true}, Case{"DEBUG", "dyad:distributed:websocket_sync", true},
        Case{"DEBUG", "dyad:distibuted:*", false}, Case{"DEBUG", "dyad:distributed:sqlit", false},
        Case{"DEBUG", "express:*,-dyad:*", true},
        Case{"DISTRIBUTED_USER_ID", "any unique string", true},
        Case{"DISTRIBUTED_USER_ID", "a\nb", false}));

struct Meant {
    const char* name;
    const char* written;
    const char* meant;
};
class SettingWord : public testing::TestWithParam<Meant> {};
TEST_P(SettingWord, IsTakenAsItIsMeant) {
    const auto& [name, written, meant] = GetParam();
    const SettingRow& row = *find_setting(name);
    EXPECT_EQ(normal_setting(row, written), meant) << name << "=" << written;
    EXPECT_FALSE(check_setting(row, meant).has_value()) << name << "=" << meant;
}
INSTANTIATE_TEST_SUITE_P(
    All, SettingWord,
    testing::Values(
        Meant{"LOG_LEVEL", "INFO", "info"}, Meant{"LOG_LEVEL", " Debug ", "debug"},
        Meant{"LOG_LEVEL", "WARNING", "warn"}, Meant{"LOG_LEVEL", "err", "error"},
        Meant{"LOG_LEVEL", "trace", "debug"}, Meant{"LOG_LEVEL", "verbose", "debug"},
        Meant{"LOG_LEVEL", "FATAL", "error"}, Meant{"LOG_LEVEL", "critical", "error"},
        Meant{"LOG_LEVEL", "none", "off"}, Meant{"LOG_LEVEL", "Silent", "off"},
        Meant{"LOG_LEVEL", "OFF", "off"}, Meant{"LOG_LEVEL", "\"info\"", "info"},
        Meant{"LOG_FORMAT", "JSON", "json"}, Meant{"LOG_FORMAT", "Text", "text"},
        Meant{"ENABLE_REDIS", "TRUE", "true"}, Meant{"ENABLE_REDIS", "Yes", "true"},
        Meant{"ENABLE_REDIS", "ON", "true"}, Meant{"ENABLE_REDIS", "Enabled", "true"},
        Meant{"ENABLE_REDIS", " 1 ", "true"}, Meant{"ENABLE_REDIS", "0", "false"},
        Meant{"ENABLE_REDIS", "No", "false"}, Meant{"ENABLE_REDIS", "Disabled", "false"},
        Meant{"ENABLE_REDIS", "'off'", "false"}, Meant{"WS_SYNC_PORT", " 9000\t", "9000"},
        Meant{"WS_SYNC_PORT", "\"9000\"", "9000"}, Meant{"DYAD_HOST", "LocalHost", "localhost"},
        Meant{"ALLOWED_ORIGINS", "https://a.example.com, https://b.example.com",
              "https://a.example.com,https://b.example.com"},
        Meant{"ALLOWED_ORIGINS", " https://a , ,https://b,\n https://c:1 ,",
              "https://a,https://b,https://c:1"},
        Meant{"ALLOWED_ORIGINS", "[\"https://a\", \"https://b\"]", "https://a,https://b"},
        Meant{"ALLOWED_ORIGINS", "['https://a']", "https://a"},
        Meant{"ALLOWED_ORIGINS", "\"https://a\",\"https://b\"", "https://a,https://b"},
        Meant{"ALLOWED_HOSTS", "[::1]:80", "[::1]:80"}, Meant{"ALLOWED_HOSTS", "a , b", "a,b"},
        Meant{"DEBUG", "dyad:distributed:*, Express:*", "dyad:distributed:*,express:*"},
        Meant{"DEBUG", "dyad:distributed:sqlite app:x", "dyad:distributed:sqlite,app:x"},
        Meant{"DEBUG", "True", "true"}, Meant{"DYAD_URL", " http://a ", "http://a"},
        Meant{"DISTRIBUTED_USER_ID", "\"ada\"", "ada"}));

TEST(SettingsTable, AListWithoutEntriesIsNotSet) {
    for (const char* written : {"", " ", ",", " , ", "[]", "[ ]", "\"\""})
        EXPECT_EQ(normal_setting(*find_setting("ALLOWED_ORIGINS"), written), "") << written;
}

TEST(SettingsTable, AUnitIsRefusedWithTheNumberToWrite) {
    const auto said = [](const char* name, const char* value) {
        return check_setting(*find_setting(name), value).value_or("");
    };
    EXPECT_NE(said("WS_PING_INTERVAL", "30s").find("no unit is written: 30000"), std::string::npos);
    EXPECT_NE(said("WS_PING_INTERVAL", "1 min").find(": 60000"), std::string::npos);
    EXPECT_NE(said("WS_STALE_TIMEOUT", "90000ms").find(": 90000"), std::string::npos);
    EXPECT_NE(said("CONTEXT_TTL_DAYS", "30d").find(": 30"), std::string::npos);
    EXPECT_NE(said("CONTEXT_TTL_DAYS", "2 Weeks").find(": 14"), std::string::npos);
    for (const char* value : {"30 000", "30,000", "3e4", "+3", "30x", "0x1F"})
        EXPECT_NE(said("WS_PING_INTERVAL", value), "") << value;
}

TEST(SettingsTable, AListNamesItsWrongEntry) {
    const auto wrong = check_setting(*find_setting("ALLOWED_ORIGINS"), "https://a,b.example");
    ASSERT_TRUE(wrong);
    EXPECT_NE(wrong->find("\"b.example\""), std::string::npos) << *wrong;
}

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

Resolved with_file(const std::string& text, bool shared = true) {
    Inputs inputs;
    inputs.env_file = SettingsFile{"/w/.env", text, shared};
    return resolve(inputs);
}

TEST(Settings, LinesOfOthersNeverStopAnything) {
    const Resolved resolved = with_file(
        "KEY=\"-----BEGIN-----\nx\n-----END-----\"\nexport FOO\n[x]\nA=$(rm -rf /)\nB=`x`\n"
        "C='open\nLOG_LEVEL=chatty\nDEBUG=express:*\nWS_SYNC_PORT=9000\n");
    EXPECT_FALSE(resolved.has_fatal()) << problems_of(resolved);
    EXPECT_EQ(resolved.integer("WS_SYNC_PORT"), 9000);
    EXPECT_EQ(resolved.text("LOG_LEVEL"), "info");
    EXPECT_NE(problems_of(resolved).find("passed over"), std::string::npos);
}

TEST(Settings, AFileOfOursIsStrictAboutOurNames) {
    for (const char* text : {"LOG_LEVEL=chatty\n", "WS_SYNC_PORT=\"9\n", "WS_SYNC_PORT 9000\n",
                             "DYAD_HOST='127.0.0.1'x\n"}) {
        const Resolved resolved = with_file(text, false);
        EXPECT_TRUE(resolved.has_fatal()) << text;
        EXPECT_NE(problems_of(resolved).find("/w/.env line 1"), std::string::npos);
    }
    EXPECT_FALSE(with_file("no sense\n\"x\n", false).has_fatal());
}

TEST(Settings, TheLastOfANameCountsEvenIfItIsEmpty) {
    EXPECT_EQ(with_file("WS_SYNC_PORT=1\nWS_SYNC_PORT=2\n").integer("WS_SYNC_PORT"), 2);
    EXPECT_FALSE(with_file("WS_SYNC_PORT=1\nWS_SYNC_PORT=\n").at("WS_SYNC_PORT").given);
    EXPECT_EQ(with_file("WS_ALLOWED_HOSTS=a\nALLOWED_HOSTS=b\nWS_ALLOWED_HOSTS=c\n")
                  .text("ALLOWED_HOSTS"),
              "b");
}

TEST(Settings, ANameAndItsOtherNameInOnePlaceSayTheSame) {
    const Resolved differ = with_file("WS_ALLOWED_HOSTS=a\nALLOWED_HOSTS=b\n");
    EXPECT_TRUE(differ.has_fatal());
    EXPECT_NE(problems_of(differ).find("WS_ALLOWED_HOSTS (/w/.env line 1)"), std::string::npos)
        << problems_of(differ);
    EXPECT_TRUE(
        with_environment({{"ALLOWED_ORIGINS", "https://a"}, {"WS_ALLOWED_ORIGINS", "https://b"}})
            .has_fatal());
    EXPECT_FALSE(with_file("WS_ALLOWED_HOSTS=a, b\nALLOWED_HOSTS='a,b'\n").has_fatal());
    // Empty is not set, under either name.
    EXPECT_EQ(
        with_environment({{"ALLOWED_HOSTS", ""}, {"WS_ALLOWED_HOSTS", "a"}}).text("ALLOWED_HOSTS"),
        "a");
    EXPECT_FALSE(with_environment({{"ALLOWED_HOSTS", "a"}, {"WS_ALLOWED_HOSTS", ""}}).has_fatal());
}

TEST(Settings, APathOfTheOneConfigurationFileIsOneFolder) {
    const auto with_config = [](const std::string& text) {
        Inputs inputs;
        inputs.environment = {{"HOME", "/home/ada"}};
        inputs.config_file = SettingsFile{"/c/config.env", text};
        return resolve(inputs);
    };
    for (const char* path : {"mem", "./mem", "../mem"}) {
        const Resolved relative = with_config(std::string("DYAD_DATA_DIR=") + path + "\n");
        EXPECT_TRUE(relative.has_fatal()) << path;
        EXPECT_NE(problems_of(relative).find("/c/config.env line 1"), std::string::npos) << path;
        EXPECT_FALSE(with_file(std::string("DYAD_DATA_DIR=") + path + "\n").has_fatal()) << path;
    }
    for (const char* path : {"/mem", "~/mem", "$HOME/mem"})
        EXPECT_FALSE(with_config(std::string("DYAD_DATA_DIR=") + path + "\n").has_fatal()) << path;
}

TEST(Settings, AFlagWithoutAValueIsRefused) {
    for (const char* value : {"", "  "}) {
        Inputs inputs;
        inputs.flags = {{"DYAD_DATA_DIR", value}};
        const Resolved resolved = resolve(inputs);
        EXPECT_TRUE(resolved.has_fatal());
        EXPECT_NE(problems_of(resolved).find("--data-dir was given without a value"),
                  std::string::npos);
    }
}

TEST(Settings, CommandsAreRefusedWithTheOneThatDoesWhatIsMeant) {
    const std::string said = problems_of(with_file("DISTRIBUTED_USER_ID=$(whoami)\n"));
    EXPECT_NE(said.find("sed -i \"s|DISTRIBUTED_USER_ID=.*|DISTRIBUTED_USER_ID=$(whoami)|\" "
                        "'/w/.env'"),
              std::string::npos)
        << said;
    for (const char* text :
         {"DISTRIBUTED_USER_ID=\"u-$(uuidgen)\"\n", "DISTRIBUTED_USER_ID=`whoami`\n",
          "WS_SYNC_PORT=$(cat port)\n", "DISTRIBUTED_USER_ID=$USER\n", "DISTRIBUTED_USER_ID=`me\n",
          "DISTRIBUTED_USER_ID=${USER}@example.com\n"})
        EXPECT_TRUE(with_file(text).has_fatal()) << text;
    EXPECT_EQ(with_file("DISTRIBUTED_USER_ID='$(whoami)'\n").user_id(), "$(whoami)");
    EXPECT_EQ(with_file("DISTRIBUTED_USER_ID='$5'\n").user_id(), "$5");
    // Neither a password beside it, nor one that only looks like it, is told.
    for (const char* text :
         {"REDIS_URL=redis://u:hunter2$(x)@h\n", "REDIS_URL=redis://u:`hunter2@h\n",
          "MONGODB_URL=mongodb://u:$(hunter2)@h\n"}) {
        const std::string told = problems_of(with_file(text));
        EXPECT_NE(told.find("holds a command"), std::string::npos) << told;
        EXPECT_EQ(told.find("hunter2"), std::string::npos) << told;
    }
}

TEST(Settings, UuidgenStandsForAnIdThatIsKept) {
    Inputs inputs;
    int asked = 0;
    inputs.kept_user_id = [&asked]() -> Result<KeptUserId> {
        ++asked;
        return KeptUserId{"0b1c-id", "/c/user-id", asked == 1};
    };
    EXPECT_EQ(resolve(inputs).user_id(), "local");
    EXPECT_EQ(asked, 0);
    for (const char* value :
         {"$(uuidgen)", "\"$(uuidgen)\"", "`uuidgen`", "$(uuidgen)  # one of my own"}) {
        inputs.env_file =
            SettingsFile{"/w/.env", std::string("DISTRIBUTED_USER_ID=") + value + "\n"};
        const Resolved resolved = resolve(inputs);
        EXPECT_FALSE(resolved.has_fatal()) << value << problems_of(resolved);
        EXPECT_EQ(resolved.user_id(), "0b1c-id") << value;
        EXPECT_EQ(resolved.note.empty(), asked != 1);
        EXPECT_NE(resolved.at("DISTRIBUTED_USER_ID").source.find("/c/user-id"), std::string::npos);
    }
    inputs.env_file.reset();
    inputs.environment = {{"DISTRIBUTED_USER_ID", "$(uuidgen)"}};
    EXPECT_EQ(resolve(inputs).user_id(), "0b1c-id");
    inputs.kept_user_id = []() -> Result<KeptUserId> {
        return fail(Errc::unavailable, "cannot write /c/user-id: Read-only file system");
    };
    EXPECT_TRUE(resolve(inputs).has_fatal());
    EXPECT_NE(problems_of(resolve(inputs)).find("Read-only"), std::string::npos);
}

TEST(Settings, TheExampleOfTheGuideIsPointedOut) {
    const Resolved resolved = with_file("DISTRIBUTED_USER_ID=your-email@example.com\n");
    EXPECT_FALSE(resolved.has_fatal());
    EXPECT_NE(problems_of(resolved).find("guide's example"), std::string::npos);
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

TEST(Settings, FoldersAreReadAsAShellReadsThem) {
    for (const auto& [written, meant] : std::vector<std::pair<std::string, std::string>>{
             {"~/mem", "/home/ada/mem"},
             {"~", "/home/ada"},
             {"$HOME/mem", "/home/ada/mem"},
             {"${XDG_DATA_HOME:-$HOME/.local/share}/m", "/home/ada/.local/share/m"},
             {"\"~/mem\"", "/home/ada/mem"},
             {" ~/mem ", "/home/ada/mem"},
             {"./~/mem", "/work/~/mem"}}) {
        EXPECT_EQ(with_environment({{"DYAD_DATA_DIR", written}}).data_dir(), meant) << written;
        Inputs inputs;
        inputs.environment = {{"HOME", "/home/ada"}};
        inputs.working_folder = "/work";
        inputs.flags = {{"DYAD_DATA_DIR", written}};
        EXPECT_EQ(resolve(inputs).data_dir(), meant) << written;
        inputs.flags.clear();
        for (auto* file : {&inputs.env_file, &inputs.config_file}) {
            *file = SettingsFile{"/f", "DYAD_DATA_DIR='" + written + "'\n"};
            EXPECT_EQ(resolve(inputs).data_dir(), meant) << written;
            file->reset();
        }
    }
    for (const char* written : {"~eve/mem", "$NOWHERE/mem", "file:///srv/mem", "$(pwd)", "a\nb"})
        EXPECT_TRUE(with_environment({{"DYAD_DATA_DIR", written}}).has_fatal()) << written;
    EXPECT_EQ(with_environment({{"XDG_DATA_HOME", "~/d"}}).data_dir(), "/home/ada/d/dyad-memory");
    const Resolved relative = with_environment({{"XDG_DATA_HOME", "d"}});
    EXPECT_EQ(relative.data_dir(), "/home/ada/.local/share/dyad-memory");
    EXPECT_NE(problems_of(relative).find("XDG_DATA_HOME"), std::string::npos);
}

TEST(Settings, TheClientFindsTheServerOfTheSameSettings) {
    EXPECT_EQ(with_environment({}).url(), "http://localhost:8765");
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
    std::string words[] = {"dyad-memory", "config", "list", "--markdown"};
    char* argv[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data()};
    testing::internal::CaptureStdout();
    EXPECT_EQ(run(4, argv), 0);
    EXPECT_EQ(text.str(), testing::internal::GetCapturedStdout()) << "run: ./x docs";
}

}  // namespace
}  // namespace dyad::cli
