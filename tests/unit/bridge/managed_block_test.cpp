#include "cli/bridge/managed_block.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace dyad::cli {
namespace {

const std::string kBegin = "<!-- dyad-memory:begin -->";
const std::string kEnd = "<!-- dyad-memory:end -->";

SharedPart part_of(const std::string& file, bool whole = false) {
    Result<SharedPart> part = SharedPart::find(file, whole);
    EXPECT_TRUE(part) << part.error().detail;
    return *std::move(part);
}

TEST(SharedPart, IsWhatStandsBetweenTheMarkers) {
    const SharedPart part = part_of("mine\n" + kBegin + "\na\nb\n" + kEnd + "\nrest");
    EXPECT_TRUE(part.has_block());
    EXPECT_EQ(part.text(), "a\nb\n");
    EXPECT_EQ(*part.with("c"), "mine\n" + kBegin + "\nc\n" + kEnd + "\nrest");
    EXPECT_EQ(*part.with(std::nullopt), "mine\nrest");
}

TEST(SharedPart, MarkersMayBeIndentedAndSayMore) {
    const SharedPart part =
        part_of("  <!-- dyad-memory:begin of this project -->\r\na\r\n\t<!-- dyad-memory:end-->");
    EXPECT_EQ(part.text(), "a\n");
    EXPECT_FALSE(part_of("<!-- dyad-memory:beginning -->\n").has_block());
    EXPECT_FALSE(part_of("see <!-- dyad-memory:begin -->\n").has_block());
}

TEST(SharedPart, IsNothingWhereNothingIsThere) {
    EXPECT_FALSE(part_of("mine\n").has_block());
    EXPECT_EQ(part_of("mine\n").text(), std::nullopt);
    EXPECT_EQ(part_of(kBegin + "\n" + kEnd + "\n").text(), std::nullopt);
    EXPECT_EQ(part_of("", true).text(), std::nullopt);
    EXPECT_EQ(part_of("a", true).text(), "a");
}

TEST(SharedPart, RefusesMarkersThatAreNotOnePair) {
    for (const std::string& file :
         {kBegin, kEnd, kEnd + "\n" + kBegin, kBegin + "\n" + kBegin + "\n" + kEnd,
          kBegin + "\n" + kEnd + "\n" + kEnd, kBegin + "\n" + kEnd + "\n" + kBegin})
        EXPECT_FALSE(SharedPart::find(file, false)) << file;
    EXPECT_FALSE(SharedPart::find(kBegin + "\n" + kEnd, true));
    EXPECT_FALSE(part_of("").with(kBegin + "\n"));
    EXPECT_FALSE(part_of("", true).with("a\n" + kEnd));
}

TEST(SharedPart, RefusesWhatIsNoText) {
    EXPECT_EQ(SharedPart::find("\xff", true).error().code, Errc::invalid_utf8);
    EXPECT_EQ(SharedPart::find(std::string("a\0b", 3), false).error().code, Errc::invalid_field);
}

TEST(SharedPart, ComesAtTheEndAndGoesAgain) {
    for (const std::string& file :
         {std::string(), std::string("mine\n"), std::string("a\r\nb\r\n")}) {
        const std::string with = *part_of(file).with("shared\n");
        EXPECT_TRUE(with.starts_with(file));
        EXPECT_EQ(part_of(with).text(), "shared\n");
        EXPECT_EQ(*part_of(with).with(std::nullopt), file);
    }
    EXPECT_TRUE(part_of("mine").with("shared\n")->starts_with("mine\n\n<!--"));
}

TEST(SharedPart, KeepsTheEndsOfLines) {
    const std::string file = "x\r\n" + kBegin + "\r\na\r\nb\nc\r\n" + kEnd + "\r\n";
    const SharedPart part = part_of(file);
    EXPECT_EQ(part.text(), "a\nb\nc\n");
    EXPECT_EQ(*part.with("a\nb\nc\n"), file);
    EXPECT_EQ(*part.with("a\nnew\nb\nc\n"),
              "x\r\n" + kBegin + "\r\na\r\nnew\r\nb\nc\r\n" + kEnd + "\r\n");
    EXPECT_EQ(*part_of("a\r\nb", true).with("a\nb\nc"), "a\r\nb\r\nc");
    EXPECT_EQ(*part_of("a\nb", true).with("a\nb"), "a\nb");
}

TEST(SharedPart, WrappedHasAllOfTheFile) {
    EXPECT_EQ(part_of(part_of("a\r\nb").wrapped()).text(), "a\nb\n");
    EXPECT_EQ(part_of(part_of("a\n").wrapped()).text(), "a\n");
}

TEST(SharedPart, ChangesNothingOutside) {
    EXPECT_TRUE(rc::check([] {
        const auto piece =
            rc::gen::container<std::string>(rc::gen::element('a', '\r', '\n', '<', '-', ' '));
        const std::string before = *piece + "\n", inner = *piece, after = *piece;
        std::string text = with_lf(*piece);
        while (text.ends_with('\r'))
            text.pop_back();
        const std::string file = before + kBegin + "\n" + inner + "\n" + kEnd + "\n" + after;
        const SharedPart part = part_of(file);
        RC_ASSERT(*part.with(part.text()) == (part.text() ? file : before + after));
        const std::string changed = *part.with(text);
        RC_ASSERT(changed.starts_with(before + kBegin + "\n"));
        RC_ASSERT(changed.ends_with(kEnd + "\n" + after));
        RC_ASSERT(part_of(changed).text().value_or("") ==
                  (text.ends_with('\n') ? text : text + "\n"));
    }));
}

}  // namespace
}  // namespace dyad::cli
