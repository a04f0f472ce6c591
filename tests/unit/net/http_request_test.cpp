// How strictly requests are read, and that it does not matter how their bytes are cut.
#include "base/limits.hpp"
#include "net/http.hpp"

#include <cctype>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dyad::net {
namespace {

const std::string kUpgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

struct Outcome {
    std::vector<Request> requests;
    std::string error;  // its name; empty: none
    std::string rest;   // after the last request
    bool incomplete = false;
};

// Feeds `text` in pieces of `step` bytes.
Outcome read(std::string_view text, std::size_t step) {
    Outcome outcome;
    RequestReader reader;
    for (std::size_t at = 0; at < text.size(); at += step) {
        std::string_view bytes = text.substr(at, step);
        while (!bytes.empty()) {
            const std::size_t before = bytes.size();
            const Result<RequestReader::State> state = reader.feed(bytes);
            if (!state) {
                outcome.error = error_row(state.error().code).name;
                return outcome;
            }
            if (*state == RequestReader::State::complete) {
                outcome.requests.push_back(reader.take());
                outcome.incomplete = false;
            } else {
                outcome.incomplete = true;
                EXPECT_TRUE(bytes.empty()) << "an unfinished request leaves no bytes behind";
                if (bytes.size() == before) return outcome;
            }
        }
    }
    return outcome;
}

std::string head(std::string_view lines) {
    return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n";
}
std::string post(std::string_view lines, std::string_view body) {
    return "POST /x HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n" + std::string(body);
}
std::string chunked(std::string_view body) {
    return post("Transfer-Encoding: chunked\r\n", body);
}

struct Case {
    const char* name;
    std::string text;
    const char* error = "invalid_request";
};
void PrintTo(const Case& c, std::ostream* out) {
    *out << c.name;
}
std::string case_name(const testing::TestParamInfo<Case>& info) {
    return info.param.name;
}

class RefusedRequest : public testing::TestWithParam<Case> {};
class AcceptedRequest : public testing::TestWithParam<Case> {};

TEST_P(RefusedRequest, IsRefusedHoweverItIsCut) {
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, GetParam().text.size()}) {
        const Outcome outcome = read(GetParam().text, step);
        EXPECT_EQ(outcome.error, GetParam().error) << "in pieces of " << step;
        EXPECT_TRUE(outcome.requests.empty()) << "in pieces of " << step;
    }
}

TEST_P(AcceptedRequest, IsOneRequestHoweverItIsCut) {
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, GetParam().text.size()}) {
        const Outcome outcome = read(GetParam().text, step);
        EXPECT_EQ(outcome.error, "") << "in pieces of " << step;
        EXPECT_EQ(outcome.requests.size(), 1U) << "in pieces of " << step;
        EXPECT_FALSE(outcome.incomplete) << "in pieces of " << step;
    }
}

using namespace std::string_literals;

