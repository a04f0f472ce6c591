#include "base/sha256.hpp"
#include "model/event.hpp"
#include "support/rest_rig.hpp"

#include <gtest/gtest.h>

namespace dyad {
namespace {

using test::Answer;
using test::FakeExchange;
using test::RestRig;

struct Message {
    std::string id;
    std::string event;
    std::string data;
};

// What a browser would make of the stream: complete messages only, comments passed over.
std::vector<Message> messages(const std::string& stream) {
    std::vector<Message> list;
    Message now;
    std::size_t at = 0;
    for (std::size_t end; (end = stream.find('\n', at)) != std::string::npos; at = end + 1) {
        const std::string line = stream.substr(at, end - at);
        if (line.empty()) {
            if (!now.event.empty()) list.push_back(now);
            now = {};
        } else if (line.starts_with("id: ")) {
            now.id = line.substr(4);
        } else if (line.starts_with("event: ")) {
            now.event = line.substr(7);
        } else if (line.starts_with("data: ")) {
            now.data = line.substr(6);
        }
    }
    return list;
}

void write(RestRig& rig, const std::string& key, int times = 1) {
    for (int i = 0; i < times; ++i) {
        const std::string body = R"({"force":true,"data":{"i":)" + std::to_string(i) + "}}";
        const Answer answer = rig.put(key, body);
        CHECK(answer.status == 200 || answer.status == 201);
    }
}

TEST(RestEvents, ThePositionOfAnEmptyLogGoesOnWithItsFirstEvent) {
    RestRig rig;
    const std::string before = rig.ask("GET", "/api/v1/events").text("/position");
    write(rig, "notes");
    const Answer after = rig.ask("GET", "/api/v1/events?after=" + before);
    ASSERT_EQ(after.status, 200);
    EXPECT_EQ(after.at("/events")->get_array().size(), 1U);
}

TEST(RestEvents, PagesFollowEachOtherByPosition) {
    RestRig rig;
    write(rig, "notes", 5);
    std::vector<std::int64_t> seen;
    std::string after;
    for (int page = 0; page < 10; ++page) {
        const Answer answer =
            rig.ask("GET", "/api/v1/events?limit=2" + (after.empty() ? "" : "&after=" + after));
        ASSERT_EQ(answer.status, 200);
        EXPECT_EQ(answer.number("/last"), 5);
        EXPECT_EQ(answer.number("/firstKept"), 1);
        const auto& events = answer.at("/events")->get_array();
        for (const auto& event : events)
            seen.push_back(event.at("offset").as_int64());
        after = answer.text("/position");
        ASSERT_TRUE(Position::parse(after).has_value());
        EXPECT_EQ(answer.header("Link").empty(), seen.size() == 5);
        if (events.empty()) break;
    }
    EXPECT_EQ(seen, (std::vector<std::int64_t>{1, 2, 3, 4, 5}));
}

TEST(RestEvents, APageWithoutAPlaceBeginsWithTheOldestEventThatIsKept) {
    RestRig rig;
    write(rig, "notes", 3);
    rig.run(10'000);
    write(rig, "notes", 2);
    EXPECT_EQ(rig.ask("GET", "/api/v1/events").at("/events")->get_array().size(), 5U);
    rig.store().expire_events(rig.clock().wall_ms() - 5'000, [](const Result<std::size_t>&) {});
    rig.run();
    const Answer answer = rig.ask("GET", "/api/v1/events");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.number("/firstKept"), 4);
    ASSERT_EQ(answer.at("/events")->get_array().size(), 2U);
    EXPECT_EQ(answer.at("/events")->get_array()[0].at("offset").as_int64(), 4);
    const Answer gone = rig.ask("GET", "/api/v1/events?after=0");
    EXPECT_EQ(gone.status, 410);
    EXPECT_NE(gone.text("/detail").find("without `after`"), std::string::npos) << gone.body;
}

TEST(RestEvents, AContextThatIsOlderThanTheLogHasAnEmptyHistory) {
    RestRig rig;
    write(rig, "old", 3);
    rig.run(10'000);
    write(rig, "new");
    rig.store().expire_events(rig.clock().wall_ms() - 5'000, [](const Result<std::size_t>&) {});
    rig.run();
    const Answer answer = rig.ask("GET", "/api/v1/contexts/old/history");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.at("/versions")->get_array().size(), 0U);
    EXPECT_EQ(rig.ask("GET", "/api/v1/contexts/old").number("/version"), 3);
    EXPECT_EQ(rig.ask("GET", "/api/v1/contexts/never/history").status, 404);
}

TEST(RestEvents, APositionOfAMemoryThatIsStillEmptyIsGoodLater) {
    RestRig rig;
    const std::string empty = rig.ask("GET", "/api/v1/events").text("/position");
    ASSERT_TRUE(Position::parse(empty).has_value());
    const auto stream = rig.open("GET", "/api/v1/events/stream?after=" + empty);
    rig.run();
    ASSERT_EQ(messages(stream->stream).size(), 1U);
    EXPECT_NE(messages(stream->stream).front().id, "");  // no state follows
    write(rig, "notes");
    const Answer page = rig.ask("GET", "/api/v1/events?after=" + empty);
    ASSERT_EQ(page.status, 200) << page.body;
    EXPECT_EQ(page.at("/events")->get_array().size(), 1U);
    EXPECT_EQ(messages(stream->stream).back().id, page.text("/position"));
}

TEST(RestEvents, APositionOfAnotherLogIsGone) {
    RestRig rig;
    write(rig, "notes", 3);
    Position position =
        *Position::parse(rig.ask("GET", "/api/v1/events?limit=2").text("/position"));
    EXPECT_EQ(rig.ask("GET", "/api/v1/events?after=" + position.to_string()).status, 200);
    Position forged = position;
    forged.hash[0] ^= 1;
    const Answer gone = rig.ask("GET", "/api/v1/events?after=" + forged.to_string());
    EXPECT_EQ(gone.status, 410);
    EXPECT_EQ(gone.text("/code"), "history_gone");
    Position other = position;
    other.epoch += 1;
    EXPECT_EQ(rig.ask("GET", "/api/v1/events?after=" + other.to_string()).status, 410);
    Position future = position;
    future.offset = 9;
    EXPECT_EQ(rig.ask("GET", "/api/v1/events?after=" + future.to_string()).status, 410);
    EXPECT_EQ(rig.ask("GET", "/api/v1/events?after=1.2").status, 400);
    EXPECT_EQ(rig.ask("GET", "/api/v1/events?after=-1").status, 400);
    EXPECT_EQ(rig.ask("GET", "/api/v1/events?after=2").at("/events")->get_array().size(), 1U);
}

Hash hash_at(const Answer& answer, const std::string& name) {
    Hash hash{};
    CHECK(read_hex(answer.text("/proof/" + name), hash));
    return hash;
}

TEST(RestEvents, TheProofOfEachEventHoldsAndChainsToTheOneBefore) {
    RestRig rig;
    write(rig, "notes", 3);
    std::string previous;
    for (int offset = 1; offset <= 3; ++offset) {
        const Answer proof = rig.ask("GET", "/api/v1/events/" + std::to_string(offset));
        ASSERT_EQ(proof.status, 200);
        const std::size_t begin = proof.body.find("{\"offset\"");
        const std::string text = proof.body.substr(begin, proof.body.find(",\"position\"") - begin);
        const auto event = decode_event(text);
        ASSERT_TRUE(event.has_value());
        Salt salt{};
        ASSERT_TRUE(read_hex(proof.text("/proof/salt"), salt));
        EXPECT_EQ(sha256({view(salt), event->data}), hash_at(proof, "contentHash"));
        if (offset == 1) {
            const Epoch epoch = std::stoull(proof.text("/proof/epoch"), nullptr, 16);
            EXPECT_EQ(genesis_hash("ada", epoch), hash_at(proof, "prevHash"));
        } else {
            EXPECT_EQ(proof.text("/proof/prevHash"), previous);
        }
        previous = proof.text("/proof/hash");
        EXPECT_TRUE(previous.starts_with(proof.text("/event/hash")));
    }
    EXPECT_EQ(rig.ask("GET", "/api/v1/events/4").status, 404);
    EXPECT_EQ(rig.ask("GET", "/api/v1/events/0").status, 400);
    EXPECT_EQ(rig.ask("GET", "/api/v1/events/x").status, 400);
}

TEST(RestEvents, McpAnnouncementsAreEventsUnderBothOfTheirNames) {
    RestRig rig;
    const Answer bus = rig.ask("POST", "/api/v1/events/mcp",
                               R"({"type":"mcp:tool-executed","payload":{"tool":"search"}})");
    EXPECT_EQ(bus.status, 201);
    EXPECT_EQ(bus.text("/mcp/tool"), "search");
    EXPECT_EQ(rig.ask("POST", "/api/v1/events/mcp",
                      R"({"type":"mcp-server-added","payload":{"server":"files"}})")
                  .status,
              201);
    const Answer log = rig.ask("GET", "/api/v1/events");
    EXPECT_EQ(log.text("/events/0/kind"), "mcp-tool-executed");
    EXPECT_EQ(log.text("/events/1/kind"), "mcp-server-added");
    EXPECT_EQ(rig.ask("POST", "/api/v1/events/mcp", R"({"type":"mcp:other","payload":{}})").status,
              400);
    EXPECT_EQ(rig.ask("POST", "/api/v1/events/mcp", R"({"payload":{}})").status, 400);
    EXPECT_EQ(rig.ask("POST", "/api/v1/events/mcp", R"({"type":"mcp:tool-executed"})").status, 400);
}

TEST(RestStream, SendsEachEventAsItIsStoredWithAnIdToResumeFrom) {
    RestRig rig;
    write(rig, "before");
    const auto stream = rig.open("GET", "/api/v1/events", "", {{"Accept", "text/event-stream"}});
    rig.run();
    EXPECT_EQ(stream->stream_type, "text/event-stream");
    write(rig, "notes", 2);
    const auto list = messages(stream->stream);
    ASSERT_EQ(list.size(), 3U);
    EXPECT_EQ(list[0].event, "position");
    EXPECT_EQ(list[1].event, "context-updated");
    const Answer log = rig.ask("GET", "/api/v1/events?after=1&limit=1");
    EXPECT_NE(log.body.find("[" + list[1].data + "]"), std::string::npos);
    EXPECT_EQ(list[1].id, log.text("/position"));
}

TEST(RestStream, ResumesBehindTheLastEventId) {
    RestRig rig;
    write(rig, "notes", 4);
    const std::string at = rig.ask("GET", "/api/v1/events?limit=2").text("/position");
    for (const bool by_header : {true, false}) {
        const auto stream =
            by_header ? rig.open("GET", "/api/v1/events/stream", "", {{"Last-Event-ID", at}})
                      : rig.open("GET", "/api/v1/events/stream?after=" + at);
        rig.run();
        const auto list = messages(stream->stream);
        ASSERT_EQ(list.size(), 3U);
        EXPECT_EQ(list[0].id, at);
        EXPECT_TRUE(list[1].data.starts_with("{\"offset\":3,")) << list[1].data;
        EXPECT_TRUE(list[2].data.starts_with("{\"offset\":4,")) << list[2].data;
        stream->hang_up();
    }
}

TEST(RestStream, ALostPositionIsAnsweredByTheStateThenByEvents) {
    RestRig rig;
    write(rig, "notes", 2);
    for (const char* lost : {"0123456789abcdef.1.0011223344556677", "nonsense"}) {
        const auto stream = rig.open("GET", "/api/v1/events/stream", "", {{"Last-Event-ID", lost}});
        rig.run();
        write(rig, "later");
        std::string order;
        std::string end;
        for (const auto& message : messages(stream->stream)) {
            order += message.event + " ";
            // A stream that breaks before the state is complete must not resume behind it.
            EXPECT_EQ(message.id.empty(), end.empty() && message.event != "snapshot-end")
                << message.event;
            if (message.event == "snapshot-end") end = message.data;
        }
        EXPECT_EQ(order, "position reset snapshot-end context-updated ") << lost;
        const auto state = json::parse(end);
        ASSERT_TRUE(state.has_value());
        EXPECT_EQ(state->at("contexts").at(0).at("version").as_int64() >= 1, true);
        stream->hang_up();
    }
}

TEST(RestStream, ASnapshotComesInPagesAndWaitsForTheSocket) {
    RestRig rig;
    for (int i = 0; i < 40; ++i)
        rig.put("k" + std::to_string(i), R"({"data":{"text":")" + std::string(8'000, 'x') + "\"}}");
    const auto stream = rig.open("GET", "/api/v1/events/stream?snapshot=true");
    stream->full = true;
    rig.run();
    EXPECT_EQ(messages(stream->stream).size(), 2U);  // position, reset
    EXPECT_EQ(messages(stream->stream).front().id, "");
    write(rig, "while-full");
    int turns = 0;
    while (stream->stream.find("while-full") == std::string::npos && turns++ < 20) {
        const std::size_t before = stream->stream.size();
        stream->writable();
        rig.run();
        EXPECT_LT(stream->stream.size() - before, 200'000U);
    }
    std::size_t contexts = 0;
    std::size_t pages = 0;
    for (const auto& message : messages(stream->stream)) {
        if (!message.event.starts_with("snapshot")) continue;
        ++pages;
        EXPECT_EQ(message.id.empty(), message.event == "snapshot");
        contexts += json::parse(message.data)->at("contexts").as_array().size();
    }
    EXPECT_EQ(contexts, 40U);
    EXPECT_GT(pages, 2U);
    EXPECT_EQ(messages(stream->stream).back().event, "context-updated");
}

TEST(RestStream, TypesFilterWhatIsSent) {
    RestRig rig;
    const auto stream = rig.open("GET", "/api/v1/events/stream?types=mode-changed");
    rig.run();
    write(rig, "notes");
    rig.ask("PUT", "/api/v1/modes/desk", R"({"mode":"parallel"})");
    const auto list = messages(stream->stream);
    ASSERT_EQ(list.size(), 2U);
    EXPECT_EQ(list[1].event, "mode-changed");
    EXPECT_EQ(rig.ask("GET", "/api/v1/events/stream?types=nothing").status, 400);
    EXPECT_EQ(rig.ask("GET", "/api/v1/events/stream?other=1").status, 400);
    EXPECT_EQ(rig.ask("POST", "/api/v1/events/stream").status, 405);
}

TEST(RestStream, BeatsWhileNothingHappensAndStopsWithTheClient) {
    RestRig rig;
    const auto stream = rig.open("GET", "/api/v1/events/stream");
    rig.run(46'000);
    std::size_t beats = 0;
    for (std::size_t at = 0; (at = stream->stream.find("\n:\n", at)) != std::string::npos; ++at)
        ++beats;
    EXPECT_EQ(beats, 3U);
    EXPECT_EQ(rig.engine().session_count(), 1U);
    const std::weak_ptr<FakeExchange> exchange = stream;
    stream->hang_up();
    EXPECT_EQ(rig.engine().session_count(), 0U);
    const std::size_t bytes = stream->stream.size();
    rig.run(31'000);
    EXPECT_EQ(stream->stream.size(), bytes);
    EXPECT_EQ(stream.use_count(), 1);  // nothing else holds on to it
}

TEST(RestStream, AStreamThatTakesNothingIsForgottenWithItsConnection) {
    RestRig rig;
    const auto stream = rig.open("GET", "/api/v1/events/stream");
    rig.run();
    stream->full = true;
    write(rig, "notes", 2);
    stream->hang_up();
    EXPECT_EQ(rig.engine().session_count(), 0U);
    rig.run(31'000);
    EXPECT_EQ(stream.use_count(), 1);
}

TEST(RestStream, IsNoInstanceOfAnybody) {
    RestRig rig;
    const auto stream = rig.open("GET", "/api/v1/events/stream");
    rig.run();
    EXPECT_EQ(rig.engine().session_count(), 1U);
    EXPECT_EQ(rig.ask("GET", "/api/v1/instances").at("/instances")->get_array().size(), 0U);
}

TEST(RestStream, CarriesNothingOfOtherUsers) {
    RestRig rig;
    const auto stream = rig.open("GET", "/api/v1/events/stream");
    rig.run();
    rig.put("secret-of-bob", R"({"data":{}})", {{"Dyad-User", "bob"}});
    rig.run();
    EXPECT_EQ(stream->stream.find("secret-of-bob"), std::string::npos);
    EXPECT_EQ(messages(stream->stream).size(), 1U);
}

TEST(RestEvents, AcceptChoosesBetweenPagesAndTheStream) {
    RestRig rig;
    struct {
        const char* accept;
        bool stream;
    } const cases[] = {
        {"", false},
        {"*/*", false},
        {"application/json", false},
        {"text/event-stream", true},
        {"TEXT/EVENT-STREAM", true},
        {"text/event-stream, */*", true},
        {"application/json, text/event-stream;q=0", false},
        {"application/json, text/event-stream;q=0.0", false},
        {"text/event-stream;q=0", false},
        {"text/event-stream;q=0.5, application/json", false},
        {"text/event-stream, application/json;q=0.5", true},
        {"text/event-stream;q=0.9, */*;q=0.1", true},
        {"text/*", true},
        {"text/*, application/json;q=0.9", true},
        {"text/html, application/xhtml+xml, */*;q=0.8", false},
        {"text/html", false},  // nothing fits: the page, which ends
        {"application/text/event-stream", false},
    };
    for (const auto& c : cases) {
        const auto exchange = rig.open("GET", "/api/v1/events", "", {{"Accept", c.accept}});
        rig.run();
        EXPECT_EQ(exchange->streaming, c.stream) << c.accept;
        EXPECT_EQ(exchange->answer.has_value(), !c.stream) << c.accept;
        exchange->hang_up();
    }
    for (const char* refused : {"text/event-stream;q=0, */*", "application/json"}) {
        const Answer answer = rig.ask("GET", "/api/v1/events/stream", "", {{"Accept", refused}});
        EXPECT_EQ(answer.status, 406) << refused;
        EXPECT_NE(answer.text("/detail").find("/api/v1/events"), std::string::npos);
    }
    const auto head = rig.open("HEAD", "/api/v1/events/stream");
    EXPECT_TRUE(head->streaming && head->ended);
    EXPECT_EQ(rig.engine().session_count(), 0U);
}

}  // namespace
}  // namespace dyad
