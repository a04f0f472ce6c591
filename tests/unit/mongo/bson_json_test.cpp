#include "store/mongo/bson/bson_json.hpp"

#include "base/limits.hpp"
#include "model/json.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace dyad::mongo {
namespace {

// As mongosh would show it (relaxed extended JSON).
std::string shown(const Bson& document) {
    std::size_t bytes = 0;
    char* const text = bson_as_relaxed_extended_json(document.get(), &bytes);
    std::string copy(text, bytes);
    bson_free(text);
    return copy;
}

std::string back(std::string_view text) {
    const Result<Bson> document = bson_of(text);
    if (!document) return document.error().to_string();
    const Result<std::string> json = json_of(document->view());
    return json ? *json : json.error().to_string();
}

TEST(BsonJson, WhatBsonCanHoldComesBackAsItWas) {
    for (const char* const text :
         {"{}", R"({"":1})", R"({"a":{"b":[1,[],{},null,true,false,"x"]}})",
          R"({"n":[0,-1,2147483647,2147483648,-2147483649,9007199254740992,9007199254740993]})",
          R"({"n":[9223372036854775807,-9223372036854775808,0.1,1e+21,5e-324]})",
          R"({"s":["\u0000","😀\"\\\u0001"],"é":1})", R"({"0":2,"1":1})"})
        EXPECT_EQ(back(text), text);
}

TEST(BsonJson, NumbersAreAsTheNpmDriverWritesThem) {
    const Result<Bson> document = bson_of(
        R"({"a":5,"b":1700000000000,"c":9007199254740993,"d":18446744073709551615,"e":0.5})");
    ASSERT_TRUE(document);
    const BsonView view = document->view();
    EXPECT_EQ(view.find("a")->type(), BSON_TYPE_INT32);
    EXPECT_EQ(view.find("b")->type(), BSON_TYPE_DOUBLE);
    EXPECT_EQ(view.find("c")->type(), BSON_TYPE_INT64);
    EXPECT_EQ(view.find("d")->type(), BSON_TYPE_DOUBLE);
    EXPECT_EQ(view.find("e")->type(), BSON_TYPE_DOUBLE);
    EXPECT_EQ(view.number("c"), 9007199254740993);
    EXPECT_EQ(view.real("d"), 18446744073709551616.0);
}

TEST(BsonJson, NamesThatNoServerTakesAreReplaced) {
    EXPECT_EQ(shown(*bson_of(R"({"$set":{"a.b":1,"c$":2,"\u0000":3}})")),
              "{ \"＄set\" : { \"a．b\" : 1, \"c$\" : 2, \"␀\" : 3 } }");
}

TEST(BsonJson, WhatIsNoJsonIsRefusedAndLeavesAWholeDocument) {
    for (const char* const text : {"", "{", "{\"a\":[{\"b\":1},", "[1]", "7", "{} x"}) {
        const Result<Bson> document = bson_of(text);
        ASSERT_FALSE(document) << text;
        EXPECT_EQ(document.error().code, Errc::storage_damaged);
    }
    Bson to;
    EXPECT_FALSE(append_json(to, "x", R"({"a":[{"b":1},)"));
    EXPECT_TRUE(bson_validate(to.get(), BSON_VALIDATE_NONE, nullptr));
}

TEST(BsonJson, TypesThatJsonDoesNotHaveBecomeWhatReadsBest) {
    Bson document;
    bson_t* const b = document.get();
    document.date("date", 1767225600123).date("far", 253402300800000).date("old", -1);
    bson_oid_t oid;
    bson_oid_init_from_string(&oid, "0123456789abcdef01234567");
    bson_append_oid(b, "oid", -1, &oid);
    bson_decimal128_t decimal;
    bson_decimal128_from_string("1.50", &decimal);
    bson_append_decimal128(b, "short", -1, &decimal);
    bson_decimal128_from_string("0.1234567890123456789012345678901234", &decimal);
    bson_append_decimal128(b, "long", -1, &decimal);
    bson_decimal128_from_string("-Infinity", &decimal);
    bson_append_decimal128(b, "endless", -1, &decimal);
    document.binary("bytes", as_bytes("dyad"));
    document.real("nan", std::nan("")).real("whole", 3.0).number("long64", INT64_MAX);
    bson_append_undefined(b, "undefined", -1);
    bson_append_minkey(b, "min", -1);
    bson_append_regex(b, "regex", -1, "^a", "i");
    EXPECT_EQ(*json_of(document.view()),
              R"({"bytes":"ZHlhZA==","date":"2026-01-01T00:00:00.123Z","endless":null,)"
              R"("far":253402300800000,"long":"0.1234567890123456789012345678901234",)"
              R"("long64":9223372036854775807,"min":null,"nan":null,)"
              R"("oid":"0123456789abcdef01234567","old":"1969-12-31T23:59:59.999Z",)"
              R"("regex":null,"short":1.5,"undefined":null,"whole":3})");
}

TEST(BsonJson, WhatNoClientCouldSendIsRefused) {
    Bson nested;
    for (int i = 0; i < limits::json_depth_max; ++i) {
        if (i == limits::json_depth_max - 1) EXPECT_TRUE(json_of(nested.view()));
        nested = Bson().sub("a", nested);
    }
    EXPECT_EQ(json_of(nested.view()).error().code, Errc::too_large);
    Bson wide;
    for (int i = 0; i <= limits::json_members_max; ++i)
        wide.number(std::to_string(i), i);
    EXPECT_EQ(json_of(wide.view()).error().code, Errc::too_large);
    EXPECT_EQ(json_of(Bson().text("a", "\xff").view()).error().code, Errc::invalid_utf8);
    EXPECT_EQ(json_of(Bson().text("\xed\xa0\x80", "a").view()).error().code, Errc::invalid_utf8);
    EXPECT_EQ(json_of(Bson().number("a", 1).number("a", 2).view()).error().code,
              Errc::invalid_field);
    const std::string name(limits::json_key_bytes_max + 1, 'n');
    EXPECT_EQ(json_of(Bson().number(name, 1).view()).error().code, Errc::too_large);
}

}  // namespace
}  // namespace dyad::mongo
