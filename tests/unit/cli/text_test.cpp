// What the command line reads from the server and shows: streams, metrics, indicator, terminal.
#include "cli/text.hpp"

#include "cli/command.hpp"
#include "cli/command_line.hpp"
#include "cli/event_source.hpp"
#include "cli/indicator.hpp"
#include "cli/server_reading.hpp"
#include "cli/terminal.hpp"

#include <CLI/CLI.hpp>
#include <gtest/gtest.h>

namespace dyad::cli {
namespace {

struct Heard {
    std::vector<ServerSentEvent> events;
    EventParser parser;
    bool feed(std::string_view bytes) {
        return parser.feed(bytes, [&](const ServerSentEvent& event) {
            events.push_back(event);
            return true;
        });
    }
};

TEST(EventParser, ReadsMessagesHoweverTheyAreCut) {
    const std::string stream =
        "retry: 1000\nid: a.0\nevent: position\ndata: {}\n\n:\n\nid: a.1\r\nevent: "
        "context-updated\r\ndata: one\r\ndata: two\r\n\r\ndata:x\n\n";
    for (std::size_t cut = 1; cut <= stream.size(); ++cut) {
        Heard heard;
        for (std::size_t at = 0; at < stream.size(); at += cut)
            ASSERT_TRUE(heard.feed(std::string_view(stream).substr(at, cut)));
        ASSERT_EQ(heard.events.size(), 3u) << cut;
        EXPECT_EQ(heard.events[0].type, "position");
        EXPECT_EQ(heard.events[1].type, "context-updated");
        EXPECT_EQ(heard.events[1].data, "one\ntwo");
        EXPECT_EQ(heard.events[1].id, "a.1");
        EXPECT_EQ(heard.events[2].type, "message");
        EXPECT_EQ(heard.events[2].id, "a.1");
    }
}

TEST(EventParser, AMessageThatBreaksOffDoesNotMoveThePosition) {
    Heard heard;
    heard.feed("id: a.1\ndata: x\n\nid: a.2\ndata: y\n");
    EXPECT_EQ(heard.parser.last_id(), "a.1");
    heard.parser.restart();
    heard.feed("data: z\n\n");
    ASSERT_EQ(heard.events.size(), 2u);
    EXPECT_EQ(heard.events[1].data, "z");
    EXPECT_EQ(heard.events[1].id, "a.1");
}

TEST(Metrics, AreReadAndCommentsArePassedOver) {
    ServerReading reading;
    reading.metrics = parse_metrics("# HELP a b\n# TYPE a counter\na 17\nb 2.5\n\nbroken\n");
    EXPECT_EQ(reading.metric("a"), 17);
    EXPECT_EQ(reading.metric("b"), 2.5);
    EXPECT_EQ(reading.metric("none"), 0);
    EXPECT_EQ(reading.metrics.size(), 2u);
}

json::Value status(bool storage, bool bus, bool websocket, bool websocket_enabled = true) {
    const auto yes_no = [](bool value) { return value ? "true" : "false"; };
    return *json::parse(
        std::string(R"({"storage":{"enabled":true,"kind":"sqlite","latencyMs":0.5,"connected":)") +
        yes_no(storage) + R"(,"healthy":)" + yes_no(storage) +
        R"(},"bus":{"enabled":true,"kind":"local","connected":)" + yes_no(bus) + R"(,"healthy":)" +
        yes_no(bus) + R"(},"websocket":{"clientCount":1,"port":8765,"enabled":)" +
        yes_no(websocket_enabled) + R"(,"running":)" + yes_no(websocket) + "}}");
}

TEST(Indicator, CountsWhatWorksOfWhatIsEnabled) {
    EXPECT_EQ(indicator_of(status(true, true, true)).text(), "[📡 Sync] [✓ 3/3 Sync]");
    EXPECT_EQ(indicator_of(status(true, true, true)).colour, Colour::green);
    EXPECT_EQ(indicator_of(status(false, true, true)).text(), "[📡 Sync] [✓ 2/3 Sync]");
    EXPECT_EQ(indicator_of(status(false, true, true)).colour, Colour::amber);
    EXPECT_EQ(indicator_of(status(false, false, false)).text(), "[📡 Sync] [✗ 0/3 Sync]");
    EXPECT_EQ(indicator_of(status(false, false, false)).colour, Colour::dim);
    EXPECT_EQ(indicator_of(status(true, true, false, false)).text(), "[📡 Sync] [✓ 2/2 Sync]");
    EXPECT_EQ(indicator_of(status(true, true, false, false)).colour, Colour::green);
    EXPECT_EQ(indicator_offline().text(), "[📡 Sync] [✗ 0/3 Sync]");
}

TEST(Indicator, GreenMeansThatWhatWasAskedForWorks) {
    json::Value asked = status(true, true, true);
    boost::json::object& members = asked.get_object();
    const json::Value missing = *json::parse(
        R"({"enabled":true,"connected":false,"healthy":false,"problem":"not part of it"})");
    members["mongodb"] = missing;
    EXPECT_EQ(indicator_of(asked).text(), "[📡 Sync] [✓ 2/3 Sync]");
    EXPECT_EQ(indicator_of(asked).systems[0].name, "MongoDB");
    EXPECT_EQ(indicator_of(asked).systems[0].note, "not part of it");
    members["redis"] = missing;
    EXPECT_EQ(indicator_of(asked).text(), "[📡 Sync] [✓ 1/3 Sync]");
    EXPECT_EQ(indicator_of(asked).colour, Colour::amber);
    members["mongodb"] = members["redis"] =
        *json::parse(R"({"enabled":true,"connected":true,"healthy":true})");
    EXPECT_EQ(indicator_of(asked).text(), "[📡 Sync] [✓ 3/3 Sync]");
    EXPECT_EQ(indicator_of(asked).colour, Colour::green);
    members["draining"] = true;
    EXPECT_EQ(indicator_of(asked).colour, Colour::amber);
    members["realTimeEvents"] = false;
    EXPECT_NE(indicator_of(asked).systems[2].note.find("ENABLE_REAL_TIME_EVENTS"),
              std::string::npos);
}

TEST(Indicator, SurvivesAnAnswerOfAnyShape) {
    for (const char* text : {"null", "[]", "{}", R"({"storage":1,"bus":[],"websocket":"x"})"})
        EXPECT_EQ(indicator_of(*json::parse(text)).text(), "[📡 Sync] [✗ 0/0 Sync]") << text;
}

TEST(Indicator, IsHiddenInInspiredModeOnly) {
    EXPECT_TRUE(hides_indicator("inspired"));
    EXPECT_FALSE(hides_indicator("didactic"));
    EXPECT_FALSE(hides_indicator(""));
}

TEST(Printable, NothingThatDrivesATerminalGetsThrough) {
    EXPECT_EQ(printable("a\x1b[2Jb"), "a\\x1b[2Jb");
    EXPECT_EQ(printable("a\nb\r\x07\x7f"), "a\\x0ab\\x0d\\x07\\x7f");
    EXPECT_EQ(printable("a\nb", true), "a\nb");
    EXPECT_EQ(printable("\xc2\x9b"
                        "31m"),
              "\\u009b31m");  // CSI as one character
    EXPECT_EQ(printable("\xe2\x80\xae"
                        "abc"),
              "\\u202eabc");                                  // right-to-left override
    EXPECT_EQ(printable("\xf3\xa0\x81\x81"), "\\U000e0041");  // a tag nobody sees
    EXPECT_EQ(printable("\xff\xc3(\xed\xa0\x80"), "\\xff\\xc3(\\xed\\xa0\\x80");
    EXPECT_EQ(printable("ünïque 📡 日本"), "ünïque 📡 日本");
}

TEST(Terminal, WidthsCountColumns) {
    EXPECT_EQ(columns_of("abc"), 3u);
    EXPECT_EQ(columns_of("ü日📡"), 5u);
    EXPECT_EQ(cut("abcdef", 4), "abc…");
    EXPECT_EQ(cut("abcd", 4), "abcd");
    EXPECT_EQ(cut("日本語", 4), "日…");
    EXPECT_EQ(cut("abc", 0), "");
}

TEST(Terminal, TablesAlignAndEscape) {
    EXPECT_EQ(table({"K", "VALUE"}, {{"long", "1"}, {"ü", "x\ny"}}),
              "K     VALUE\nlong  1\nü     x\\x0ay\n");
    EXPECT_EQ(table({"K"}, {}), "");
}

TEST(Pretty, ShortArraysStayOnTheirLineAndTheTextReadsBackTheSame) {
    const json::Value value = *json::parse(R"({"a":[1,2],"b":{"c":[{"d":null}],"e":{}},"f":"\n"})");
    const std::string text = pretty(value);
    EXPECT_NE(text.find("\"a\": [1,2]"), std::string::npos) << text;
    EXPECT_TRUE(json::equal(*json::parse(text), value)) << text;
}

TEST(Nearest, CountsSlips) {
    EXPECT_EQ(edit_distance("status", "status"), 0u);
    EXPECT_EQ(edit_distance("stauts", "status"), 1u);
    EXPECT_EQ(edit_distance("STATUS", "status"), 0u);
    EXPECT_EQ(edit_distance("serv", "serve"), 1u);
    EXPECT_EQ(edit_distance("", "abc"), 3u);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

void expect_all_offered(const CLI::App& root, const CLI::App& at, const std::string& path) {
    testing::internal::CaptureStdout();
    EXPECT_EQ(run_complete(root, {"bash", path + " ", ""}), Exit::ok);
    flush_output();
    const std::string offered = "\n" + testing::internal::GetCapturedStdout();
    for (const CLI::App* child : subcommands(at)) {
        EXPECT_NE(offered.find("\n" + child->get_name() + "\n"), std::string::npos)
            << path << child->get_name();
        expect_all_offered(root, *child, path + " " + child->get_name());
    }
    for (const CLI::Option* option : at.get_options())
        for (const std::string& name : option->get_lnames())
            EXPECT_NE(offered.find("\n--" + name + "\n"), std::string::npos) << path << name;
}

TEST(Completion, OffersEveryCommandAndFlagThatTheParserKnows) {
    setenv("DYAD_URL", "http://127.0.0.1:1", 1);  // keys are not what is asked for
    CLI::App root;
    Parsed parsed;
    declare_commands(root, parsed);
    EXPECT_GT(subcommands(root).size(), 10u);
    expect_all_offered(root, root, "dyad-memory");
    unsetenv("DYAD_URL");
}

}  // namespace
}  // namespace dyad::cli
