// What only the bus on Redis promises, on real servers.
#include "base/limits.hpp"
#include "base/metrics.hpp"
#include "conformance/bus/redis_rig.hpp"
#include "model/json.hpp"

#include <csignal>

#include <gtest/gtest.h>

namespace dyad::conformance {
namespace {

std::string envelope(const std::string& user, const std::string& type, const std::string& payload,
                     const std::string& instance = "theirs") {
    return R"({"eventId":"8f14e45f-ceea-467f-a9e3-000000000001","eventType":")" + type +
           R"(","userId":")" + user + R"(","instanceId":")" + instance +
           R"(","timestamp":1700000000000,"payload":)" + payload + "}";
}

}  // namespace

// Who we are to the server.

TEST_F(RedisServerTest, AServerThatKnowsOnlyTheSecondVersionWillDo) {
    RedisProcess redis({"--rename-command", "HELLO", "", "--requirepass", "secret"});
    RedisUrl url = redis.url();
    url.password = "secret";
    auto a = connected_node(url);
    auto b = connected_node(url);
    b->bus.follow("ada");
    ASSERT_TRUE(wait([&] { return b->all<Hint>().size() == 1; }));
    a->bus.publish(context_events("ada", 2));
    ASSERT_TRUE(wait([&] { return b->all<Announcement>().size() == 1; }));
    turn_for(2600);  // signs of life are asked for, and given
    EXPECT_TRUE(a->bus.connected() && b->bus.connected());
    EXPECT_GT(a->bus.health().latency_us, 0);
    url.password = "wrong";
    expect_says(problem_of({.url = url}), "password is wrong");
}

TEST_F(RedisServerTest, AUserThatMayDoNoMoreThanTheAdviceSaysIsEnough) {
    RedisProcess redis({"--user", "dyad", "on", ">p@ss:w/rd%", "resetchannels", "&dyad:*", "-@all",
                        "+@pubsub", "+@connection", "--user", "default", "off"});
    const auto url = RedisUrl::parse("redis://dyad:p%40ss%3Aw%2Frd%25@127.0.0.1:" +
                                     std::to_string(redis.port()));
    ASSERT_TRUE(url.has_value());
    auto node = connected_node(*url);
    expect_alive(*node);
    RedisUrl wrong = *url;
    wrong.password = "sesame";
    const std::string problem = problem_of({.url = wrong});
    expect_says(problem, "user name or the password is wrong");
    EXPECT_EQ(problem.find("sesame"), std::string::npos);
    wrong.password.clear();
    expect_says(problem_of({.url = wrong}), "wants a password");
}

TEST_F(RedisServerTest, AUserThatMayNotSubscribeIsTold) {
    RedisProcess redis({"--user", "dyad", "on", ">pw", "resetchannels", "+@all"});
    RedisUrl url = redis.url();
    url.user = "dyad";
    url.password = "pw";
    Node node(loop_, random_, {.url = url});
    EXPECT_TRUE(
        wait([&] { return node.bus.health().problem.find("NOPERM") != std::string::npos; }));
    EXPECT_FALSE(node.bus.connected());
    expect_says(node.bus.health().problem, "&dyad:*");
}

TEST_F(RedisServerTest, ADatabaseIsSelectedAndOneThatIsNotThereIsToldOf) {
    RedisProcess redis;
    RedisUrl url = redis.url();
    url.database = 3;
    auto node = connected_node(url);
    expect_alive(*node);
    PlainClient client(redis.port());
    EXPECT_NE(client.ask({"CLIENT", "LIST"}).text.find("db=3"), std::string::npos);
    url.database = 99;
    expect_says(problem_of({.url = url}), "no such database");
}

TEST_F(RedisServerTest, WhyItIsNotReachedIsSaid) {
    RedisUrl url;
    url.host = "127.0.0.1";
    url.port = free_port();
    expect_says(problem_of({.url = url}), "is Redis running there?");
    url.host = "no-such-host.invalid";
    expect_says(problem_of({.url = url}), "no-such-host.invalid is not found");
}

// Loss.

