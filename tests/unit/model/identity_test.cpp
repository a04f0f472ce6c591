#include "model/identity.hpp"

#include <string>

#include <gtest/gtest.h>

namespace dyad {
namespace {

std::string refusal(std::string_view value, NameRule rule, std::int64_t bytes_max = 64) {
    const Status good = check_name("x", value, bytes_max, rule);
    return good ? "" : good.error().to_string();
}

TEST(Identity, TakesWhatPeopleAndProgramsAreCalled) {
    for (const char* good :
         {"a", "ada@example.com", "Ada Lovelace", "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "José",
          "李", "Łódź", "Ωμέγα", "محمد", "می‌خواهم", "क्‍ष", "👩‍💻", "❤️",
          "दिल्ली", "UTF-8''x", "user:1/2?3#4", "\"quoted\"", "..", "."})
        for (const NameRule rule : {NameRule::identity, NameRule::operation, NameRule::label})
            EXPECT_EQ(refusal(good, rule), "") << good;
}

TEST(Identity, RefusesWhatLooksLikeAnotherOne) {
    const std::pair<const char*, const char*> cases[] = {
        {" carol", "U+0020"},           {"carol ", "U+0020"},      {" ", "U+0020"},
        {"\u00a0carol", "U+00A0"},      {"carol\u3000", "U+3000"}, {"carol\u2003", "U+2003"},
        {"carol\u202f", "U+202F"},      {"carol\u1680", "U+1680"}, {"\ufeffcarol", "U+FEFF"},
        {"carol\ufeff", "U+FEFF"},      {"car\ufeffol", "U+FEFF"}, {"carol\u200b", "U+200B"},
        {"car\u200bol", "U+200B"},      {"\u200ccarol", "U+200C"}, {"carol\u200d", "U+200D"},
        {"car\u200dol", "U+200D"},      {"car\u00adol", "U+00AD"}, {"carol\u2060", "U+2060"},
        {"car\u202eol", "U+202E"},      {"\u200ecarol", "U+200E"}, {"carol\u2066", "U+2066"},
        {"carol\u180e", "U+180E"},      {"carol\u3164", "U+3164"}, {"carol\u2800", "U+2800"},
        {"carol\U000e0041", "U+E0041"}, {"carol\ufe0f", "U+FE0F"}, {"car\ufffdl", "U+FFFD"},
    };
    for (const auto& [bad, code] : cases) {
        for (const NameRule rule : {NameRule::identity, NameRule::operation}) {
            const std::string why = refusal(bad, rule);
            EXPECT_TRUE(why.starts_with("invalid_field: x: ")) << code << why;
            EXPECT_NE(why.find(code), std::string::npos) << code << why;
        }
        EXPECT_EQ(refusal(bad, NameRule::label), "") << code;  // kept byte by byte
    }
}

TEST(Identity, IsComposed) {
    for (const char* decomposed : {"Jose\u0301", "A\u030angstro\u0308m", "\u212bngstr\u00f6m",
                                   "\u1100\u1161", "u\u0323\u0308"}) {
        EXPECT_NE(refusal(decomposed, NameRule::identity).find("normalize"), std::string::npos);
        EXPECT_EQ(refusal(decomposed, NameRule::operation), "");
        EXPECT_FALSE(is_nfc(decomposed));
    }
    EXPECT_TRUE(is_nfc("Jos\u00e9"));
    EXPECT_TRUE(is_nfc("plain"));
    EXPECT_FALSE(is_nfc("\xc3"));
}

TEST(Identity, HasNoControlCharactersWhateverItNames) {
    for (const std::string_view bad :
         {std::string_view("a\nb"), std::string_view("\ta"), std::string_view("a\x7f"),
          std::string_view("a\0b", 3), std::string_view("a\u0085"), std::string_view("\u009b31m"),
          std::string_view("a\u2028b"), std::string_view("a\u2029")})
        for (const NameRule rule : {NameRule::identity, NameRule::operation, NameRule::label})
            EXPECT_NE(refusal(bad, rule).find("control characters are not allowed (U+"),
                      std::string::npos);
}

TEST(Identity, HasItsLengthInBytesAndIsUtf8) {
    EXPECT_EQ(refusal("", NameRule::label), "missing_field: x: is required and not empty");
    EXPECT_EQ(refusal("éé", NameRule::label, 4), "");
    EXPECT_EQ(refusal("ééa", NameRule::label, 4), "too_large: x: at most 4 bytes are allowed");
    for (const char* bad : {"\xc3", "a\x80", "\xed\xa0\x80", "Jos\xe9", "\xc0\xaf"})
        EXPECT_TRUE(refusal(bad, NameRule::label).starts_with("invalid_utf8: x: is not UTF-8"));
}

}  // namespace
}  // namespace dyad
