// Checks of MongoDB and Redis themselves, from this machine, and of the clocks.
#include "base/clock.hpp"
#include "base/log.hpp"
#include "cli/backends.hpp"
#include "cli/doctor.hpp"
#include "cli/on_demand.hpp"
#include "cli/text.hpp"
#include "net/loop.hpp"
#include "store/mongo/probe.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>

namespace dyad::cli {
namespace {

constexpr const char* kRedis = "Redis";
constexpr std::chrono::seconds kRedisWait{3};

using Steady = std::chrono::steady_clock;

std::string milliseconds(std::int64_t us) {
    char text[32];
    std::snprintf(text, sizeof text, "%.2f ms", static_cast<double>(us) / 1000);
    return text;
}

// Says something to itself through Redis, as nodes do, and signed with a secret that none of them
// has: they pass it over.
Finding check_redis(const Resolved& settings) {
    const bus::RedisOptions options = redis_options(settings);
    const std::string place = shown_setting(*find_setting("REDIS_URL"), settings.text("REDIS_URL"));
    if (options.tls || options.url.tls)
        if (const Status loaded = load_ssl(); !loaded)
            return {Verdict::fail, kRedis, loaded.error().detail};
    net::Loop loop;
    SystemRandom random;
    bus::RedisBus bus(loop, options, random);
    bus.set_secret(random.uuid4());
    const NodeId self = random.next_u64();
    std::optional<Steady::time_point> sent, heard;
    bus.set_receiver([&](const BusMessage& message) {
        const auto* beat = std::get_if<Heartbeat>(&message);
        if (beat != nullptr && beat->node == self) heard = Steady::now();
    });
    const auto until = Steady::now() + kRedisWait;
    while (!heard && Steady::now() < until) {
        if (!sent && bus.connected()) {
            sent = Steady::now();
            bus.publish(Heartbeat{.node = self});
        }
        loop.run_once(10);
    }
    if (heard)
        return {Verdict::ok, kRedis,
                place + ": what was published came back after " +
                    milliseconds((*heard - *sent) / std::chrono::microseconds(1))};
    const BusHealth health = bus.health();
    if (!health.connected)
        return {Verdict::fail, kRedis, "Redis not connected: " + health.problem,
                "start it, or correct REDIS_URL; nodes go on without it, from the log"};
    return {Verdict::fail, kRedis,
            place + " answers, but what is published does not come back" +
                (health.problem.empty() ? "" : ": " + health.problem),
            "allow its user to publish and subscribe to the channels dyad:*"};
}

std::string joined(const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& name : names)
        out.append(out.empty() ? "" : ", ").append(name);
    return out;
}

Finding describe_indexes(const mongo::IndexReport& indexes) {
    constexpr const char* kIndexes = "Indexes";
    if (!indexes.other.empty())
        return {Verdict::fail, kIndexes, "with other options than needed: " + joined(indexes.other),
                "drop them, or choose another MONGODB_DATABASE; the server does not start on them"};
    if (indexes.missing.empty())
        return {Verdict::ok, kIndexes, "all " + std::to_string(indexes.good) + " are there"};
    return {Verdict::note, kIndexes,
            std::to_string(indexes.missing.size()) + " of " +
                std::to_string(indexes.good + indexes.missing.size()) +
                " are not there; the server's start makes them"};
}

// What expires goes by MongoDB's clock: nodes agree on it, whatever theirs say.
Finding describe_clock(std::int64_t ahead_ms) {
    constexpr const char* kClocks = "Clock of MongoDB";
    constexpr std::int64_t kToleratedMs = 1000;
    const std::string by = std::to_string(std::abs(ahead_ms)) + " ms " +
                           (ahead_ms > 0 ? "ahead of" : "behind") + " this machine's";
    if (std::abs(ahead_ms) <= kToleratedMs) return {Verdict::ok, kClocks, by};
    return {Verdict::warn, kClocks, by + "; what expires goes by MongoDB's",
            "set the clocks of both by NTP"};
}

std::vector<Finding> check_mongodb(const Resolved& settings) {
    constexpr const char* kMongo = "MongoDB";
    if (const Status loaded = load_mongoc(); !loaded)
        return {{Verdict::fail, kMongo, loaded.error().detail}};
    const std::string place = describe_store(settings);
    SystemClock clock;
    const Result<mongo::Probe> found = mongo::probe(mongo_options(settings), clock);
    if (!found)
        return {{Verdict::fail, kMongo, found.error().detail,
                 "start it, or correct MONGODB_URL (" + place + ")"}};
    const mongo::Deployment& is = found->deployment;
    std::vector<Finding> out{{Verdict::ok, kMongo,
                              place + ": version " + found->version + ", " +
                                  (is.replica_set ? "replica set" : "standalone") +
                                  ", answered after " + milliseconds(is.latency_us)}};
    if (found->journal_problem.empty())
        out.push_back({Verdict::ok, "Journal", "writes that wait for it are taken"});
    else
        out.push_back({Verdict::fail, "Journal",
                       "writes that wait for it are refused: " + found->journal_problem,
                       "switch the journal on, and allow this user readWrite"});
    out.push_back(describe_indexes(found->indexes));
    out.push_back(describe_clock(is.clock_offset_ms));
    return out;
}

}  // namespace

std::vector<Finding> check_backends(const Resolved& settings) {
    log::configure(log::Level::off, log::Format::text, "");  // what matters is a finding
    std::vector<Finding> out;
    if (settings.follows_master("ENABLE_MONGODB")) out = check_mongodb(settings);
    if (settings.follows_master("ENABLE_REDIS")) out.push_back(check_redis(settings));
    return out;
}

}  // namespace dyad::cli
