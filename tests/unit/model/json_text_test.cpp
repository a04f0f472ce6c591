// The writer of JSON that the product composes itself: against the standard library's digits, and
// against what parses the text again.
#include "model/json_text.hpp"

#include "model/json.hpp"

#include <algorithm>
#include <cstdio>
#include <limits>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace dyad::json {
namespace {

// By the definition: the escapes that JSON demands, the short ones where there are any.
std::string by_definition(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        const std::size_t at = std::string_view("\"\\\b\f\n\r\t").find(c);
        if (at != std::string_view::npos) {
            out += '\\';
            out += "\"\\bfnrt"[at];
        } else if (static_cast<unsigned char>(c) < 0x20) {
            char escape[8];
            std::snprintf(escape, sizeof escape, "\\u%04x", c);
            out += escape;
        } else {
            out += c;
        }
    }
    return out + '"';
}

TEST(JsonWriter, WritesEveryByteAtEveryPlaceOfShortAndLongStrings) {
    for (std::size_t size = 0; size <= 40; ++size) {
        for (std::size_t at = 0; at < std::max<std::size_t>(size, 1); ++at) {
            for (int byte = 0; byte < 256; ++byte) {
                std::string text(size, 'x');
                if (size > 0) text[at] = static_cast<char>(byte);
                std::string out = "[";
                append_string(out, text);
                ASSERT_EQ(out, "[" + by_definition(text)) << size << " " << at << " " << byte;
            }
        }
    }
}

TEST(JsonWriter, WritesAnyBytesAsStringsOfAnyLength) {
    EXPECT_TRUE(rc::check([] {
        const auto size = *rc::gen::inRange<std::size_t>(0, 5000);
        const auto text = *rc::gen::container<std::string>(
            size, rc::gen::weightedOneOf<char>(
                      {{8, rc::gen::inRange<char>('a', 'z')}, {1, rc::gen::arbitrary<char>()}}));
        std::string out;
        append_string(out, text);
        RC_ASSERT(out == by_definition(text));
    }));
}

TEST(JsonWriter, WritesIntegersOfEveryLength) {
    const auto check = [](auto value) {
        std::string out = "-";
        Writer(out, 0).integer(value);
        EXPECT_EQ(out, "-" + std::to_string(value));
    };
    check(std::numeric_limits<std::int64_t>::min());
    check(std::numeric_limits<std::int64_t>::max());
    check(std::numeric_limits<std::uint64_t>::max());
    for (std::uint64_t power = 1, i = 0; i < 20; ++i, power *= 10) {
        for (const std::uint64_t value : {power - 1, power, power + 1, power / 2, 7 * power}) {
            check(value);
            check(static_cast<std::int64_t>(value));
            check(-static_cast<std::int64_t>(value / 2));
        }
    }
    for (int value = -20000; value <= 20000; ++value)
        check(value);
}

TEST(JsonWriter, AnyIntegerIsWrittenAsTheStandardLibraryDoes) {
    EXPECT_TRUE(rc::check([] {
        const auto bits = *rc::gen::inRange(0, 64);
        const auto value = *rc::gen::arbitrary<std::uint64_t>() >> bits;
        std::string out;
        Writer(out, 0).integer(value);
        RC_ASSERT(out == std::to_string(value));
    }));
}

TEST(JsonWriter, NeedsNoRightGuessAndLeavesNothingBehind) {
    const std::string expected =
        R"(before["a\"b",-12,0.5,["x","","y\n"],true,null,)" + std::string(5000, '1') + "]";
    for (const std::size_t guess : {0U, 1U, 50U, 1000U, 100000U}) {
        std::string out = "before";
        {
            Writer writer(out, guess);
            writer.raw("[").string("a\"b").raw(",").integer(-12).raw(",").real(0.5);
            writer.raw(",").value(std::vector<std::string>{"x", "", "y\n"}).raw(",").value(true);
            writer.raw(",")
                .value(std::optional<std::string>())
                .raw(",")
                .raw(std::string(5000, '1'));
            writer.raw("]");
            EXPECT_EQ(writer.size(), expected.size());
        }
        EXPECT_EQ(out, expected) << guess;
    }
}

}  // namespace
}  // namespace dyad::json
