#include "model/json.hpp"

#include "support/json_values.hpp"

#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>

#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace dyad::json {
namespace {

std::string nested(std::size_t levels) {
    return std::string(levels, '[') + std::string(levels, ']');
}

TEST(JsonParse, KeepsIntegersOf64BitsExactly) {
    EXPECT_EQ(parse("-9223372036854775808")->get_int64(), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(parse("9223372036854775807")->get_int64(), std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(parse("18446744073709551615")->get_uint64(),
              std::numeric_limits<std::uint64_t>::max());
    EXPECT_FALSE(parse("18446744073709551616").has_value());  // it would come back as another one
    EXPECT_EQ(parse("18446744073709552000")->get_double(), 18446744073709551616.0);
}

TEST(JsonParse, TakesTheDepthLimitAndNoLevelMore) {
    constexpr auto kMax = static_cast<std::size_t>(limits::json_depth_max);
    EXPECT_TRUE(parse(nested(kMax)));
    const auto deeper = parse(nested(kMax + 1));
    ASSERT_FALSE(deeper);
    EXPECT_EQ(deeper.error().code, Errc::too_large);
    EXPECT_NE(deeper.error().detail.find("json_depth_max = 32"), std::string::npos);
    EXPECT_EQ(parse(std::string(1000000, '[')).error().code, Errc::too_large);
}

TEST(JsonParse, TakesTheMemberLimitAndNoMemberMore) {
    const ParseLimits limits{.members_max = 4};
    EXPECT_TRUE(parse(R"([1,2,{"a":1}])", limits));
    EXPECT_TRUE(canonicalize(R"([1,2,{"a":1}])", limits));
    EXPECT_EQ(parse(R"([1,2,{"a":1,"b":2}])", limits).error().code, Errc::too_large);
    EXPECT_EQ(canonicalize(R"([[],[],[],[],[]])", limits).error().code, Errc::too_large);
}

TEST(JsonParse, CountsTheBytesOfANameUnescaped) {
    const ParseLimits limits{.key_bytes_max = 2};
    EXPECT_TRUE(parse(R"({"\u0061\u0061":1})", limits));
    EXPECT_TRUE(parse(R"({"\u00e9":1})", limits));
    EXPECT_EQ(parse(R"({"abc":1})", limits).error().code, Errc::too_large);
    EXPECT_EQ(parse(R"({"a\u00e9":1})", limits).error().code, Errc::too_large);
}

TEST(JsonParse, ReadsManyMembersWithoutMistakingThemForRepeats) {
    std::string text = "{";
    for (int i = 0; i < 9000; ++i)
        text += (i ? ",\"k" : "\"k") + std::to_string(i) + "\":" + std::to_string(i);
    EXPECT_TRUE(parse(text + "}"));
    EXPECT_TRUE(canonicalize(text + "}"));
    EXPECT_EQ(parse(text + ",\"k17\":0}").error().code, Errc::invalid_field);
    EXPECT_EQ(canonicalize(text + ",\"k17\":0}").error().code, Errc::invalid_field);
}

// RFC 8785, appendix B: IEEE 754 bits and the text of the number.
TEST(JsonCanonical, WritesNumbersAsRfc8785AppendixB) {
    const std::pair<std::uint64_t, const char*> kSamples[] = {
        {0x0000000000000000, "0"},
        {0x8000000000000000, "0"},
        {0x0000000000000001, "5e-324"},
        {0x8000000000000001, "-5e-324"},
        {0x7fefffffffffffff, "1.7976931348623157e+308"},
        {0xffefffffffffffff, "-1.7976931348623157e+308"},
        {0x4340000000000000, "9007199254740992"},
        {0xc340000000000000, "-9007199254740992"},
        {0x4430000000000000, "295147905179352830000"},
        {0x44b52d02c7e14af5, "9.999999999999997e+22"},
        {0x44b52d02c7e14af6, "1e+23"},
        {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
        {0x444b1ae4d6e2ef4e, "999999999999999700000"},
        {0x444b1ae4d6e2ef4f, "999999999999999900000"},
        {0x444b1ae4d6e2ef50, "1e+21"},
        {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
        {0x3eb0c6f7a0b5ed8d, "0.000001"},
        {0x41b3de4355555553, "333333333.3333332"},
        {0x41b3de4355555554, "333333333.33333325"},
        {0x41b3de4355555555, "333333333.3333333"},
        {0x41b3de4355555556, "333333333.3333334"},
        {0x41b3de4355555557, "333333333.33333343"},
        {0xbecbf647612f3696, "-0.0000033333333333333333"},
        {0x43143ff3c1cb0959, "1424953923781206.2"},
    };
    for (const auto& [bits, text] : kSamples)
        EXPECT_EQ(canonical(Value(std::bit_cast<double>(bits))), text);
}

// RFC 8785, sections 3.2.2 and 3.2.3.
TEST(JsonCanonical, WritesTheExamplesOfRfc8785) {
    EXPECT_EQ(
        *canonicalize(R"({
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    })"),
        "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
        "\"string\":\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
    EXPECT_EQ(*canonicalize(R"({
      "\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh",
      "1": "One", "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control",
      "\u00f6": "Latin Small Letter O With Diaeresis"
    })"),
              "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\","
              "\"\xc3\xb6\":\"Latin Small Letter O With Diaeresis\",\"\xe2\x82\xac\":\"Euro Sign\","
              "\"\xf0\x9f\x98\x80\":\"Emoji: Grinning Face\","
              "\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\"}");
}

TEST(JsonCanonical, WritesEveryDoubleSoThatItReadsBack) {
    EXPECT_TRUE(rc::check([](std::uint64_t bits) {
        const double number = std::bit_cast<double>(bits);
        RC_PRE(std::isfinite(number));
        const std::string text = canonical(Value(number));
        RC_ASSERT(std::strtod(text.c_str(), nullptr) == number);
        RC_ASSERT(equal(*parse(text), Value(number)));
    }));
}

TEST(JsonCanonicalize, IsParseThenCanonicalForAnyValueHoweverWritten) {
    EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& bytes) {
        const Value value = test::ValueSource(bytes).value();
        const std::string text = boost::json::serialize(value);
        RC_ASSERT(*canonicalize(text) == canonical(*parse(text)));
        RC_ASSERT(*canonicalize(text) == canonical(value));
        RC_ASSERT(*canonicalize(canonical(value)) == canonical(value));
        RC_ASSERT(equal(*parse(canonical(value)), value));
    }));
}

TEST(JsonCanonicalize, AgreesWithParseOnTextsDamagedAtRandom) {
    EXPECT_TRUE(
        rc::check([](const std::vector<std::uint8_t>& bytes, std::uint16_t at, char damage) {
            std::string text = canonical(test::ValueSource(bytes).value());
            text[at % text.size()] = damage;
            const auto value = parse(text);
            const auto direct = canonicalize(text);
            RC_ASSERT(value.has_value() == direct.has_value());
            if (value) RC_ASSERT(*direct == canonical(*value));
            if (!value) RC_ASSERT(direct.error().to_string() == value.error().to_string());
        }));
}

TEST(JsonEqual, IsEqualityOfCanonicalTexts) {
    EXPECT_TRUE(equal(*parse("1"), *parse("1.0")));
    EXPECT_TRUE(equal(*parse("0"), *parse("-0.0")));
    EXPECT_TRUE(equal(*parse("1e19"), *parse("10000000000000000000")));
    EXPECT_TRUE(equal(*parse(R"({"a":[1],"b":2})"), *parse(R"({"b":2e0,"a":[1.0]})")));
    EXPECT_TRUE(equal(Value(std::int64_t{5}), Value(std::uint64_t{5})));
    EXPECT_FALSE(equal(Value(std::int64_t{-1}), Value(std::uint64_t{18446744073709551615u})));
    EXPECT_FALSE(equal(*parse("9007199254740993"), *parse("9007199254740992.0")));
    EXPECT_FALSE(equal(*parse("[1,2]"), *parse("[2,1]")));
    EXPECT_FALSE(equal(*parse("[1]"), *parse("[1,1]")));
    EXPECT_FALSE(equal(*parse(R"({"a":null})"), *parse("{}")));
    EXPECT_FALSE(equal(*parse("\"1\""), *parse("1")));
    EXPECT_FALSE(equal(*parse("false"), *parse("null")));
    EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& bytes) {
        test::ValueSource source(bytes);
        const Value a = source.value();
        const Value b = source.version(a);
        RC_ASSERT(equal(a, b) == (canonical(a) == canonical(b)));
        RC_ASSERT(equal(a, b) == equal(b, a));
    }));
}

TEST(JsonCheck, FindsWhatParseWouldRefuse) {
    EXPECT_EQ(depth(*parse("1")), 0u);
    EXPECT_EQ(depth(*parse(R"([{"a":[]},1])")), 3u);
    const Value value = *parse(R"({"abc":[1,[2]]})");
    EXPECT_TRUE(check(value, {.depth_max = 3, .members_max = 4, .key_bytes_max = 3}));
    EXPECT_EQ(check(value, {.depth_max = 2}).error().code, Errc::too_large);
    EXPECT_EQ(check(value, {.members_max = 3}).error().code, Errc::too_large);
    EXPECT_EQ(check(value, {.key_bytes_max = 2}).error().code, Errc::too_large);
}

}  // namespace
}  // namespace dyad::json
