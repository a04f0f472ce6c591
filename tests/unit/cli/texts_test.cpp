#include "cli/indicator.hpp"
#include "cli/nearest.hpp"
#include "cli/rates.hpp"
#include "cli/rest_client.hpp"
#include "cli/screen.hpp"
#include "cli/sse.hpp"
#include "cli/terminal.hpp"

#include <gtest/gtest.h>

namespace dyad::cli {
namespace {

json::Value status_with(const char* storage, const char* bus, const char* websocket) {
    const std::string text = std::string(R"({"storage":{"enabled":true,"kind":"sqlite",)") +
                             storage + R"(},"bus":{"enabled":true,"kind":"local",)" + bus +
                             R"(},"websocket":)" + websocket + "}";
    return *json::parse(text);
}

constexpr const char* kGood = R"("connected":true,"healthy":true)";
constexpr const char* kBad = R"("connected":false,"healthy":false)";
constexpr const char* kRunning =
    R"({"enabled":true,"running":true,"clientCount":2,"port":8765})";

TEST(Indicator, CountsWhatWorksOfWhatIsEnabled) {
    const Indicator all = indicator_of(status_with(kGood, kGood, kRunning));
    EXPECT_EQ(all.text(), "[📡 Sync] [✓ 3/3 Sync]");
    EXPECT_EQ(all.colour(), Colour::green);
    const Indicator some = indicator_of(status_with(kBad, kGood, kRunning));
    EXPECT_EQ(some.text(), "[📡 Sync] [✓ 2/3 Sync]");
    EXPECT_EQ(some.colour(), Colour::amber);
    const Indicator off = indicator_of(
        status_with(kGood, kGood, R"({"enabled":false,"running":false,"clientCount":0})"));
    EXPECT_EQ(off.text(), "[📡 Sync] [✓ 2/2 Sync]");
    EXPECT_EQ(off.colour(), Colour::green);
    const Indicator none = indicator_of(nullptr);
    EXPECT_EQ(none.text(), "[📡 Sync] [✗ 0/3 Sync]");
    EXPECT_EQ(none.colour(), Colour::dim);
}

std::vector<ServerSentEvent> read_stream(std::string_view bytes, std::size_t piece) {
    SseReader reader;
    std::vector<ServerSentEvent> events;
    while (!bytes.empty()) {
        EXPECT_TRUE(reader.feed(bytes.substr(0, piece), [&](const ServerSentEvent& event) {
            events.push_back(event);
            return true;
        }));
        bytes.remove_prefix(std::min(piece, bytes.size()));
    }
    return events;
}

TEST(SseReader, ReadsTheSameHoweverTheBytesCome) {
    constexpr std::string_view kStream =
        "retry: 1000\nid: a.1\nevent: position\ndata: {}\n\n"
        ":\n\n"
        "id: a.2\r\nevent: context-updated\r\ndata: one\r\ndata:two\r\n\r\n"
        "data: plain\n\n"
        "event: unfinished\ndata: x\n";
    for (std::size_t piece = 1; piece <= kStream.size(); ++piece) {
        const auto events = read_stream(kStream, piece);
        ASSERT_EQ(events.size(), 3u) << piece;
        EXPECT_EQ(events[0].id, "a.1");
        EXPECT_EQ(events[0].type, "position");
        EXPECT_EQ(events[1].data, "one\ntwo");
        EXPECT_TRUE(events[1].has_id);
        EXPECT_EQ(events[2].type, "message");
        EXPECT_EQ(events[2].id, "a.2") << "an id stays until another one comes";
        EXPECT_FALSE(events[2].has_id);
    }
}

TEST(SseReader, EndsWhereItsReaderSaysSoOrAnEventHasNoEnd) {
    SseReader reader;
    int seen = 0;
    EXPECT_FALSE(reader.feed("data: 1\n\ndata: 2\n\n", [&](const ServerSentEvent&) {
        ++seen;
        return false;
    }));
    EXPECT_EQ(seen, 1);
    SseReader endless;
    const std::string chunk(1 << 20, 'x');
    bool goes_on = true;
    for (int i = 0; i < 100 && goes_on; ++i)
        goes_on = endless.feed(chunk, [](const ServerSentEvent&) { return true; });
    EXPECT_FALSE(goes_on);
}

TEST(Rates, AreDifferencesOverTimeAndSurviveARestart) {
    Rates rates;
    rates.take(parse_metrics("# HELP a b\na_total 10\nb 3\n"), 1000);
    EXPECT_EQ(rates.of("a_total"), 0) << "one sample is no rate";
    rates.take(parse_metrics("a_total 30\nb 4\n"), 3000);
    EXPECT_EQ(rates.of("a_total"), 10);
    EXPECT_EQ(rates.value("b"), 4);
    EXPECT_EQ(rates.of("c"), 0);
    rates.take(parse_metrics("a_total 1\n"), 4000);
    EXPECT_EQ(rates.of("a_total"), 0) << "a counter that fell began anew";
}

TEST(Rates, SparklineShowsTheNewest) {
    EXPECT_EQ(sparkline({0, 7, 14}, 10), "▁▄█");
    EXPECT_EQ(sparkline({14, 0, 7, 14}, 2), "▄█");
    EXPECT_EQ(sparkline({0, 0}, 10), "▁▁");
    EXPECT_EQ(sparkline({}, 10), "");
}

TEST(Terminal, NothingFromTheMemoryDrivesIt) {
    EXPECT_EQ(printable("a\x1b[2Jb"), "a\\x1b[2Jb");
    EXPECT_EQ(printable("a\nb"), "a\\x0ab");
    EXPECT_EQ(printable("a\nb", true), "a\nb");
    EXPECT_EQ(printable("\xc2\x9b"), "\\u009b");
    EXPECT_EQ(printable("\xe2\x80\xae"), "\\u202e");
    EXPECT_EQ(printable("\xff"
                        "a\xc3"),
              "\\xffa\\xc3");
    EXPECT_EQ(printable("grüße 📡"), "grüße 📡");
    for (int c = 0; c < 256; ++c) {
        const std::string shown = printable(std::string(1, static_cast<char>(c)));
        for (const char out : shown)
            EXPECT_TRUE(static_cast<unsigned char>(out) >= 0x20 && out != 0x7f) << c;
    }
}

TEST(Terminal, CutsByColumnsNotByBytes) {
    EXPECT_EQ(cut("abc", 3), "abc");
    EXPECT_EQ(cut("abcd", 3), "ab…");
    EXPECT_EQ(cut("日本語", 4), "日…");
    EXPECT_EQ(columns_of("日本語"), 6u);
    EXPECT_EQ(columns_of("📡é"), 3u);
    EXPECT_EQ(cut("abcd", 0), "");
}

TEST(Terminal, ALineOfTheScreenNeverPassesItsEdge) {
    ScreenLine line(10);
    line.add("ab").to(4).add("日本語日本語").add("more");
    EXPECT_LE(line.used(), 10u);
    EXPECT_TRUE(line.text().starts_with("ab  日")) << line.text();
}

TEST(Terminal, TablesAreAlignedAndSafe) {
    EXPECT_EQ(table({"A", "B"}, {{"x", "1"}, {"yyy", "\x1b"}}), "A    B\nx    1\nyyy  \\x1b\n");
    EXPECT_EQ(table({"A"}, {}), "");
}

TEST(Nearest, CountsSlipsOfTheFingers) {
    EXPECT_EQ(edit_distance("status", "status"), 0u);
    EXPECT_EQ(edit_distance("stauts", "status"), 1u);
    EXPECT_EQ(edit_distance("", "abc"), 3u);
    EXPECT_EQ(edit_distance("A", "a"), 0u);
}

TEST(RestClient, FailuresHaveTheirExitStatus) {
    const std::pair<const char*, Exit> kCases[] = {{"not_found", Exit::not_found},
                                                   {"history_gone", Exit::not_found},
                                                   {"version_conflict", Exit::conflict},
                                                   {"patch_failed", Exit::conflict},
                                                   {"too_large", Exit::failed},
                                                   {"internal", Exit::failed}};
    for (const auto& [code, exit] : kCases) {
        Answer answer;
        answer.status = 400;
        answer.body = std::string(R"({"code":")") + code + R"(","detail":"d","retry":false})";
        RestClient::read_answer(answer);
        ASSERT_TRUE(answer.failure.has_value());
        EXPECT_EQ(answer.failure->exit, exit) << code;
        EXPECT_TRUE(answer.failure->message.starts_with("d")) << answer.failure->message;
    }
    Answer html;
    html.status = 200;
    html.body = "<html>";
    RestClient::read_answer(html);
    EXPECT_TRUE(html.failure.has_value()) << "something else answers there";
}

TEST(Pretty, KeepsShortThingsOnALine) {
    EXPECT_EQ(pretty(*json::parse(R"({"b":[1,2],"a":{"c":null},"e":{}})")),
              "{\n  \"b\": [1,2],\n  \"a\": {\n    \"c\": null\n  },\n  \"e\": {}\n}");
}

}  // namespace
}  // namespace dyad::cli
