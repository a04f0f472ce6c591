// Checks of MongoDB and Redis themselves, from this machine, and of the clocks.
#include "base/clock.hpp"
#include "base/log.hpp"
#include "cli/backends.hpp"
#include "cli/doctor.hpp"
#include "cli/on_demand.hpp"
#include "cli/text.hpp"
#include "net/loop.hpp"

#include <chrono>
#include <optional>

namespace dyad::cli {
namespace {

constexpr const char* kRedis = "Redis";
constexpr std::chrono::seconds kRedisWait{3};

using Steady = std::chrono::steady_clock;

std::string milliseconds(std::int64_t us) {
    return std::to_string(us / 1000) + "." + std::to_string(us / 100 % 10) + " ms";
}

// Says something to itself through Redis, as nodes do, and signed with a secret that none of them
// has: they pass it over.
Finding check_redis(const Resolved& settings) {
    const bus::RedisOptions options = redis_options(settings);
    const std::string place =
        shown_setting(*find_setting("REDIS_URL"), settings.text("REDIS_URL"));
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
                place + ": what was published came back after " + milliseconds((*heard - *sent) / std::chrono::microseconds(1))};
    const BusHealth health = bus.health();
    if (!health.connected)
        return {Verdict::fail, kRedis, "Redis not connected: " + health.problem,
                "start it, or correct REDIS_URL; nodes go on without it, from the log"};
    return {Verdict::fail, kRedis,
            place + " answers, but what is published does not come back" +
                (health.problem.empty() ? "" : ": " + health.problem),
            "allow its user to publish and subscribe to the channels dyad:*"};
}

}  // namespace

std::vector<Finding> check_backends(const Resolved& settings) {
    log::configure(log::Level::off, log::Format::text, "");  // what matters is a finding
    std::vector<Finding> out;
    if (settings.follows_master("ENABLE_REDIS")) out.push_back(check_redis(settings));
    return out;
}

}  // namespace dyad::cli
