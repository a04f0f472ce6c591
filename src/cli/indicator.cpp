#include "cli/indicator.hpp"

#include "cli/json_members.hpp"
#include "cli/text.hpp"

#include <cstdio>

namespace dyad::cli {
namespace {

std::string milliseconds(double ms) {
    char text[32];
    std::snprintf(text, sizeof text, ms < 10 ? "%.1f ms" : "%.0f ms", ms);
    return text;
}

bool works(const json::Value& system) {
    return is_true(system, "connected") && is_true(system, "healthy");
}

// A part of the server, by its own name where it is a system beside it.
SystemState state_of(const json::Value& status, const char* name, const char* path,
                     const std::string& note, const char* system_name, const char* system_path) {
    const json::Value& system = at(status, system_path);
    if (!is_true(system, "enabled"))
        return {name, is_true(at(status, path), "enabled"), works(at(status, path)), note};
    const std::string problem = text_at(system, "problem");
    return {system_name, true, works(system),
            !problem.empty() ? problem
            : is_true(system, "connected")
                ? "connected, " + milliseconds(real_at(system, "latencyMs"))
                : "not connected"};
}

Indicator summed(Indicator indicator) {
    for (const SystemState& system : indicator.systems) {
        indicator.enabled += system.enabled;
        indicator.healthy += system.enabled && system.healthy;
    }
    if (indicator.healthy > 0)
        indicator.colour = indicator.healthy == indicator.enabled && !indicator.draining
                               ? Colour::green
                               : Colour::amber;
    return indicator;
}

}  // namespace

const char* SystemState::mark() const {
    return !enabled ? "–" : healthy ? "✓" : "✗";
}

Colour SystemState::colour() const {
    return !enabled ? Colour::dim : healthy ? Colour::green : Colour::amber;
}

std::string Indicator::text() const {
    return std::string("[📡 Sync] [") + (healthy > 0 ? "✓ " : "✗ ") + std::to_string(healthy) +
           "/" + std::to_string(enabled) + " Sync]";
}

Indicator indicator_of(const json::Value& status) {
    std::string storage = text_at(status, "storage/problem");
    if (storage.empty())
        storage = text_at(status, "storage/kind") + ", last commit " +
                  milliseconds(real_at(status, "storage/latencyMs"));
    std::string websocket =
        counted(static_cast<std::size_t>(integer_at(status, "websocket/clientCount")), "client") +
        " on port " + std::to_string(integer_at(status, "websocket/port"));
    if (at(status, "realTimeEvents") == json::Value(false))
        websocket += ", nothing is pushed: ENABLE_REAL_TIME_EVENTS is false";
    Indicator indicator;
    indicator.draining = is_true(status, "draining");
    indicator.systems = {
        state_of(status, "Storage", "storage", storage, "MongoDB", "mongodb"),
        state_of(status, "Bus", "bus", text_at(status, "bus/kind"), "Redis", "redis"),
        {"WebSocket", is_true(status, "websocket/enabled"), is_true(status, "websocket/running"),
         websocket}};
    return summed(std::move(indicator));
}

Indicator indicator_offline() {
    Indicator indicator;
    for (const char* name : {"Storage", "Bus", "WebSocket"})
        indicator.systems.push_back({name, true, false, "no server answers"});
    return summed(std::move(indicator));
}

std::string presence_of(const json::Value& instance) {
    if (at(instance, "presence").is_object()) return "connected";
    return hides_indicator(text_at(instance, "mode/currentMode")) ? "private" : "away";
}

bool hides_indicator(std::string_view mode) noexcept {
    return mode == "inspired";
}

}  // namespace dyad::cli
