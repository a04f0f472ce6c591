// Which numbers are kept, and where one that is not stands.
#include "model/json.hpp"
#include "model/json_pointer.hpp"

#include <string>

#include <gtest/gtest.h>

namespace dyad::json {
namespace {

TEST(JsonNumbers, ComeBackAsTheNumbersTheyWere) {
    const std::pair<const char*, const char*> cases[] = {
        {"0", "0"},
        {"-0", "0"},
        {"-0.0", "0"},
        {"0e5", "0"},
        {"1.0", "1"},
        {"1e2", "100"},
        {"1E+2", "100"},
        {"0.10", "0.1"},
        {"100e-2", "1"},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"18446744073709551615", "18446744073709551615"},
        {"20000000000000000000", "20000000000000000000"},
        {"10000000000000000000000000", "1e+25"},
        {"1e23", "1e+23"},
        {"1.7976931348623157e308", "1.7976931348623157e+308"},
        {"5e-324", "5e-324"},
        {"2.2250738585072014e-308", "2.2250738585072014e-308"},
        {"0.30000000000000004", "0.30000000000000004"},
        {"0.10000000000000001", "0.1"},  // how C prints 0.1 with 17 digits
        {"5.684341886080802e-14", "5.684341886080802e-14"},
        {"333333333.33333329", "333333333.3333333"},  // RFC 8785, appendix
        {"3.141592653589793", "3.141592653589793"},
        {"123456789.125000000000000000000000", "123456789.125"},
    };
    for (const auto& [text, canonical_text] : cases) {
        const auto made = canonicalize(text);
        ASSERT_TRUE(made) << text << made.error().to_string();
        EXPECT_EQ(*made, canonical_text) << text;
        EXPECT_EQ(canonical(*parse(text)), canonical_text) << text;
        EXPECT_EQ(*canonicalize(*made), canonical_text) << text;
    }
}

TEST(JsonNumbers, AreRefusedWhereTheyWouldComeBackAsOthers) {
    for (const char* text :
         {"18446744073709551616", "18446744073709551617",
          "0.1000000000000000055511151231257827021181583404541015625", "-9223372036854775809",
          "123456789012345678901234567890", "9007199254740993.0", "9007199254740993e0",
          "90071992547409930e-1", "3.14159265358979323846", "0.1234567890123456789",
          "12345678901234567890.12", "1e400", "-1e400", "1e999999999999999999999", "1e-400",
          "-1e-400", "3e-324", "1.79769313486231580e309", "0.33333333333333333333"}) {
        const auto made = canonicalize(text);
        ASSERT_FALSE(made) << text << " gives " << *made;
        EXPECT_EQ(made.error().code, Errc::invalid_field) << text;
        EXPECT_NE(made.error().detail.find("send it as a string"), std::string::npos) << text;
        const auto parsed = parse(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().detail, made.error().detail) << text;
    }
    const std::string long_text = "0." + std::string(5000, '3');
    EXPECT_FALSE(canonicalize(long_text));
    EXPECT_TRUE(canonicalize("0.5" + std::string(5000, '0')));
}

TEST(JsonNumbers, AreNamedByTheirPlace) {
    const std::pair<const char*, const char*> cases[] = {
        {"1e400", R"(byte 0: the number at "" is beyond the range of a double)"},
        {R"({"v":1e400})", R"(byte 5: the number at "/v" is)"},
        {R"({"a":{"b":[1,{"c":2},[18446744073709551617]]}})", R"(the number at "/a/b/2/0" has)"},
        {R"({"x":[],"y":{},"a/b~c":[0, 1e-400 ]})", R"(the number at "/a~1b~0c/1" has)"},
        {R"([{"k":1},{"k":18446744073709551617}])", R"(the number at "/1/k" has)"},
        {R"({"\u0061":1e400})", R"(the number at "/a" is)"},
    };
    for (const auto& [text, where] : cases) {
        const auto made = canonicalize(text);
        ASSERT_FALSE(made) << text;
        EXPECT_NE(made.error().detail.find(where), std::string::npos) << made.error().detail;
    }
}

}  // namespace
}  // namespace dyad::json