TEST_F(RedisServerTest, AServerThatIsStartedAgainIsFoundAndWhatIsFollowedIsHinted) {
    RedisProcess redis;
    auto a = connected_node(redis.url());
    auto b = connected_node(redis.url());
    b->bus.follow("ada");
    b->bus.follow("bob");
    ASSERT_TRUE(wait([&] { return b->all<Hint>().size() == 2; }));
    redis.stop();
    ASSERT_TRUE(wait([&] { return !b->bus.connected() && !a->bus.connected(); }));
    EXPECT_FALSE(b->bus.health().connected);
    expect_says(b->bus.health().problem, "Redis");
    const auto unsent = metrics::bus_unsent.value();
    a->bus.publish(context_events("ada", 1));
    EXPECT_EQ(metrics::bus_unsent.value(), unsent + 1);
    turn_for(500);
    b->heard.clear();
    redis.start();
    ASSERT_TRUE(wait([&] { return b->all<Hint>().size() == 2; }));
    for (const Hint& hint : b->all<Hint>())
        EXPECT_TRUE(hint.subscribed);
    ASSERT_TRUE(wait([&] { return a->bus.connected(); }));
    EXPECT_EQ(a->bus.health().problem, "");
    a->bus.publish(context_events("ada", 1));
    EXPECT_TRUE(wait([&] { return b->all<Announcement>().size() == 1; }));
}

TEST_F(RedisServerTest, AConnectionThatFellSilentIsNoticed) {
    RedisProcess redis;
    Forwarder forwarder(loop_, redis.port());
    RedisUrl url = redis.url();
    url.port = forwarder.port();
    auto node = connected_node(url);
    node->bus.follow("ada");
    ASSERT_TRUE(wait([&] { return node->all<Hint>().size() == 1; }));
    forwarder.fall_silent();
    EXPECT_TRUE(wait([&] { return node->all<Hint>().size() == 2; }));
    redis.send_signal(SIGSTOP);
    EXPECT_TRUE(wait([&] { return !node->bus.health().connected; }));
    redis.send_signal(SIGCONT);
    EXPECT_TRUE(wait([&] { return node->bus.connected(); }));
    expect_alive(*node);
}

// Existing instances.

TEST_F(RedisServerTest, EnvelopesAreSentWhereAPatternIsSubscribedAndNotElsewhere) {
    RedisProcess redis;
    auto node = connected_node(redis.url());
    PlainClient client(redis.port());
    node->bus.publish(context_events("ada", 5));
    ASSERT_TRUE(wait([&] { return client.calls_of("pubsub|numpat") == 1; }));
    turn_for(100);
    EXPECT_EQ(client.calls_of("publish"), 1) << "for the nodes, and for nobody else";
    PlainClient instance(redis.port());
    instance.ask({"PSUBSCRIBE", "dyad:event:*"});
    for (int round = 0; round < 2; ++round) {  // it listens newly, and it is known to listen
        node->bus.publish(context_events("ada", 5));
        for (int i = 0; i < 5; ++i) {
            bus::Reply message;
            ASSERT_TRUE(wait([&] {
                message = instance.next(10);
                return message.elements.size() == 4;
            })) << round
                << " " << i;
            EXPECT_EQ(message.elements[2].text, "dyad:event:context:updated");
            const auto read = json::parse(message.elements[3].text);
            ASSERT_TRUE(read.has_value()) << message.elements[3].text;
            const auto& object = read->as_object();
            EXPECT_EQ(object.at("eventType").as_string(), "context:updated");
            EXPECT_EQ(object.at("userId").as_string(), "ada");
            EXPECT_EQ(object.at("instanceId").as_string(), "laptop");
            EXPECT_EQ(object.at("timestamp").as_int64(), 1000);
            EXPECT_EQ(object.at("eventId").as_string().size(), 36u);
            EXPECT_EQ(json::canonical(object.at("payload")),
                      R"({"contextKey":"notes)" + std::to_string(i) +
                          R"(","contextType":"project","data":{"a":1},"version":3})");
        }
    }
    turn_for(100);
    EXPECT_TRUE(node->all<Foreign>().empty()) << "our own are known by their mark";
    instance.ask({"PUNSUBSCRIBE"});
    node->bus.publish(context_events("ada", 5));
    turn_for(100);
    const auto before = client.calls_of("publish");
    node->bus.publish(context_events("ada", 5));
    turn_for(100);
    EXPECT_EQ(client.calls_of("publish"), before + 1) << "nobody listens any more";
}

TEST_F(RedisServerTest, WhoListensToOneChannelByNameIsNoticed) {
    RedisProcess redis;
    auto node = connected_node(redis.url());
    auto other = connected_node(redis.url());
    PlainClient instance(redis.port());
    instance.ask({"SUBSCRIBE", "dyad:event:context:updated"});
    node->bus.publish(context_events("ada", 1));
    bus::Reply message;
    ASSERT_TRUE(wait([&] {
        message = instance.next(10);
        return message.elements.size() == 3;
    }));
    EXPECT_EQ(message.elements[0].text, "message");
}

