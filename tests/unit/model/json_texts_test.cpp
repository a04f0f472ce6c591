// A table of JSON texts, good and bad, in the spirit of JSONTestSuite: each with the error that it
// must give. What is good must be read alike by parse() and canonicalize().
#include "model/json.hpp"

#include <string>

#include <gtest/gtest.h>

namespace dyad::json {
namespace {

using namespace std::string_view_literals;

struct Accepted {
    std::string_view text;
    std::string_view canonical;
};

struct Rejected {
    std::string_view text;
    Errc code;
    int position;
};

constexpr Accepted kAccepted[] = {
    // Scalars at the top, white space
    {"null", "null"},
    {"true", "true"},
    {"false", "false"},
    {"0", "0"},
    {"\"\"", "\"\""},
    {" \t\r\n1 \t\r\n", "1"},
    {"[]", "[]"},
    {"{}", "{}"},
    {"[ ]", "[]"},
    {"{\n}", "{}"},
    {"[ 1 , 2 ]", "[1,2]"},
    {"{ \"a\" : 1 , \"b\" : 2 }", "{\"a\":1,\"b\":2}"},
    {"[null,true,false]", "[null,true,false]"},
    {"[[],[[]],{}]", "[[],[[]],{}]"},
    {"[{\"a\":[{\"b\":{}}]}]", "[{\"a\":[{\"b\":{}}]}]"},
    {"[\"\x7f\"]", "[\"\x7f\"]"},
    {"[[],[],{},[[]],1]", "[[],[],{},[[]],1]"},
    {"[ [ ] , { } , 1 ]", "[[],{},1]"},
    // Text that is canonical in part only
    {R"({"a":1, "b":2})", R"({"a":1,"b":2})"},
    {R"({"a":{"d":1,"c":2},"b":[1.0,2]})", R"({"a":{"c":2,"d":1},"b":[1,2]})"},
    {R"({"b":{"d":1,"c":2},"a":{"f":3,"e":4}})", R"({"a":{"e":4,"f":3},"b":{"c":2,"d":1}})"},
    {R"(["\n\"\\\u0001\u001f","\b\f\r\t"])", R"(["\n\"\\\u0001\u001f","\b\f\r\t"])"},
    {R"(["\u001F","\u000a","\/","\u0022","\u007f"])",
     "[\"\\u001f\",\"\\n\",\"/\",\"\\\"\",\"\x7f\"]"},
    {R"([-0,0,-0,-1])", "[0,0,0,-1]"},
    // Numbers
    {"-0", "0"},
    {"-0.0", "0"},
    {"0e5", "0"},
    {"-0e-5", "0"},
    {"-1", "-1"},
    {"10", "10"},
    {"1.0", "1"},
    {"1.50", "1.5"},
    {"1e0", "1"},
    {"1E3", "1000"},
    {"1e+3", "1000"},
    {"1e-3", "0.001"},
    {"0.000001", "0.000001"},
    {"0.0000001", "1e-7"},
    {"1e20", "100000000000000000000"},
    {"1e21", "1e+21"},
    {"123.456e2", "12345.6"},
    {"9007199254740993", "9007199254740993"},
    {"9223372036854775807", "9223372036854775807"},
    {"9223372036854775808", "9223372036854775808"},
    {"-9223372036854775808", "-9223372036854775808"},
    {"18446744073709551615", "18446744073709551615"},
    {"100000000000000000000000", "1e+23"},
    {"1.7976931348623157e308", "1.7976931348623157e+308"},
    {"5e-324", "5e-324"},
    {"0e99999999999999999999", "0"},
    {"[1.5,-2.5e-10]", "[1.5,-2.5e-10]"},
    // Strings
    {"\"abc\"", "\"abc\""},
    {R"("\"\\\/\b\f\n\r\t")", R"("\"\\/\b\f\n\r\t")"},
    {R"("\u0022\u005c\u002f")", R"("\"\\/")"},
    {R"("\u0000\u001F\u0008\u000a")", R"("\u0000\u001f\b\n")"},
    {R"("\u0061\u00e9\u20AC")", "\"a\xc3\xa9\xe2\x82\xac\""},
    {R"("\ud83d\ude00")", "\"\xf0\x9f\x98\x80\""},
    {R"("\uD834\uDd1e")", "\"\xf0\x9d\x84\x9e\""},
    {R"("\udbff\udfff")", "\"\xf4\x8f\xbf\xbf\""},
    {R"("\uffff")", "\"\xef\xbf\xbf\""},
    {R"("\\u0061")", R"("\\u0061")"},
    {"\"\xc2\x80\"", "\"\xc2\x80\""},
    {"\"\xdf\xbf\"", "\"\xdf\xbf\""},
    {"\"\xe0\xa0\x80\"", "\"\xe0\xa0\x80\""},
    {"\"\xed\x9f\xbf\"", "\"\xed\x9f\xbf\""},
    {"\"\xf0\x90\x80\x80\"", "\"\xf0\x90\x80\x80\""},
    {"\"\xf4\x8f\xbf\xbf\"", "\"\xf4\x8f\xbf\xbf\""},
    {"\"\xe2\x80\xa8\"", "\"\xe2\x80\xa8\""},
    {"\"'/*comment*/\"", "\"'/*comment*/\""},
    {"\"0123456789abcdef\\n0123456\"", "\"0123456789abcdef\\n0123456\""},
    // Objects: names sort by UTF-16 code units
    {R"({"b":1,"a":2})", R"({"a":2,"b":1})"},
    {R"({"a":1,"A":2,"":3,"aa":4})", R"({"":3,"A":2,"a":1,"aa":4})"},
    {R"({"\u0062":1,"a":2})", R"({"a":2,"b":1})"},
    {R"({"\n":1,"\u0000":2,"\"":3," ":4,"\\":5})", R"({"\u0000":2,"\n":1," ":4,"\"":3,"\\":5})"},
    {R"({"\ue000":1,"\ud83d\ude00":2,"\ud7ff":3})",
     "{\"\xed\x9f\xbf\":3,\"\xf0\x9f\x98\x80\":2,\"\xee\x80\x80\":1}"},
    {R"({"z":{"b":[{"d":1,"c":2}],"a":0},"y":[]})", R"({"y":[],"z":{"a":0,"b":[{"c":2,"d":1}]}})"},
    {R"({"a":{"a":1},"b":{"a":1}})", R"({"a":{"a":1},"b":{"a":1}})"},
};

