// The committed documents are what the tables say.
#include "cli/documents.hpp"
#include "cli/settings_table.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace dyad::cli {
namespace {

std::string committed(const char* name) {
    std::ifstream in(std::string(DYAD_SOURCE_DIR) + "/docs/" + name, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

TEST(Documents, SettingsAreCurrent) {
    EXPECT_EQ(committed("settings.md"), settings_markdown()) << "run ./x docs";
}

TEST(Documents, LimitsAreCurrent) {
    EXPECT_EQ(committed("limits.md"), limits_markdown()) << "run ./x docs";
}

TEST(Documents, ErrorsAreCurrent) {
    EXPECT_EQ(committed("errors.md"), errors_markdown()) << "run ./x docs";
}

}  // namespace
}  // namespace dyad::cli
