#include "cli/bridge/line_merge.hpp"

#include "edit/diff.hpp"

#include <map>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace dyad::cli {
namespace {

using edit::common_lines;
using edit::lines_of;

// Texts of few different lines, so that they have much in common; some end without a newline.
rc::Gen<std::string> text() {
    const auto line = rc::gen::element<std::string>("", "a", "b", "c", "d", "e", "\r", "a b");
    return rc::gen::apply(
        [](const std::vector<std::string>& lines, bool ended) {
            std::string out;
            for (const std::string& one : lines)
                out.append(one).append("\n");
            if (!ended && !out.empty()) out.pop_back();
            return out;
        },
        rc::gen::container<std::vector<std::string>>(line), rc::gen::arbitrary<bool>());
}

// With a number in each line: there is one way to say what was changed.
std::string numbered(const std::string& text) {
    std::string out;
    std::size_t number = 0;
    for (const std::string_view line : lines_of(text))
        out.append(std::to_string(number++)).append(line);
    return out;
}

// The text with some lines put in, taken out and changed.
std::string edited(const std::string& base, const std::vector<int>& dice, const char* who) {
    std::string out;
    std::size_t at = 0;
    for (const std::string_view line : lines_of(base)) {
        const int roll = dice.empty() ? 0 : dice[at % dice.size()] & 15;
        const std::string own = std::string(who) + std::to_string(at++);
        if (roll == 1) continue;
        if (roll == 2) out.append(own).append("\n");
        out.append(roll == 3 ? own + "\n" : std::string(line));
    }
    if (dice.size() % 3 == 1) out.append(who).append("\n");
    return out;
}

std::map<std::string, int> counted_lines(std::string_view text) {
    std::map<std::string, int> out;
    for (const std::string_view line : lines_of(text))
        ++out[std::string(line)];
    return out;
}

// Each line that `side` has beside those of `base` is in `result`.
bool keeps_own(std::string_view base, std::string_view side, std::string_view result) {
    const auto had = counted_lines(base), has = counted_lines(side), gets = counted_lines(result);
    for (const auto& [line, count] : has) {
        const auto before = had.find(line);
        const int own = count - (before == had.end() ? 0 : before->second);
        const auto after = gets.find(line);
        if (own > 0 && (after == gets.end() ? 0 : after->second) < own) return false;
    }
    return true;
}

// The text before of a diff, and the one after it.
std::pair<std::string, std::string> undone(const std::string& before, const std::string& diff) {
    const std::vector<std::string_view> lines = lines_of(before), rows = lines_of(diff);
    std::string a, b;
    std::size_t at = 0;
    for (std::size_t i = 2; i < rows.size(); ++i) {
        if (rows[i].starts_with("@@")) {
            std::size_t first = std::stoul(std::string(rows[i].substr(4)));
            const bool empty = rows[i].find(",0 +") != std::string_view::npos;
            if (!empty) --first;
            for (; at < first; ++at) {
                a.append(lines[at]);
                b.append(lines[at]);
            }
            continue;
        }
        if (rows[i].starts_with("\\")) continue;
        std::string line(rows[i].substr(1));
        if (i + 1 < rows.size() && rows[i + 1].starts_with("\\")) line.pop_back();
        if (rows[i][0] != '+') a.append(line), ++at;
        if (rows[i][0] != '-') b.append(line);
    }
    for (; at < lines.size(); ++at) {
        a.append(lines[at]);
        b.append(lines[at]);
    }
    return {a, b};
}

TEST(Lines, AreTheTextAgain) {
    EXPECT_TRUE(lines_of("").empty());
    EXPECT_EQ(lines_of("a\n\nb"), (std::vector<std::string_view>{"a\n", "\n", "b"}));
    EXPECT_EQ(lines_of("\n"), (std::vector<std::string_view>{"\n"}));
}

TEST(Lines, CommonOnesGrowOnBothSidesAndAreEqual) {
    EXPECT_TRUE(rc::check([] {
        const std::string first = *text(), second = *text();
        const auto a = lines_of(first), b = lines_of(second);
        std::size_t i = 0, j = 0;
        for (const auto& [x, y] : common_lines(a, b)) {
            RC_ASSERT(x >= i && y >= j && x < a.size() && y < b.size());
            RC_ASSERT(a[x] == b[y]);
            i = x + 1;
            j = y + 1;
        }
    }));
}

TEST(Lines, CommonOnesAreAsManyAsCanBe) {
    EXPECT_TRUE(rc::check([] {
        const std::string first = *text(), second = *text();
        const auto a = lines_of(first), b = lines_of(second);
        std::vector<std::vector<std::size_t>> best(a.size() + 1,
                                                   std::vector<std::size_t>(b.size() + 1));
        for (std::size_t i = 1; i <= a.size(); ++i)
            for (std::size_t j = 1; j <= b.size(); ++j)
                best[i][j] = a[i - 1] == b[j - 1] ? best[i - 1][j - 1] + 1
                                                  : std::max(best[i - 1][j], best[i][j - 1]);
        RC_ASSERT(common_lines(a, b).size() == best[a.size()][b.size()]);
    }));
}

TEST(Lines, TextsTooDifferentHaveOnlyTheirEndsInCommon) {
    std::string a = "head\n", b = "head\n";
    for (int i = 0; i < 5000; ++i) {
        a.append("a").append(std::to_string(i)).append("\n");
        b.append("b").append(std::to_string(i)).append("\n");
    }
    a.append("tail\n");
    b.append("tail\n");
    const edit::Matches expected = {{0, 0}, {5001, 5001}};
    EXPECT_EQ(common_lines(lines_of(a), lines_of(b)), expected);
}

TEST(Merge, TakesWhatOneSideChanged) {
    const Merge merge("a\nb\nc\nd\ne\n", "a\nB\nc\nd\ne\n", "a\nb\nc\nD\ne\nf\n");
    EXPECT_EQ(merge.conflicts(), 0U);
    EXPECT_EQ(merge.text(Side::mine), "a\nB\nc\nD\ne\nf\n");
}

TEST(Merge, KeepsBothSidesOfAConflict) {
    const Merge merge("a\nb\nc\n", "a\nmine\nc\nx\n", "a\ntheirs\nc\n");
    ASSERT_EQ(merge.conflicts(), 1U);
    EXPECT_EQ(merge.text(Side::mine), "a\nmine\nc\nx\n");
    EXPECT_EQ(merge.text(Side::theirs), "a\ntheirs\nc\nx\n");
    EXPECT_EQ(merge.text(Side::base), "a\nb\nc\nx\n");
}

TEST(Merge, KeepsWhatBothPutIn) {
    const Merge merge("a\n", "a\nboth\nmine\n", "a\nboth\ntheirs\n");
    EXPECT_EQ(merge.conflicts(), 0U);
    EXPECT_EQ(merge.text(Side::mine), "a\nboth\ntheirs\nmine\n");
    EXPECT_EQ(Merge("a\n", "a\nmine\n", "a\ntheirs\n", false).conflicts(), 1U);
    // What has no end cannot stand in front of something.
    EXPECT_EQ(Merge("a\n", "a\nmine", "a\ntheirs\n").conflicts(), 1U);
}

TEST(Merge, WithoutAnAncestorTakesWhatOnlyOneSideHas) {
    EXPECT_EQ(Merge("a\nb\n", "a\nb\nc\n").text(Side::mine), "a\nb\nc\n");
    const Merge merge("a\nmine\n", "a\ntheirs\n");
    EXPECT_EQ(merge.conflicts(), 1U);
    EXPECT_EQ(merge.text(Side::mine), "a\nmine\n");
    EXPECT_EQ(merge.text(Side::theirs), "a\ntheirs\n");
    EXPECT_EQ(merge.text(Side::base), "a\n");
}

TEST(Merge, OfOneChangeIsThatChange) {
    EXPECT_TRUE(rc::check([] {
        const std::string base = *text(), other = *text();
        for (const Merge& merge :
             {Merge(base, base, other), Merge(base, other, base), Merge(base, other, other)}) {
            RC_ASSERT(merge.conflicts() == 0U);
            RC_ASSERT(merge.text(Side::mine) == other);
            RC_ASSERT(merge.text(Side::theirs) == other);
        }
        RC_ASSERT(Merge(other, other).text(Side::mine) == other);
    }));
}

TEST(Merge, PartsAreTheThreeTexts) {
    EXPECT_TRUE(rc::check([] {
        const std::string base = *text(), mine = *text(), theirs = *text();
        const Merge merge(base, mine, theirs);
        RC_ASSERT(merge.text(Side::base, Side::base) == base);
        RC_ASSERT(merge.text(Side::mine, Side::mine) == mine);
        RC_ASSERT(merge.text(Side::theirs, Side::theirs) == theirs);
    }));
}

TEST(Merge, ExchangedSidesExchangeTheConflicts) {
    EXPECT_TRUE(rc::check([] {
        const std::string base = *text();
        const std::string mine = edited(base, *rc::gen::arbitrary<std::vector<int>>(), "m");
        const std::string theirs = edited(base, *rc::gen::arbitrary<std::vector<int>>(), "t");
        const Merge merge(base, mine, theirs, false), mirror(base, theirs, mine, false);
        RC_ASSERT(merge.conflicts() == mirror.conflicts());
        RC_ASSERT(merge.text(Side::mine) == mirror.text(Side::theirs));
        RC_ASSERT(merge.text(Side::theirs) == mirror.text(Side::mine));
        const Merge united(base, mine, theirs), other(base, theirs, mine);
        RC_ASSERT(united.conflicts() == other.conflicts());
        RC_ASSERT(counted_lines(united.text(Side::mine)) ==
                  counted_lines(other.text(Side::theirs)));
    }));
}

TEST(Merge, LosesNothing) {
    EXPECT_TRUE(rc::check([] {
        const std::string base = *text();
        const std::string mine = edited(base, *rc::gen::arbitrary<std::vector<int>>(), "m");
        const std::string theirs = edited(base, *rc::gen::arbitrary<std::vector<int>>(), "t");
        const Merge merge(base, mine, theirs);
        RC_ASSERT(keeps_own(base, mine, merge.text(Side::mine)));
        RC_ASSERT(keeps_own(base, theirs, merge.text(Side::theirs)));
        if (merge.conflicts() == 0) RC_ASSERT(keeps_own(base, theirs, merge.text(Side::mine)));
        const Merge first(mine, theirs);
        RC_ASSERT(keeps_own("", mine, first.text(Side::mine)));
        RC_ASSERT(keeps_own("", theirs, first.text(Side::theirs)));
    }));
}

TEST(Merge, AgainChangesNothing) {
    EXPECT_TRUE(rc::check([] {
        const std::string base = numbered(*text());
        const std::string mine = edited(base, *rc::gen::arbitrary<std::vector<int>>(), "m");
        const std::string theirs = edited(base, *rc::gen::arbitrary<std::vector<int>>(), "t");
        const Merge merge(base, mine, theirs);
        const Merge again(merge.text(Side::base), merge.text(Side::mine), merge.text(Side::theirs),
                          false);
        RC_ASSERT(again.text(Side::mine) == merge.text(Side::mine));
        RC_ASSERT(again.text(Side::theirs) == merge.text(Side::theirs));
    }));
}

TEST(Merge, GoesOnWhereTheFileWasNotWrittenYet) {
    EXPECT_TRUE(rc::check([] {
        const std::string base = numbered(*text());
        const std::string mine = edited(base, *rc::gen::arbitrary<std::vector<int>>(), "m");
        const std::string theirs = edited(base, *rc::gen::arbitrary<std::vector<int>>(), "t");
        const Merge merge(base, mine, theirs);
        // The shared text was written, the file was not.
        const Merge rest(merge.text(Side::base, Side::mine), mine, merge.text(Side::theirs), false);
        RC_ASSERT(rest.text(Side::mine) == merge.text(Side::mine));
        RC_ASSERT(rest.text(Side::theirs) == merge.text(Side::theirs));
    }));
}

TEST(UnifiedDiff, SaysWhatChanged) {
    EXPECT_EQ(edit::unified_diff("a\n", "a\n", "x", "y"), "");
    EXPECT_EQ(edit::unified_diff("1\n2\n3\n4\n5\n", "1\n2\n3\n4\nfive", "x", "y"),
              "--- x\n+++ y\n@@ -2,4 +2,4 @@\n 2\n 3\n 4\n-5\n+five\n"
              "\\ No newline at end of file\n");
    EXPECT_EQ(edit::unified_diff("", "a\n", "x", "y"), "--- x\n+++ y\n@@ -0,0 +1 @@\n+a\n");
}

TEST(UnifiedDiff, HasBothTextsInIt) {
    EXPECT_TRUE(rc::check([] {
        const std::string before = *text(), after = *text();
        RC_ASSERT(undone(before, edit::unified_diff(before, after, "x", "y")) ==
                  std::pair(before, after));
    }));
}

}  // namespace
}  // namespace dyad::cli