constexpr Rejected kRejected[] = {
    // Not one value
    {"", Errc::invalid_json, 0},
    {" ", Errc::invalid_json, 1},
    {"\0"sv, Errc::invalid_json, 0},
    {"1 2", Errc::invalid_json, 2},
    {"1\0"sv, Errc::invalid_json, 1},
    {"[]]", Errc::invalid_json, 2},
    {"{}{}", Errc::invalid_json, 2},
    {"[],", Errc::invalid_json, 2},
    {"\xef\xbb\xbf{}", Errc::invalid_json, 0},
    {"// c\n1", Errc::invalid_json, 0},
    {"1 /* c */", Errc::invalid_json, 2},
    {"\v1", Errc::invalid_json, 0},
    {"\xc2\xa0[]", Errc::invalid_json, 0},
    // Words
    {"nul", Errc::invalid_json, 0},
    {"nulll", Errc::invalid_json, 4},
    {"True", Errc::invalid_json, 0},
    {"fals", Errc::invalid_json, 0},
    {"undefined", Errc::invalid_json, 0},
    {"NaN", Errc::invalid_json, 0},
    {"Infinity", Errc::invalid_json, 0},
    {"-Infinity", Errc::invalid_json, 1},
    {"'a'", Errc::invalid_json, 0},
    // Numbers
    {"-", Errc::invalid_json, 1},
    {"+1", Errc::invalid_json, 0},
    {"01", Errc::invalid_json, 0},
    {"-01", Errc::invalid_json, 1},
    {"00", Errc::invalid_json, 0},
    {".5", Errc::invalid_json, 0},
    {"1.", Errc::invalid_json, 2},
    {"-.5", Errc::invalid_json, 1},
    {"1.e1", Errc::invalid_json, 2},
    {"1e", Errc::invalid_json, 2},
    {"1e+", Errc::invalid_json, 3},
    {"1e1.5", Errc::invalid_json, 3},
    {"1.2.3", Errc::invalid_json, 3},
    {"0x10", Errc::invalid_json, 1},
    {"1_000", Errc::invalid_json, 1},
    {"--1", Errc::invalid_json, 1},
    {"[1a]", Errc::invalid_json, 2},
    {"\xef\xbc\x91", Errc::invalid_json, 0},
    {"1e999", Errc::invalid_field, 0},
    {"[-1e309]", Errc::invalid_field, 1},
    {"1e99999999999999999999", Errc::invalid_field, 0},
    {"-9223372036854775809", Errc::invalid_field, 0},
    {"18446744073709551616", Errc::invalid_field, 0},
    {"1e-400", Errc::invalid_field, 0},
    {"-1e-99999999999999999999", Errc::invalid_field, 0},
    {"1.7976931348623159e308", Errc::invalid_field, 0},
    // Arrays
    {"[", Errc::invalid_json, 1},
    {"]", Errc::invalid_json, 0},
    {"[1", Errc::invalid_json, 2},
    {"[1,", Errc::invalid_json, 3},
    {"[1,]", Errc::invalid_json, 3},
    {"[,1]", Errc::invalid_json, 1},
    {"[1,,2]", Errc::invalid_json, 3},
    {"[1 2]", Errc::invalid_json, 3},
    {"[1:2]", Errc::invalid_json, 2},
    {"[1}", Errc::invalid_json, 2},
    {"[\"a\"", Errc::invalid_json, 4},
    // Objects
    {"{", Errc::invalid_json, 1},
    {"}", Errc::invalid_json, 0},
    {"{\"a\"", Errc::invalid_json, 4},
    {"{\"a\"}", Errc::invalid_json, 4},
    {"{\"a\":", Errc::invalid_json, 5},
    {"{\"a\":}", Errc::invalid_json, 5},
    {"{\"a\":1", Errc::invalid_json, 6},
    {"{\"a\":1,", Errc::invalid_json, 7},
    {"{\"a\":1,}", Errc::invalid_json, 7},
    {"{,\"a\":1}", Errc::invalid_json, 1},
    {"{\"a\" 1}", Errc::invalid_json, 5},
    {"{\"a\"::1}", Errc::invalid_json, 5},
    {"{\"a\":1 \"b\":2}", Errc::invalid_json, 7},
    {"{a:1}", Errc::invalid_json, 1},
    {"{'a':1}", Errc::invalid_json, 1},
    {"{1:1}", Errc::invalid_json, 1},
    {"{null:1}", Errc::invalid_json, 1},
    {"{\"a\":1]", Errc::invalid_json, 6},
    {"{\"a\",1}", Errc::invalid_json, 4},
    {R"({"a":1,"a":1})", Errc::invalid_field, 7},
    {R"({"a":1,"b":2,"a":3})", Errc::invalid_field, 13},
    {R"({"b":1,"a":2,"b":3})", Errc::invalid_field, 13},
    {R"({"a":1,"\u0061":2})", Errc::invalid_field, 7},
    {R"([{"x":{"k":1,"k":2}}])", Errc::invalid_field, 13},
    {R"({"a":1,"a":2)", Errc::invalid_field, 7},
    {R"({"a":1,"a":{"x":1,"x":2}})", Errc::invalid_field, 7},
    {R"({"b":{"x":1,"x":2},"b":3})", Errc::invalid_field, 12},
    {R"({"a":1,"a":2,"b":[)", Errc::invalid_field, 7},
    {R"({"c":1,"b":2,"b":3,"a":{"x":[01]}})", Errc::invalid_field, 13},
    // Strings
    {"\"", Errc::invalid_json, 1},
    {"\"abc", Errc::invalid_json, 4},
    {"\"a\\\"", Errc::invalid_json, 4},
    {"\"\\", Errc::invalid_json, 2},
    {"\"\\x41\"", Errc::invalid_json, 1},
    {"\"\\'\"", Errc::invalid_json, 1},
    {"\"\\\0\""sv, Errc::invalid_json, 1},
    {"\"\\u\"", Errc::invalid_json, 3},
    {"\"\\u12\"", Errc::invalid_json, 3},
    {"\"\\u123g\"", Errc::invalid_json, 3},
    {"\"\\U0061\"", Errc::invalid_json, 1},
    {"\"\\ud83d\"", Errc::invalid_json, 1},
    {"\"\\ud83dx\"", Errc::invalid_json, 1},
    {"\"\\ud83d\\n\"", Errc::invalid_json, 1},
    {"\"\\ud83d\\ud83d\"", Errc::invalid_json, 1},
    {"\"\\ude00\"", Errc::invalid_json, 1},
    {"\"\\ude00\\ud83d\"", Errc::invalid_json, 1},
    {"\"\\ud83d\\u\"", Errc::invalid_json, 9},
    {"\"a\nb\"", Errc::invalid_json, 2},
    {"\"\t\"", Errc::invalid_json, 1},
    {"\"\0\""sv, Errc::invalid_json, 1},
    {"\"0123456789\x1f\"", Errc::invalid_json, 11},
    {"\"01\x1f rest of the word\"", Errc::invalid_json, 3},
    {"\"01\x01 rest of the word\"", Errc::invalid_json, 3},
    {"\"01\\q rest of the word\"", Errc::invalid_json, 3},
    {"\"01\x80 rest of the word\"", Errc::invalid_utf8, 3},
    {"\"a\"b", Errc::invalid_json, 3},
    // Bytes that are not UTF-8
    {"\"\x80\"", Errc::invalid_utf8, 1},
    {"\"\xff\"", Errc::invalid_utf8, 1},
    {"\"\xfe\xff\"", Errc::invalid_utf8, 1},
    {"\"\xc0\xaf\"", Errc::invalid_utf8, 1},
    {"\"\xc1\xbf\"", Errc::invalid_utf8, 1},
    {"\"\xc3\"", Errc::invalid_utf8, 1},
    {"\"\xc3", Errc::invalid_utf8, 1},
    {"\"\xc3(\"", Errc::invalid_utf8, 1},
    {"\"\xe0\x80\xaf\"", Errc::invalid_utf8, 1},
    {"\"\xe0\x9f\xbf\"", Errc::invalid_utf8, 1},
    {"\"\xe2\x82\"", Errc::invalid_utf8, 1},
    {"\"\xed\xa0\x80\"", Errc::invalid_utf8, 1},
    {"\"\xed\xbf\xbf\"", Errc::invalid_utf8, 1},
    {"\"\xf0\x80\x80\xaf\"", Errc::invalid_utf8, 1},
    {"\"\xf0\x8f\xbf\xbf\"", Errc::invalid_utf8, 1},
    {"\"\xf4\x90\x80\x80\"", Errc::invalid_utf8, 1},
    {"\"\xf5\x80\x80\x80\"", Errc::invalid_utf8, 1},
    {"\"\xf0\x9f\x98\"", Errc::invalid_utf8, 1},
    {"\"0123456789\xe9\"", Errc::invalid_utf8, 11},
    {"{\"\xff\":1}", Errc::invalid_utf8, 2},
};

