#include "edit/diff.hpp"

#include <random>

#include <gtest/gtest.h>

namespace dyad::edit {
namespace {

TEST(UnifiedDiff, ShowsAChangeWithThreeLinesAround) {
    EXPECT_EQ(
        unified_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n", "a", "b"),
        "--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
}

TEST(UnifiedDiff, ANewFileAndAMissingLineEnd) {
    EXPECT_EQ(unified_diff("", "x\ny", "/dev/null", "b"),
              "--- /dev/null\n+++ b\n@@ -0,0 +1,2 @@\n+x\n+y\n\\ No newline at end of file\n");
    EXPECT_EQ(unified_diff("same\n", "same\n", "a", "b"), "");
}

TEST(UnifiedDiff, ChangesFarApartHaveHunksOfTheirOwn) {
    std::string before, after;
    for (int i = 0; i < 40; ++i) {
        before += std::to_string(i) + "\n";
        after += (i == 5 || i == 30 ? "x" : std::to_string(i)) + "\n";
    }
    const std::string diff = unified_diff(before, after, "a", "b");
    EXPECT_NE(diff.find("@@ -3,7 +3,7 @@"), diff.npos) << diff;
    EXPECT_NE(diff.find("@@ -28,7 +28,7 @@"), diff.npos) << diff;
}

// What is kept and what is added, together, is the new text; what is kept and removed the old one.
TEST(UnifiedDiff, WithContextForAllItHoldsBothTexts) {
    std::mt19937 random(7);
    for (int round = 0; round < 300; ++round) {
        std::string before, after;
        for (int i = 0; i < 6; ++i) {
            if (random() % 4 != 0)
                before += std::string(1, static_cast<char>('a' + random() % 3)) + "\n";
            if (random() % 4 != 0)
                after += std::string(1, static_cast<char>('a' + random() % 3)) + "\n";
        }
        const std::string diff = unified_diff(before, after, "a", "b");
        if (before == after) continue;
        std::string old_text, new_text;
        std::size_t at = diff.find("@@\n") + 3;
        for (; at < diff.size(); at = diff.find('\n', at) + 1) {
            const std::string line = diff.substr(at, diff.find('\n', at) + 1 - at);
            if (line.starts_with("@@")) continue;
            if (line[0] != '+') old_text += line.substr(1);
            if (line[0] != '-') new_text += line.substr(1);
        }
        // Lines further away than three from every change are not shown: at most six here.
        EXPECT_NE(before.find(old_text), before.npos) << diff;
        EXPECT_NE(after.find(new_text), after.npos) << diff;
        EXPECT_EQ(before.size() - old_text.size(), after.size() - new_text.size()) << diff;
    }
}

}  // namespace
}  // namespace dyad::edit
