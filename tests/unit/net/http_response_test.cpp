// Answers as bytes, and percent escapes.
#include "net/http.hpp"

#include <gtest/gtest.h>

namespace dyad::net {
namespace {

Response sample() {
    Response response;
    response.status = 200;
    response.content_type = "application/json";
    response.headers = {{"ETag", "\"3\""}};
    response.body = "{}";
    return response;
}

TEST(Serialize, WritesStatusHeadersLengthAndBody) {
    EXPECT_EQ(serialize(sample(), true, false),
              "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: \"3\"\r\n"
              "Content-Length: 2\r\n\r\n{}");
}

TEST(Serialize, SaysThatTheConnectionCloses) {
    EXPECT_EQ(serialize(sample(), false, false),
              "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: \"3\"\r\n"
              "Connection: close\r\nContent-Length: 2\r\n\r\n{}");
    Response upgrade = sample();
    upgrade.headers = {{"Connection", "Upgrade"}};
    EXPECT_EQ(serialize(upgrade, false, false),
              "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
              "Connection: Upgrade, close\r\nContent-Length: 2\r\n\r\n{}");
}

TEST(Serialize, HeadHasTheLengthWithoutTheBody) {
    const std::string text = serialize(sample(), true, true);
    EXPECT_NE(text.find("Content-Length: 2\r\n"), std::string::npos);
    EXPECT_TRUE(text.ends_with("\r\n\r\n"));
}

TEST(Serialize, AnswersWithoutContentHaveNoLength) {
    for (const int status : {204, 304}) {
        Response response;
        response.status = status;
        const std::string text = serialize(response, true, false);
        EXPECT_EQ(text.find("Content-Length"), std::string::npos);
        EXPECT_TRUE(text.ends_with("\r\n\r\n"));
    }
}

TEST(Serialize, AValueCannotBeginALineOfItsOwn) {
    Response response = sample();
    response.headers = {{"Link", std::string("a\r\nSet-Cookie: x\0\x7f\tb", 20)}};
    const std::string text = serialize(response, true, false);
    EXPECT_NE(text.find("Link: a??Set-Cookie: x??\tb\r\n"), std::string::npos) << text;
}

TEST(Serialize, EveryStatusOfTheErrorTableHasAName) {
    for (const int status : {101, 200, 201, 204, 304, 400, 401, 403, 404, 405, 408, 409,
                             410, 412, 413, 415, 421, 426, 428, 429, 431, 500, 503, 507}) {
        EXPECT_FALSE(status_text(status).empty()) << status;
        EXPECT_EQ(status_text(status).find('<'), std::string_view::npos) << status;
    }
}

TEST(StreamHead, HasNoLengthAndClosesAtItsEnd) {
    Response response;
    response.content_type = "text/event-stream";
    EXPECT_EQ(stream_head(response),
              "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n");
}

TEST(PercentDecode, UndoesWhatEncodeDid) {
    std::string all;
    for (int c = 1; c < 256; ++c)
        all += static_cast<char>(c);
    const std::string encoded = percent_encode(all);
    EXPECT_EQ(percent_decode(encoded), all);
    for (const char c : encoded)
        EXPECT_TRUE(std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789-._~%")
                        .find(c) != std::string_view::npos);
}

TEST(PercentDecode, RefusesWhatIsMalformed) {
    for (const char* text :
         {"%", "%4", "a%", "a%4", "%g0", "%0g", "%%", "%-1", "%+1", "% 1", "%00"})
        EXPECT_EQ(percent_decode(text), std::nullopt) << text;
    EXPECT_EQ(percent_decode("a+b"), "a+b");
    EXPECT_EQ(percent_decode("%e2%82%AC"), "\xe2\x82\xac");
}

}  // namespace
}  // namespace dyad::net