// clang-format off
INSTANTIATE_TEST_SUITE_P(RequestLine, RefusedRequest, testing::Values(
    Case{"Empty", "\r\n\r\n"},
    Case{"LeadingEmptyLine", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"LeadingEmptyLineHidesFolding", "\r\nGET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n"},
    Case{"LeadingSpace", " GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"NoTarget", "GET HTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"NoVersion", "GET /\r\nHost: a\r\n\r\n"},
    Case{"TwoSpaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"TwoSpacesBeforeVersion", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"SpaceAfterVersion", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"},
    Case{"TabSeparates", "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"SpaceInTarget", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"NulInTarget", "GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n"s},
    Case{"ControlInTarget", "GET /a\x01 HTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"DeleteInTarget", "GET /a\x7f HTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"ByteAbove127InTarget", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"RelativeTarget", "GET sync HTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"BrokenEscape", "GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"EscapeWithoutDigits", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"EscapedNul", "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"PathThatIsNotUtf8", "GET /%ff HTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"PathWithOverlongUtf8", "GET /%c0%af HTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"BrokenEscapeInQuery", "GET /?a=%4 HTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"BrokenEscapeInQueryName", "GET /?%=1 HTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"QueryThatIsNotUtf8", "GET /?a=%ed%a0%80 HTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"LowerCaseVersion", "GET / http/1.1\r\nHost: a\r\n\r\n"},
    Case{"Version09", "GET / HTTP/0.9\r\nHost: a\r\n\r\n"},
    Case{"VersionThatIsNoDigit", "GET / HTTP/1.x\r\nHost: a\r\n\r\n"},
    Case{"Version2", "GET / HTTP/2.0\r\nHost: a\r\n\r\n"},
    Case{"Version11WithZero", "GET / HTTP/1.01\r\nHost: a\r\n\r\n"},
    Case{"Http2Preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
    Case{"MethodWithColon", "GE:T / HTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"MethodWithByteAbove127", "G\xc3\xa9T / HTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"BareLineFeedEndsRequestLine", "GET / HTTP/1.1\nHost: a\r\n\r\n"},
    Case{"BareReturnEndsRequestLine", "GET / HTTP/1.1\rHost: a\r\n\r\n"}
), case_name);

INSTANTIATE_TEST_SUITE_P(Target, RefusedRequest, testing::Values(
    Case{"AuthorityForm", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "not_implemented"},
    Case{"ConnectToAPath", "CONNECT /x HTTP/1.1\r\nHost: a\r\n\r\n", "not_implemented"},
    Case{"AuthorityOfAnotherMethod", "GET a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"},
    Case{"AsteriskOfAnotherMethod", "GET * HTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"AbsoluteOverTls", "GET https://a/x HTTP/1.1\r\nHost: a\r\n\r\n", "forbidden_host"},
    Case{"AbsoluteOfAnotherScheme", "GET ftp://a/x HTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"AbsoluteWithoutHost", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"AbsoluteWithUser", "GET http://u@a/x HTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"AbsoluteWithoutHostHeader", "GET http://a/x HTTP/1.1\r\n\r\n"}
), case_name);

INSTANTIATE_TEST_SUITE_P(HeaderLines, RefusedRequest, testing::Values(
    Case{"NoHost", "GET / HTTP/1.1\r\n\r\n"},
    Case{"TwoHosts", head("Host: a\r\n")},
    Case{"TwoHostsOfDifferentCase", head("HOST: b\r\n")},
    Case{"TwoHostsInVersion10", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"},
    Case{"BareLineFeed", head("X: y\nZ: w\r\n")},
    Case{"BareLineFeedAtTheEnd", "GET / HTTP/1.1\r\nHost: a\r\nX: y\n\r\n\r\n"},
    Case{"TwoBareLineFeedsEndTheHeader", "GET / HTTP/1.1\r\nHost: a\n\nGET /b HTTP/1.1\r\n\r\n"},
    Case{"BareReturn", head("X: y\rZ: w\r\n")},
    Case{"ReturnReturnLineFeed", head("X: y\r\r\n")},
    Case{"Folded", head("X: y\r\n z\r\n")},
    Case{"FoldedByTab", head("X: y\r\n\tz\r\n")},
    Case{"FoldedFirstLine", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
    Case{"SpaceBeforeColon", head("X : y\r\n")},
    Case{"TabBeforeColon", head("X\t: y\r\n")},
    Case{"SpaceInName", head("X Y: z\r\n")},
    Case{"NoColon", head("Xy\r\n")},
    Case{"NoName", head(": y\r\n")},
    Case{"NulInName", head("X\0: y\r\n"s)},
    Case{"NulInValue", head("X: a\0b\r\n"s)},
    Case{"ControlInValue", head("X: a\x01\r\n")},
    Case{"EscapeInValue", head("X: a\x1b[0m\r\n")},
    Case{"DeleteInValue", head("X: a\x7f\r\n")},
    Case{"ParenthesisInName", head("X(: y\r\n")},
    Case{"ByteAbove127InName", head("\xc3\xa9: y\r\n")},
    Case{"UnknownExpectation", post("Content-Length: 1\r\nExpect: 200-ok\r\n", "x"),
         "expectation_failed"}
), case_name);

INSTANTIATE_TEST_SUITE_P(Framing, RefusedRequest, testing::Values(
    Case{"LengthAndChunked",
         post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
    Case{"ChunkedAndLength",
         post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n")},
    Case{"ChunkedAndLengthZero",
         post("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", "0\r\n\r\n")},
    Case{"TwoEqualLengths", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc")},
    Case{"TwoLengths", post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd")},
    Case{"ListOfEqualLengths", post("Content-Length: 3, 3\r\n", "abc")},
    Case{"ListOfLengths", post("Content-Length: 3, 4\r\n", "abcd")},
    Case{"LengthWithComma", post("Content-Length: 3,\r\n", "abc")},
    Case{"NegativeLength", post("Content-Length: -1\r\n", "abc")},
    Case{"PlusLength", post("Content-Length: +3\r\n", "abc")},
    Case{"HexLength", post("Content-Length: 0x3\r\n", "abc")},
    Case{"LengthWithDecimals", post("Content-Length: 3.0\r\n", "abc")},
    Case{"LengthInQuotes", post("Content-Length: \"3\"\r\n", "abc")},
    Case{"EmptyLength", post("Content-Length:\r\n", "abc")},
    Case{"LengthWithSpaceInside", post("Content-Length: 3 0\r\n", "abc")},
    Case{"ChunkedTwice",
         post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
    Case{"ChunkedTwiceInOneLine", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n")},
    Case{"ChunkedGzip", post("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n")},
    Case{"GzipChunked", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
         "not_implemented"},
    Case{"Identity", post("Transfer-Encoding: identity\r\n", "abc"), "not_implemented"},
    Case{"UnknownEncoding", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
         "not_implemented"},
    Case{"ChunkedWithParameter", post("Transfer-Encoding: chunked;a=b\r\n", "0\r\n\r\n")},
    Case{"EmptyEncoding", post("Transfer-Encoding:\r\n", "0\r\n\r\n")},
    Case{"ChunkedInVersion10",
         "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    Case{"UpgradeWithBody", head(kUpgrade + "Content-Length: 1\r\n") + "x"},
    Case{"UpgradeWithChunks", head(kUpgrade + "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n"}
), case_name);

INSTANTIATE_TEST_SUITE_P(Chunks, RefusedRequest, testing::Values(
    Case{"NoSize", chunked("\r\nabc\r\n0\r\n\r\n")},
    Case{"SizeIsNoNumber", chunked("g\r\nabc\r\n0\r\n\r\n")},
    Case{"NegativeSize", chunked("-3\r\nabc\r\n0\r\n\r\n")},
    Case{"PrefixedSize", chunked("0x3\r\nabc\r\n0\r\n\r\n")},
    Case{"SpaceBeforeSize", chunked(" 3\r\nabc\r\n0\r\n\r\n")},
    Case{"SpaceAfterSize", chunked("3 \r\nabc\r\n0\r\n\r\n")},
    Case{"LineFeedAfterSize", chunked("3\nabc\r\n0\r\n\r\n")},
    Case{"ReturnAloneAfterSize", chunked("3\rabc\r\n0\r\n\r\n")},
    Case{"ShortData", chunked("4\r\nabc\r\n0\r\n\r\n")},
    Case{"LongData", chunked("2\r\nabc\r\n0\r\n\r\n")},
    Case{"NoLineEndAfterData", chunked("3\r\nabc0\r\n\r\n")},
    Case{"LineFeedAfterData", chunked("3\r\nabc\n0\r\n\r\n")},
    Case{"SizeOfSeventeenDigits", chunked("00000000000000003\r\nabc\r\n0\r\n\r\n")},
    Case{"ControlInExtension", chunked("3;a=\x01\r\nabc\r\n0\r\n\r\n")},
    Case{"LineFeedInExtension", chunked("3;a\nabc\r\n0\r\n\r\n")},
    Case{"ReturnAloneInExtension", chunked("3;a\rb\r\nabc\r\n0\r\n\r\n")},
    Case{"LineFeedAfterLastChunk", chunked("0\n\r\n")},
    Case{"FoldedTrailer", chunked("0\r\nA: b\r\n c\r\n\r\n")},
    Case{"TrailerWithoutColon", chunked("0\r\nAb\r\n\r\n")},
    Case{"TrailerWithoutName", chunked("0\r\n: b\r\n\r\n")},
    Case{"SpaceBeforeColonOfTrailer", chunked("0\r\nA : b\r\n\r\n")},
    Case{"LineFeedInTrailer", chunked("0\r\nA: b\nC: d\r\n\r\n")},
    Case{"NulInTrailer", chunked("0\r\nA: \0\r\n\r\n"s)}
), case_name);

INSTANTIATE_TEST_SUITE_P(Plain, AcceptedRequest, testing::Values(
    Case{"Get", head("")},
    Case{"EmptyValue", head("X:\r\n")},
    Case{"NoSpaceAfterColon", head("X:y\r\n")},
    Case{"SpacesRoundValue", head("X:  \ty \t \r\n")},
    Case{"TabInValue", head("X: a\tb\r\n")},
    Case{"BytesAbove127InValue", head("X: \xc3\xa9\r\n")},
    Case{"UnknownMethod", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"},
    Case{"Version10", "GET / HTTP/1.0\r\nHost: a\r\n\r\n"},
    Case{"LaterMinorVersion", "GET / HTTP/1.2\r\nHost: a\r\n\r\n"},
    Case{"Version10WithoutHost", "GET / HTTP/1.0\r\n\r\n"},
    Case{"LengthZero", post("Content-Length: 0\r\n", "")},
    Case{"Length", post("Content-Length: 3\r\n", "abc")},
    Case{"LengthWithZeros", post("Content-Length: 003\r\n", "abc")},
    Case{"UpgradeWithLengthZero", head(kUpgrade + "Content-Length: 0\r\n")},
    Case{"NoChunks", chunked("0\r\n\r\n")},
    Case{"Chunks", chunked("3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n")},
    Case{"ChunkedOfOtherCase", post("transfer-encoding: CHUNKED\r\n", "0\r\n\r\n")},
    Case{"LastChunkOfManyZeros", chunked("3\r\nabc\r\n000\r\n\r\n")},
    Case{"Extension", chunked("3;a=b;c=\"d e\"\r\nabc\r\n0;x\r\n\r\n")},
    Case{"Trailers", chunked("3\r\nabc\r\n0\r\nA: b\r\nC:\r\n\r\n")}
), case_name);
// clang-format on

TEST(RequestReader, TakesARequestApart) {
    const Outcome outcome = read(
        "GET /a%20b/%2F?x=1&y=%C3%A9+z&flag&&=e HTTP/1.1\r\nHost: h:1\r\nX-Name:  v w \r\n\r\n",
        1000);
    ASSERT_EQ(outcome.requests.size(), 1U);
    const Request& request = outcome.requests[0];
    EXPECT_EQ(request.method, "GET");
    EXPECT_EQ(request.target, "/a%20b/%2F?x=1&y=%C3%A9+z&flag&&=e");
    EXPECT_EQ(request.path, "/a b//");
    const std::vector<std::pair<std::string, std::string>> query{
        {"x", "1"}, {"y", "\xc3\xa9 z"}, {"flag", ""}, {"", "e"}};
    EXPECT_EQ(request.query, query);
    EXPECT_EQ(request.header("x-name"), "v w");
    EXPECT_EQ(request.header("host"), "h:1");
    EXPECT_EQ(request.header("none"), std::nullopt);
    EXPECT_EQ(request.query_value("y"), "\xc3\xa9 z");
    EXPECT_TRUE(request.keep_alive);
    EXPECT_FALSE(request.upgrade);
}

TEST(RequestReader, JoinsChunksAndDropsTrailers) {
    const std::string text =
        chunked("3;e=1\r\nabc\r\n1\r\n\n\r\n0\r\nContent-Length: 9\r\nHost: evil\r\n\r\n");
    for (std::size_t step = 1; step <= text.size(); ++step) {
        const Outcome outcome = read(text, step);
        ASSERT_EQ(outcome.requests.size(), 1U) << step;
        EXPECT_EQ(outcome.requests[0].body, "abc\n");
        EXPECT_EQ(outcome.requests[0].header("host"), "a");
        EXPECT_EQ(outcome.requests[0].header("content-length"), std::nullopt);
    }
}

TEST(RequestReader, ReadsPipelinedRequestsHoweverTheyAreCut) {
    const std::string text = head("") + post("Content-Length: 5\r\n", "a\r\n\r\n") +
                             chunked("2\r\n\r\n\r\n0\r\n\r\n") +
                             "DELETE /z HTTP/1.1\r\nHost: b\r\n\r\n";
    for (std::size_t step = 1; step <= text.size(); ++step) {
        const Outcome outcome = read(text, step);
        ASSERT_EQ(outcome.error, "") << step;
        ASSERT_EQ(outcome.requests.size(), 4U) << step;
        EXPECT_EQ(outcome.requests[1].body, "a\r\n\r\n");
        EXPECT_EQ(outcome.requests[2].body, "\r\n");
        EXPECT_EQ(outcome.requests[3].method, "DELETE");
        EXPECT_EQ(outcome.requests[3].header("host"), "b");
        EXPECT_EQ(outcome.requests[3].body, "");
    }
}

TEST(RequestReader, LeavesWhatFollowsARequest) {
    RequestReader reader;
    const std::string text = post("Content-Length: 2\r\n", "okGET");
    std::string_view bytes = text;
    const Result<RequestReader::State> state = reader.feed(bytes);
    ASSERT_TRUE(state);
    EXPECT_EQ(*state, RequestReader::State::complete);
    EXPECT_EQ(bytes, "GET");
    EXPECT_EQ(reader.take().body, "ok");
    EXPECT_EQ(reader.state(), RequestReader::State::header);
}

TEST(RequestReader, TellsUpgradesFromRequests) {
    const auto upgrade = [](std::string_view lines) {
        const Outcome outcome = read(head(lines), 1000);
        EXPECT_EQ(outcome.requests.size(), 1U) << outcome.error;
        return outcome.requests.size() == 1 && outcome.requests[0].upgrade;
    };
    EXPECT_TRUE(upgrade("Connection: Upgrade\r\nUpgrade: websocket\r\n"));
    EXPECT_TRUE(upgrade("Connection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\n"));
    EXPECT_TRUE(upgrade("Connection: keep-alive\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"));
    EXPECT_TRUE(upgrade("Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n"));
    EXPECT_FALSE(upgrade("Upgrade: websocket\r\n"));
    EXPECT_FALSE(upgrade("Connection: Upgrade\r\n"));
    EXPECT_FALSE(upgrade("Connection: Upgrade\r\nUpgrade: h2c\r\n"));
    EXPECT_FALSE(upgrade("Connection: Upgraded\r\nUpgrade: websocket\r\n"));
    EXPECT_FALSE(upgrade("Connection: Upgrade\r\nUpgrade: websockets\r\n"));
}

TEST(RequestReader, TakesUpgradesOnlyFromVersion11) {
    const Outcome outcome = read(
        "GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 1000);
    ASSERT_EQ(outcome.requests.size(), 1U);
    EXPECT_FALSE(outcome.requests[0].upgrade);
}

TEST(RequestReader, KeepsTheConnectionUnlessToldOtherwise) {
    EXPECT_TRUE(read(head(""), 1000).requests.at(0).keep_alive);
    EXPECT_FALSE(read(head("Connection: close\r\n"), 1000).requests.at(0).keep_alive);
    EXPECT_FALSE(read(head("Connection: foo, Close\r\n"), 1000).requests.at(0).keep_alive);
    EXPECT_FALSE(
        read(head("Connection: foo\r\nConnection: close\r\n"), 1000).requests.at(0).keep_alive);
    EXPECT_FALSE(read("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", 1000)
                     .requests.at(0)
                     .keep_alive);
}

TEST(RequestReader, ReportsOnceThatAClientWaitsToSendItsBody) {
    RequestReader reader;
    const std::string text = post("Expect: 100-Continue\r\nContent-Length: 2\r\n", "");
    std::string_view bytes = text;
    const Result<RequestReader::State> state = reader.feed(bytes);
    ASSERT_TRUE(state);
    EXPECT_EQ(*state, RequestReader::State::body);
    EXPECT_TRUE(reader.take_expects_continue());
    EXPECT_FALSE(reader.take_expects_continue());
}

TEST(RequestReader, TakesABodyAfterAHeadOfManyLinesWithoutAHost) {
    for (int lines = 13; lines < 20; ++lines) {
        std::string text = "POST / HTTP/1.0\r\nContent-Length: 2\r\n";
        for (int i = 1; i < lines; ++i)
            text += "X-" + std::to_string(i) + ": a\r\n";
        text += "\r\nab";
        RequestReader reader;
        std::string_view bytes = text;
        const auto state = reader.feed(bytes);
        ASSERT_TRUE(state && *state == RequestReader::State::complete) << lines;
        EXPECT_EQ(reader.take().body, "ab") << lines;
    }
}

TEST(RequestReader, IgnoresTheExpectationOfARequestWithoutBodyOrOfVersion10) {
    RequestReader reader;
    std::string text = head("Expect: 100-continue\r\n");
    std::string_view bytes = text;
    ASSERT_TRUE(reader.feed(bytes));
    EXPECT_FALSE(reader.take_expects_continue());
    static_cast<void>(reader.take());
    text = "POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n";
    bytes = text;
    ASSERT_TRUE(reader.feed(bytes));
    EXPECT_FALSE(reader.take_expects_continue());
}

TEST(RequestReader, DoesNotAskForABodyThatHasBegunToCome) {
    RequestReader reader;
    const std::string text = post("Expect: 100-continue\r\nContent-Length: 2\r\n", "a");
    std::string_view bytes = text;
    ASSERT_TRUE(reader.feed(bytes));
    EXPECT_FALSE(reader.take_expects_continue());
}

// ---- limits ---------------------------------------------------------------------------------

std::string header_of(std::size_t bytes) {
    const std::string frame = head("X: \r\n");
    return head("X: " + std::string(bytes - frame.size(), 'v') + "\r\n");
}

TEST(RequestReader, TakesAHeaderOfExactlyTheLimit) {
    const auto max = static_cast<std::size_t>(limits::http_header_bytes_max);
    for (const std::size_t step : {std::size_t{1}, std::size_t{1000}, max}) {
        EXPECT_EQ(read(header_of(max), step).requests.size(), 1U) << step;
        EXPECT_EQ(read(header_of(max + 1), step).error, "header_too_large") << step;
        EXPECT_EQ(read(header_of(max + 1000), step).error, "header_too_large") << step;
    }
}

TEST(RequestReader, RefusesAHeaderWithoutEndAtTheLimit) {
    RequestReader reader;
    const std::string line(1000, 'x');
    std::size_t fed = 0;
    for (;;) {
        std::string_view bytes = line;
        const Result<RequestReader::State> state = reader.feed(bytes);
        fed += line.size();
        if (!state) {
            EXPECT_EQ(state.error().code, Errc::header_too_large);
            break;
        }
        ASSERT_LE(fed, 17'000U);
    }
}

TEST(RequestReader, LimitsTheNumberOfHeaderLines) {
    const auto lines = [](std::int64_t count) {
        std::string text;
        for (std::int64_t i = 1; i < count; ++i)  // Host is one
            text += "X: y\r\n";
        return head(text);
    };
    EXPECT_EQ(read(lines(limits::http_header_lines_max), 1000).requests.size(), 1U);
    EXPECT_EQ(read(lines(limits::http_header_lines_max + 1), 1000).error, "header_too_large");
}

TEST(RequestReader, RefusesALargeBodyBeforeItComes) {
    const auto announce = [](const std::string& length) {
        return read(post("Content-Length: " + length + "\r\n", ""), 1000).error;
    };
    EXPECT_EQ(announce(std::to_string(limits::http_body_bytes_max)), "");
    EXPECT_EQ(announce(std::to_string(limits::http_body_bytes_max + 1)), "too_large");
    EXPECT_EQ(announce("18446744073709551615"), "too_large");
    EXPECT_EQ(announce("18446744073709551617"), "invalid_request");
    EXPECT_EQ(announce("99999999999999999999999999"), "invalid_request");
}

TEST(RequestReader, TakesABodyOfExactlyTheLimit) {
    const std::string body(static_cast<std::size_t>(limits::http_body_bytes_max), 'b');
    const std::string length = std::to_string(body.size());
    const Outcome outcome = read(post("Content-Length: " + length + "\r\n", body), 65536);
    ASSERT_EQ(outcome.requests.size(), 1U);
    EXPECT_EQ(outcome.requests[0].body, body);
}

TEST(RequestReader, CountsChunksTogetherAgainstTheBodyLimit) {
    const std::string half(static_cast<std::size_t>(limits::http_body_bytes_max / 2), 'b');
    const std::string chunk = "80000\r\n" + half + "\r\n";
    EXPECT_EQ(read(chunked(chunk + chunk + "0\r\n\r\n"), 65536).requests.size(), 1U);
    EXPECT_EQ(read(chunked(chunk + chunk + "1\r\n"), 65536).error, "too_large");
    EXPECT_EQ(read(chunked("fffffffffffffff\r\n"), 65536).error, "too_large");
    EXPECT_EQ(read(chunked("ffffffffffffffff\r\n"), 65536).error, "too_large");
}

TEST(RequestReader, LimitsWhatStandsBetweenChunks) {
    const std::string extension(static_cast<std::size_t>(limits::http_header_bytes_max), 'e');
    EXPECT_EQ(read(chunked("1;" + extension + "\r\n"), 1000).error, "header_too_large");
    EXPECT_EQ(read(chunked("0\r\nA: " + extension + "\r\n\r\n"), 1000).error, "header_too_large");
    std::string many;
    for (int i = 0; i < 3000; ++i)
        many += "1;abcdefg\r\nx\r\n";
    EXPECT_EQ(read(chunked(many), 1000).error, "header_too_large");
}

TEST(RequestReader, RefusesAWrongChunkBeforeItsLineEnds) {
    for (const char* wrong : {"g", " 3", "3x", "-", "3\r\nabcd", "3\r\nabc4\r"})
        EXPECT_EQ(read(chunked(wrong), 1000).error, "invalid_request") << wrong;
    for (const char* good : {"3", "aF", "3;g", "3\r", "3\r\nabc", "3\r\nabc\r"})
        EXPECT_EQ(read(chunked(good), 1000).error, "") << good;
}

TEST(RequestReader, EveryPrefixOfAGoodRequestIsIncompleteAndNoError) {
    const std::string text = chunked("3;a=b\r\nabc\r\n0\r\nA: b\r\n\r\n");
    for (std::size_t size = 1; size < text.size(); ++size) {
        const Outcome outcome = read(std::string_view(text).substr(0, size), size);
        EXPECT_EQ(outcome.error, "") << size;
        EXPECT_TRUE(outcome.incomplete) << size;
    }
}

}  // namespace
}  // namespace dyad::net
