// The settings of many nodes: which systems are used, and what of them contradicts itself.
#include "cli/settings.hpp"

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
        out.append(problem.text).append("\n");
    return out;
}

TEST(SettingsOfManyNodes, TheMasterSwitchNeedsAUserAndSwitchesBothSystems) {
    Resolved resolved = with_environment({{"ENABLE_DISTRIBUTED_MEMORY", "true"}});
    EXPECT_TRUE(resolved.has_fatal());
    EXPECT_NE(problems_of(resolved).find("DISTRIBUTED_USER_ID: is required"), std::string::npos);
    resolved =
        with_environment({{"ENABLE_DISTRIBUTED_MEMORY", "true"}, {"DISTRIBUTED_USER_ID", "ada"}});
    EXPECT_TRUE(resolved.problems.empty()) << problems_of(resolved);
    EXPECT_TRUE(server_settings(resolved).enable_mongodb);
    EXPECT_TRUE(server_settings(resolved).enable_redis);
    resolved = with_environment({});
    EXPECT_FALSE(server_settings(resolved).enable_mongodb);
    EXPECT_FALSE(server_settings(resolved).enable_redis);
}

TEST(SettingsOfManyNodes, EachSystemCanBeSwitchedByItself) {
    Resolved resolved = with_environment({{"ENABLE_DISTRIBUTED_MEMORY", "true"},
                                          {"DISTRIBUTED_USER_ID", "ada"},
                                          {"ENABLE_REDIS", "false"}});
    EXPECT_TRUE(resolved.problems.empty()) << problems_of(resolved);
    EXPECT_TRUE(server_settings(resolved).enable_mongodb);
    EXPECT_FALSE(server_settings(resolved).enable_redis);
    EXPECT_TRUE(with_environment({{"ENABLE_MONGODB", "true"}}).problems.empty());
    EXPECT_TRUE(with_environment({{"ENABLE_REDIS", "false"}}).problems.empty());
    resolved = with_environment({{"ENABLE_REDIS", "true"}});
    EXPECT_FALSE(resolved.has_fatal());
    EXPECT_NE(problems_of(resolved).find("do not share a memory through Redis alone"),
              std::string::npos);
    resolved = with_environment({{"ENABLE_DISTRIBUTED_MEMORY", "true"},
                                 {"DISTRIBUTED_USER_ID", "ada"},
                                 {"ENABLE_MONGODB", "false"},
                                 {"ENABLE_REDIS", "false"}});
    EXPECT_FALSE(resolved.has_fatal());
    EXPECT_NE(problems_of(resolved).find("shares nothing"), std::string::npos);
}

TEST(SettingsOfManyNodes, TlsThatIsSaidAndUnsaidIsRefused) {
    const auto refused = [](std::vector<std::pair<std::string, std::string>> more) {
        more.insert(more.end(), {{"ENABLE_MONGODB", "true"}, {"ENABLE_REDIS", "true"}});
        return with_environment(std::move(more)).has_fatal();
    };
    EXPECT_FALSE(refused({{"MONGODB_TLS", "true"}}));
    EXPECT_FALSE(refused({{"MONGODB_TLS", "true"}, {"MONGODB_URL", "mongodb://h/?tls=true"}}));
    EXPECT_TRUE(refused({{"MONGODB_TLS", "true"}, {"MONGODB_URL", "mongodb://h/?tls=false"}}));
    EXPECT_TRUE(refused({{"MONGODB_TLS", "true"}, {"MONGODB_URL", "mongodb://h/d?x=y&ssl=false"}}));
    EXPECT_TRUE(refused({{"MONGODB_TLS_CA_FILE", "/ca.pem"}}));
    EXPECT_FALSE(refused({{"MONGODB_TLS_CA_FILE", "/ca.pem"}, {"MONGODB_TLS", "true"}}));
    EXPECT_FALSE(
        refused({{"MONGODB_TLS_CA_FILE", "/ca.pem"}, {"MONGODB_URL", "mongodb+srv://h.example"}}));
    EXPECT_TRUE(refused({{"REDIS_TLS_CA_FILE", "/ca.pem"}}));
    EXPECT_FALSE(refused({{"REDIS_TLS_CA_FILE", "/ca.pem"}, {"REDIS_TLS", "true"}}));
    EXPECT_FALSE(refused({{"REDIS_TLS_CA_FILE", "/ca.pem"}, {"REDIS_URL", "rediss://h:6380"}}));
    EXPECT_FALSE(with_environment({{"REDIS_TLS_CA_FILE", "/ca.pem"}}).has_fatal())
        << "of what is not used nothing is asked";
}

}  // namespace
}  // namespace dyad::cli