TEST_F(RedisServerTest, WhatInstancesPublishIsForeignAndAnythingElseIsDropped) {
    RedisProcess redis;
    auto node = connected_node(redis.url());
    PlainClient client(redis.port());
    const std::string channel = "dyad:event:context:updated";
    const std::string good = R"({"contextKey":"k","contextType":"chat","data":{"z":1,"a":1.0},)"
                             R"("version":1700000000000})";
    const std::vector<std::string> bad{
        R"({"test": true})",
        "",
        "not JSON",
        "[1]",
        std::string(3'000'000, 'x'),
        envelope("ada", "context:updated", "[]"),
        envelope("ada", "context:updated", "null"),
        envelope("ada", "context:exploded", good),
        envelope("ada", "mode:changed", good),  // on another's channel
        envelope(" ada", "context:updated", good),
        envelope("", "context:updated", good),
        envelope("ada", "context:updated", R"({"data":")" + std::string(400'000, 'x') + R"("})"),
        envelope("ada", "context:updated", good, "us"),  // our own instance
        R"({"metadata":{"dyad":{"offset":1}},)" +
            envelope("ada", "context:updated", good).substr(1),
    };
    const auto refused = metrics::bus_refused.value();
    for (const std::string& text : bad)
        client.ask({"PUBLISH", channel, text});
    client.ask({"PUBLISH", "dyad:event:sync:heartbeat",
                envelope("ada", "sync:heartbeat", R"({"instanceId":"i","timestamp":1})")});
    client.ask({"PUBLISH", channel, envelope("ada", "context:updated", good)});
    ASSERT_TRUE(wait([&] { return !node->all<Foreign>().empty(); }));
    EXPECT_EQ(node->heard.size(), 1u);
    EXPECT_EQ(metrics::bus_refused.value() - refused, std::ssize(bad) - 2);
    const Foreign foreign = node->all<Foreign>()[0];
    EXPECT_EQ(foreign.user_id, "ada");
    EXPECT_EQ(foreign.instance_id, "theirs");
    EXPECT_EQ(foreign.event_id, "8f14e45f-ceea-467f-a9e3-000000000001");
    EXPECT_EQ(foreign.timestamp_ms, 1'700'000'000'000);
    ASSERT_TRUE(foreign.command && std::holds_alternative<AdoptContext>(*foreign.command));
    const Context& context = *std::get<AdoptContext>(*foreign.command).document;
    EXPECT_EQ(context.key, "k");
    EXPECT_EQ(context.type, ContextType::chat);
    EXPECT_EQ(context.data, R"({"a":1,"z":1})");
    EXPECT_EQ(context.version, 1'700'000'000'000u);
    EXPECT_EQ(context.last_modified_by, "theirs");
}

// Nodes.

TEST_F(RedisServerTest, WhatIsNotSignedWithTheSecretIsDropped) {
    RedisProcess redis;
    auto node = connected_node(redis.url());
    node->bus.follow("ada");
    ASSERT_TRUE(wait([&] { return node->all<Hint>().size() == 1; }));
    node->heard.clear();
    PlainClient client(redis.port());
    const std::string channel = bus::log_channel("s", "ada");
    std::string parts;
    bus::append_part(parts, context_events("ada", 1));
    const std::string good = bus::sign("s", channel, 1, parts);
    std::string changed = good;
    changed.back() ^= 1;
    const auto refused = metrics::bus_refused.value();
    const std::vector<std::string> bad{
        bus::sign("another", channel, 1, parts),
        bus::sign("s", bus::log_channel("s", "bob"), 1, parts),  // of another user
        changed,
        good.substr(0, good.size() - 1),
        "",
        std::string(good).replace(0, 1, "\x02")};
    for (const std::string& text : bad)
        client.ask({"PUBLISH", channel, text});
    std::string beat;
    bus::append_part(beat, Heartbeat{.node = 1});
    client.ask({"PUBLISH", channel, bus::sign("s", channel, 1, beat)});  // it has no place there
    client.ask({"PUBLISH", "dyad:nodes", "hello"});
    client.ask({"PUBLISH", channel, good});
    ASSERT_TRUE(wait([&] { return !node->heard.empty(); }));
    turn_for(50);
    EXPECT_EQ(node->heard.size(), 1u);
    EXPECT_EQ(node->all<Announcement>().size(), 1u);
    EXPECT_EQ(metrics::bus_refused.value() - refused, std::ssize(bad) + 2);
}

