// The tables of protocol/ say what the program says: compared both ways.
#include "base/limits.hpp"
#include "base/result.hpp"
#include "model/json.hpp"

#include <fstream>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

namespace dyad {
namespace {

boost::json::array table(const std::string& name) {
    std::ifstream file(DYAD_SOURCE_DIR "/protocol/" + name + ".json");
    std::stringstream text;
    text << file.rdbuf();
    const Result<json::Value> value = json::parse(text.str());
    CHECK(value.has_value());
    return value->at(name).as_array();
}

TEST(ErrorTable, IsTheSameInEveryLanguage) {
    std::set<std::string> named;
    for (const json::Value& entry : table("errors")) {
        const std::string name(entry.at("name").as_string());
        EXPECT_TRUE(named.insert(name).second) << name << " stands twice";
        const auto code = error_by_name(name);
        ASSERT_TRUE(code.has_value()) << name << " is not in errors.def";
        const ErrorRow& row = error_row(*code);
        EXPECT_EQ(entry.at("httpStatus").as_int64(), row.http_status) << name;
        EXPECT_EQ(entry.at("closeCode").as_int64(), row.close_code) << name;
        EXPECT_EQ(entry.at("mcpCode").as_int64(), row.mcp_code) << name;
        EXPECT_EQ(entry.at("retry").as_bool(), row.retry) << name;
        EXPECT_EQ(std::string(entry.at("message").as_string()), row.message) << name;
    }
    for (std::size_t i = 0; i < kErrcCount; ++i) {
        const std::string name(error_row(static_cast<Errc>(i)).name);
        EXPECT_TRUE(named.contains(name)) << name << " is not in protocol/errors.json";
    }
}

TEST(LimitTable, IsTheSameInEveryLanguage) {
    std::set<std::string> named;
    for (const json::Value& entry : table("limits")) {
        const std::string name(entry.at("name").as_string());
        EXPECT_TRUE(named.insert(name).second) << name << " stands twice";
        const limits::Row* found = nullptr;
        for (const limits::Row& row : limits::kTable)
            if (row.name == name) found = &row;
        ASSERT_NE(found, nullptr) << name << " is not in limits.def";
        EXPECT_EQ(entry.at("value").as_int64(), found->value) << name;
        EXPECT_EQ(std::string(entry.at("unit").as_string()), found->unit) << name;
        EXPECT_EQ(std::string(entry.at("meaning").as_string()), found->meaning) << name;
    }
    for (const limits::Row& row : limits::kTable)
        EXPECT_TRUE(named.contains(std::string(row.name)))
            << row.name << " is not in protocol/limits.json";
}

}  // namespace
}  // namespace dyad