TEST(JsonTexts, GoodOnesAreReadAndWrittenCanonically) {
    for (const Accepted& row : kAccepted) {
        const Result<Value> value = parse(row.text);
        ASSERT_TRUE(value) << row.text << ": " << value.error().to_string();
        EXPECT_EQ(canonical(*value), row.canonical) << row.text;
        const Result<std::string> direct = canonicalize(row.text);
        ASSERT_TRUE(direct) << row.text;
        EXPECT_EQ(*direct, row.canonical) << row.text;
        EXPECT_EQ(*canonicalize(row.canonical), row.canonical) << "is not a fixed point";
    }
}

TEST(JsonTexts, BadOnesGiveTheirErrorAndItsByte) {
    for (const Rejected& row : kRejected) {
        const Result<Value> value = parse(row.text);
        ASSERT_FALSE(value) << row.text;
        EXPECT_EQ(error_row(value.error().code).name, error_row(row.code).name) << row.text;
        const std::string start = "byte " + std::to_string(row.position) + ": ";
        EXPECT_TRUE(value.error().detail.starts_with(start))
            << row.text << ": " << value.error().detail << ", wanted " << start;
        const Result<std::string> direct = canonicalize(row.text);
        ASSERT_FALSE(direct) << row.text;
        EXPECT_EQ(direct.error().to_string(), value.error().to_string()) << row.text;
    }
}

}  // namespace
}  // namespace dyad::json