TEST_F(RedisServerTest, ANoteOnASessionLeavesBeforePublishReturns) {
    RedisProcess redis;
    auto node = connected_node(redis.url());
    PlainClient client(redis.port());
    client.ask({"SUBSCRIBE", "dyad:sessions"});
    node->bus.publish(SessionNote{.server = "us", .session = "s-1"});
    const bus::Reply told = client.next(2000);  // the loop does not turn meanwhile
    ASSERT_EQ(told.elements.size(), 3u);
    const auto read = bus::read_node_message("s", "dyad:sessions", "", told.elements[2].text);
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(std::get<SessionNote>(read->front()).session, "s-1");
    bool sent = false;
    node->bus.when_sent([&] { sent = true; });
    EXPECT_FALSE(sent) << "Redis has not said so";
    EXPECT_TRUE(wait([&] { return sent; }));
    // One that no message has room for is dropped, and counted.
    const auto unsent = metrics::bus_unsent.value();
    SessionNote large{.session = "s-1"};
    large.entries.emplace_back(std::string(limits::bus_message_bytes_max, 'x'), 0);
    node->bus.publish(std::move(large));
    EXPECT_EQ(metrics::bus_unsent.value(), unsent + 1);
    EXPECT_TRUE(node->bus.connected());
    EXPECT_TRUE(node->all<SessionNote>().empty());
}

TEST_F(RedisServerTest, WhoWaitsForANoteWaitsNotLong) {
    RedisProcess redis;
    auto node = connected_node(redis.url());
    redis.send_signal(SIGSTOP);
    node->bus.publish(SessionNote{.session = "s-1"});
    int told = 0;
    node->bus.when_sent([&] { ++told; });
    turn_for(limits::bus_sent_ms / 2);
    EXPECT_EQ(told, 0);
    EXPECT_TRUE(wait([&] { return told == 1; }, 1000)) << "though Redis says nothing";
    redis.send_signal(SIGCONT);
    node->bus.publish(SessionNote{.session = "s-2"});
    node->bus.when_sent([&] { ++told; });
    EXPECT_TRUE(wait([&] { return told == 2; }));
    redis.stop();
    node->bus.publish(SessionNote{.session = "s-3"});
    node->bus.when_sent([&] { ++told; });
    EXPECT_TRUE(wait([&] { return told == 3; }, limits::bus_sent_ms + 500));
    ASSERT_TRUE(wait([&] { return !node->bus.connected(); }));
    node->bus.publish(SessionNote{.session = "s-4"});
    node->bus.when_sent([&] { ++told; });
    EXPECT_EQ(told, 4) << "there is nobody to wait for";
}

TEST_F(RedisServerTest, StoresThatShareAServerDoNotHearEachOther) {
    RedisProcess redis;
    auto ours = connected_node(redis.url(), "ours");
    auto theirs = connected_node(redis.url(), "theirs");
    theirs->bus.follow("ada");
    ASSERT_TRUE(wait([&] { return theirs->all<Hint>().size() == 1; }));
    theirs->heard.clear();
    ours->bus.publish(context_events("ada", 1));
    ours->bus.publish(Heartbeat{.node = 1});
    ASSERT_TRUE(wait([&] { return ours->all<Heartbeat>().size() == 1; }));
    turn_for(50);
    EXPECT_TRUE(theirs->heard.empty());
}

TEST_F(RedisServerTest, NothingIsToldOrHeardBeforeTheSecretIsKnown) {
    RedisProcess redis;
    bus::RedisBus bus(loop_, {.url = redis.url()}, random_);
    bus.follow("ada");
    ASSERT_TRUE(wait([&] { return bus.health().connected; }));
    bus.publish(Heartbeat{.node = 1});
    turn_for(100);
    PlainClient client(redis.port());
    EXPECT_EQ(client.calls_of("publish"), 0);
    EXPECT_EQ(client.calls_of("subscribe"), 0);
    EXPECT_FALSE(bus.connected());
    std::vector<BusMessage> heard;
    bus.set_receiver([&](const BusMessage& message) { heard.push_back(message); });
    bus.set_secret("s");
    ASSERT_TRUE(wait([&] { return bus.connected() && heard.size() == 1; }));
    EXPECT_TRUE(std::get<Hint>(heard[0]).subscribed);
}

