#include "net/http_fields.hpp"

#include <gtest/gtest.h>

namespace dyad::net {
namespace {

using Texts = std::vector<std::string_view>;

TEST(HttpFields, AListIsReadOverAllLines) {
    const Headers headers{{"a", "x,y ,\t z"}, {"b", "no"}, {"a", ",, \"1,2\" ,"}, {"a", ""}};
    EXPECT_EQ(list_of(headers, "a"), (Texts{"x", "y", "z", "\"1,2\""}));
    EXPECT_TRUE(list_has(headers, "a", "Y"));
    EXPECT_FALSE(list_has(headers, "a", "1"));
    EXPECT_EQ(count_of(headers, "a"), 3U);
}

TEST(HttpFields, EntityTagsAreComparedCharacterByCharacter) {
    const Headers lines{{"if-match", "\"a\", W/\"b\""}, {"if-match", "\"c,d\",\t\"\\\""}};
    const EntityTags tags = entity_tags(lines, "if-match");
    EXPECT_TRUE(tags.present && !tags.any && !tags.malformed);
    EXPECT_TRUE(tags.has_strong("\"a\"") && tags.has_weak("\"a\""));
    EXPECT_FALSE(tags.has_strong("\"b\""));
    EXPECT_TRUE(tags.has_weak("\"b\"") && tags.has_weak("\"c,d\"") && tags.has_weak("\"\\\""));
    EXPECT_FALSE(tags.has_weak("\"A\"") || tags.has_weak("\"c\""));
    EXPECT_TRUE(entity_tags({{"if-match", "*"}}, "if-match").any);
    for (const char* bad :
         {"", ",", "a", "\"a", "a\"", "*, \"a\"", "\"a\" \"b\"", "w/\"a\"", "\"a b\""})
        EXPECT_TRUE(entity_tags({{"if-match", bad}}, "if-match").malformed) << bad;
    EXPECT_FALSE(entity_tags({}, "if-match").present);
}

TEST(HttpFields, TheNarrowestMediaRangeSaysHowMuchATypeIsWanted) {
    struct {
        const char* accept;
        int json;
        int stream;
    } const cases[] = {
        {"", 1000, 1000},
        {"*/*", 1000, 1000},
        {"application/json", 1000, 0},
        {"text/*", 0, 1000},
        {"text/event-stream", 0, 1000},
        {"Text/Event-Stream", 0, 1000},
        {"application/json, text/event-stream;q=0", 1000, 0},
        {"*/*, text/event-stream;q=0", 1000, 0},
        {"text/event-stream;q=0, */*", 1000, 0},
        {"text/*;q=0.3, */*;q=0.5", 500, 300},
        {"text/event-stream; q=0.8 , application/json ;Q=0.25", 250, 800},
        {"text/event-stream;charset=utf-8", 0, 1000},
        {"text/event-stream;a=\"x,y;q=0\";q=0.4", 0, 400},
        {"text/event-stream;q=0.001", 0, 1},
        {"text/event-stream;q=0.000", 0, 0},
        {"text/event-stream;q=1.000", 0, 1000},
        {"text/event-streams", 0, 0},
        {"text", 0, 0},
        {"text/html, application/xhtml+xml, */*;q=0.8", 800, 800},
        {"application/json;q=0.1, application/json;q=0.9", 900, 0},
    };
    for (const auto& c : cases) {
        const Headers headers{{"accept", c.accept}};
        EXPECT_EQ(preference(headers, "application/json").weight, c.json) << c.accept;
        EXPECT_EQ(preference(headers, "text/event-stream").weight, c.stream) << c.accept;
    }
    EXPECT_EQ(preference({}, "text/event-stream").weight, 1000);
    EXPECT_EQ(
        preference({{"accept", "text/*"}, {"accept", "text/event-stream;q=0"}}, "text/event-stream")
            .weight,
        0);
}

TEST(HttpFields, ADateIsInTheFormOfTheMail) {
    EXPECT_EQ(http_date(784'111'777'000), "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_EQ(http_date(784'111'777'999), "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_EQ(http_date(784'111'778'000), "Sun, 06 Nov 1994 08:49:38 GMT");
    EXPECT_EQ(http_date(1'709'164'800'000), "Thu, 29 Feb 2024 00:00:00 GMT");
}

}  // namespace
}  // namespace dyad::net
