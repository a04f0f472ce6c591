// Buses on a real redis-server, and what they have heard.
#pragma once

#include "base/metrics.hpp"
#include "conformance/bus/redis_support.hpp"
#include "model/change.hpp"

#include <gtest/gtest.h>

namespace dyad::conformance {

using bus::RedisOptions;
using bus::RedisUrl;

struct Node {
    Node(net::Loop& loop, Random& random, RedisOptions options, const std::string& secret = "s")
        : bus(loop, std::move(options), random) {
        bus.set_secret(secret);
        bus.set_receiver([this](const BusMessage& message) { heard.push_back(message); });
    }
    template <class Kind>
    std::vector<Kind> all() const {
        std::vector<Kind> found;
        for (const BusMessage& message : heard)
            if (const auto* one = std::get_if<Kind>(&message)) found.push_back(*one);
        return found;
    }
    std::vector<BusMessage> heard;
    bus::RedisBus bus;
};

class RedisServerTest : public testing::Test {
  protected:
    void SetUp() override {
        if (redis_is_missing()) GTEST_SKIP() << "redis-server is not installed";
    }
    std::unique_ptr<Node> connected_node(const RedisUrl& url, const std::string& secret = "s") {
        return connected_node(RedisOptions{.url = url, .instance_id = "us"}, secret);
    }
    std::unique_ptr<Node> connected_node(const RedisOptions& options,
                                         const std::string& secret = "s") {
        auto node = std::make_unique<Node>(loop_, random_, options, secret);
        EXPECT_TRUE(wait([&] { return node->bus.connected(); })) << node->bus.health().problem;
        return node;
    }
    bool wait(const std::function<bool()>& done, int timeout_ms = 8000) {
        return run_until(loop_, done, timeout_ms);
    }
    // For what must not come.
    void turn_for(int ms) {
        run_until(loop_, [] { return false; }, ms);
    }
    std::string problem_of(const RedisOptions& options) {
        Node node(loop_, random_, options);
        wait(
            [&] { return node.bus.health().problem.find("not reached yet") == std::string::npos; });
        EXPECT_FALSE(node.bus.connected());
        EXPECT_FALSE(node.bus.health().connected);
        return node.bus.health().problem;
    }
    // A round trip of a heartbeat.
    void expect_alive(Node& node) {
        node.heard.clear();
        node.bus.publish(Heartbeat{.node = 7});
        EXPECT_TRUE(wait([&] { return !node.all<Heartbeat>().empty(); }));
    }

    static Announcement context_events(const std::string& user, int count,
                                       std::size_t data_bytes = 2) {
        auto batch = std::make_shared<EventBatch>();
        LogHead head = first_head(user, 1);
        for (int i = 0; i < count; ++i) {
            auto context = std::make_shared<Context>();
            context->key = "notes" + std::to_string(i);
            context->type = ContextType::project;
            context->data = data_bytes == 2 ? R"({"a":1})"
                                            : R"({"a":")" + std::string(data_bytes, 'x') + R"("})";
            context->version = 3;
            context->offset = head.offset + 1;
            append_change(*batch, head, ContextChange{.context = context},
                          {.source_instance_id = "laptop",
                           .operation_id = "o" + std::to_string(i),
                           .timestamp_ms = 1000});
        }
        return {user, batch};
    }

    net::Loop loop_;
    SystemRandom random_;
};

inline void expect_says(const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
}

}  // namespace dyad::conformance