TEST_F(RedisServerTest, ATurnOf64EventsIsAFewCommands) {
    RedisProcess redis;
    auto node = connected_node(redis.url());
    auto other = connected_node(redis.url());
    other->bus.follow("ada");
    ASSERT_TRUE(wait([&] { return other->all<Hint>().size() == 1; }));
    other->heard.clear();
    PlainClient client(redis.port());
    const auto commands = [&] {
        return client.calls_of("publish") + client.calls_of("pubsub|numpat") +
               client.calls_of("pubsub|numsub") + client.calls_of("ping");
    };
    const auto before = commands();
    constexpr int kTurns = 100;
    for (int turn = 0; turn < kTurns; ++turn) {
        for (int i = 0; i < 64; ++i)
            node->bus.publish(context_events("ada", 1));
        node->bus.flush();
        loop_.run_once(0);
    }
    ASSERT_TRUE(wait([&] { return other->all<Announcement>().size() == 64 * kTurns; }));
    const double each = static_cast<double>(commands() - before) / (64.0 * kTurns);
    RecordProperty("commands_per_event", std::to_string(each));
    EXPECT_LE(each, 0.05);
}

TEST_F(RedisServerTest, OfACommitThatIsTooLargeForAMessageAHintIsHeard) {
    RedisProcess redis;
    auto node = connected_node(redis.url());
    auto other = connected_node(redis.url());
    other->bus.follow("ada");
    ASSERT_TRUE(wait([&] { return other->all<Hint>().size() == 1; }));
    node->bus.publish(context_events("ada", 8, 200'000));
    ASSERT_TRUE(wait([&] { return other->all<Hint>().size() == 2; }));
    EXPECT_FALSE(other->all<Hint>()[1].subscribed);
    EXPECT_TRUE(other->all<Announcement>().empty());
}

TEST_F(RedisServerTest, TwentyThousandUsersAreFollowedAndHadAgain) {
    RedisProcess redis;
    auto node = connected_node(redis.url());
    constexpr std::size_t kUsers = 20'000;
    for (std::size_t i = 0; i < kUsers; ++i)
        node->bus.follow("user" + std::to_string(i));
    ASSERT_TRUE(wait([&] { return node->heard.size() == kUsers; }));
    node->heard.clear();
    node->bus.renew();
    ASSERT_TRUE(wait([&] { return node->heard.size() == kUsers; }));
    PlainClient client(redis.port());
    EXPECT_EQ(client.ask({"PUBSUB", "CHANNELS", "dyad:log:*"}).elements.size(), kUsers);
    for (std::size_t i = 0; i < kUsers; ++i)
        node->bus.unfollow("user" + std::to_string(i));
    EXPECT_TRUE(
        wait([&] { return client.ask({"PUBSUB", "CHANNELS", "dyad:log:*"}).elements.empty(); }));
}

// A cluster.

TEST_F(RedisServerTest, ANodeOfAClusterThatIsLostIsLeftForAnother) {
    std::vector<std::unique_ptr<RedisProcess>> nodes;
    for (int i = 0; i < 3; ++i)
        nodes.push_back(std::make_unique<RedisProcess>(std::vector<std::string>{
            "--cluster-enabled", "yes", "--cluster-node-timeout", "1000"}));
    for (std::size_t i = 0; i < 3; ++i) {
        PlainClient client(nodes[i]->port());
        client.ask({"CLUSTER", "ADDSLOTSRANGE", std::to_string(i * 5461),
                    std::to_string(i == 2 ? 16383 : i * 5461 + 5460)});
        if (i > 0) client.ask({"CLUSTER", "MEET", "127.0.0.1", std::to_string(nodes[0]->port())});
    }
    ASSERT_TRUE(wait(
        [&] {
            for (const auto& one : nodes) {
                PlainClient client(one->port());
                const std::string info = client.ask({"CLUSTER", "INFO"}).text;
                if (info.find("cluster_state:ok") == std::string::npos ||
                    info.find("cluster_known_nodes:3") == std::string::npos)
                    return false;
            }
            return true;
        },
        20'000));
    auto a = connected_node(nodes[0]->url());
    auto b = connected_node(nodes[1]->url());
    b->bus.follow("ada");
    ASSERT_TRUE(wait([&] { return b->all<Hint>().size() == 1; }));
    a->bus.publish(context_events("ada", 1));
    ASSERT_TRUE(wait([&] { return b->all<Announcement>().size() == 1; })) << "by another node";

    PlainClient instance(nodes[2]->port());
    instance.ask({"PSUBSCRIBE", "dyad:event:*"});
    a->bus.publish(context_events("ada", 1));
    ASSERT_TRUE(wait([&] { return instance.next(10).elements.size() == 4; }))
        << "who listens elsewhere is not known here";

    b->heard.clear();
    nodes[1]->stop();
    ASSERT_TRUE(wait([&] { return b->bus.connected() && b->all<Hint>().size() == 1; }));
    a->bus.publish(context_events("ada", 1));
    EXPECT_TRUE(wait([&] { return b->all<Announcement>().size() == 1; }));
}

}  // namespace dyad::conformance
