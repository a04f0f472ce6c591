#include "cli/indicator.hpp"

#include "cli/rest_client.hpp"

#include <cstdio>

namespace dyad::cli {
namespace {

std::string milliseconds(const json::Value& value) {
    const double ms = value.is_double()  ? value.get_double()
                      : value.is_int64() ? static_cast<double>(value.get_int64())
                                         : 0.0;
    char text[32];
    std::snprintf(text, sizeof text, ms < 10 ? "%.1f ms" : "%.0f ms", ms);
    return text;
}

void count(Indicator& indicator) {
    for (const SystemState& system : indicator.systems) {
        indicator.enabled += system.enabled;
        indicator.healthy += system.enabled && system.healthy;
    }
    if (indicator.healthy > 0)
        indicator.colour = indicator.healthy == indicator.enabled && !indicator.draining
                               ? Colour::green
                               : Colour::amber;
}

// A system that was asked for stands in the place of what is used without it.
bool add_asked_for(Indicator& indicator, const char* name, const json::Value& system) {
    if (!is_true(system, "enabled")) return false;
    const std::string problem = text_member(system, "problem");
    indicator.systems.push_back({name, true,
                                 is_true(system, "connected") && is_true(system, "healthy"),
                                 problem.empty() ? "connected" : problem});
    return true;
}

}  // namespace

std::string Indicator::text() const {
    return std::string("[📡 Sync] [") + (healthy > 0 ? "✓ " : "✗ ") + std::to_string(healthy) +
           "/" + std::to_string(enabled) + " Sync]";
}

Indicator indicator_of(const json::Value& status) {
    Indicator indicator;
    indicator.draining = is_true(status, "draining");
    const json::Value& storage = member(status, "storage");
    std::string note = text_member(storage, "kind") + ", last commit " +
                       milliseconds(member(storage, "latencyMs"));
    if (const std::string problem = text_member(storage, "problem"); !problem.empty())
        note = problem;
    if (!add_asked_for(indicator, "MongoDB", member(status, "mongodb")))
        indicator.systems.push_back({"Storage", is_true(storage, "enabled"),
                                     is_true(storage, "connected") && is_true(storage, "healthy"),
                                     note});
    const json::Value& bus = member(status, "bus");
    if (!add_asked_for(indicator, "Redis", member(status, "redis")))
        indicator.systems.push_back({"Bus", is_true(bus, "enabled"),
                                     is_true(bus, "connected") && is_true(bus, "healthy"),
                                     text_member(bus, "kind")});
    const json::Value& websocket = member(status, "websocket");
    const std::int64_t clients = integer_member(websocket, "clientCount");
    indicator.systems.push_back(
        {"WebSocket", is_true(websocket, "enabled"), is_true(websocket, "running"),
         std::to_string(clients) + (clients == 1 ? " client" : " clients") + " on port " +
             std::to_string(integer_member(websocket, "port")) +
             (member(status, "realTimeEvents") == json::Value(false)
                  ? ", nothing is pushed: ENABLE_REAL_TIME_EVENTS is false"
                  : "")});
    count(indicator);
    return indicator;
}

Indicator indicator_offline() {
    Indicator indicator;
    for (const char* name : {"Storage", "Bus", "WebSocket"})
        indicator.systems.push_back({name, true, false, "no server answers"});
    count(indicator);
    return indicator;
}

bool hides_indicator(std::string_view mode) noexcept {
    return mode == "inspired";
}

}  // namespace dyad::cli
