#include "cli/indicator.hpp"

#include "cli/rest_client.hpp"

namespace dyad::cli {
namespace {

std::string storage_text(const json::Value& storage) {
    const std::string problem = text_member(storage, "problem");
    if (!is_true(storage, "connected")) return "not connected";
    if (!is_true(storage, "healthy")) return problem.empty() ? "not healthy" : problem;
    char latency[32] = "";
    if (const auto* ms = member(storage, "latencyMs").if_double())
        std::snprintf(latency, sizeof latency, ", %.1f ms to the disk", *ms);
    return "connected (" + text_member(storage, "kind") + ")" + latency;
}

std::string websocket_text(const json::Value& websocket) {
    if (!is_true(websocket, "running")) return "not running";
    const std::int64_t clients = integer_member(websocket, "clientCount");
    return "running on port " + std::to_string(integer_member(websocket, "port")) + ", " +
           std::to_string(clients) + (clients == 1 ? " client" : " clients");
}

}  // namespace

std::string Indicator::text() const {
    return std::string("[📡 Sync] [") + (working > 0 ? "✓ " : "✗ ") + std::to_string(working) +
           "/" + std::to_string(enabled) + " Sync]";
}

Colour Indicator::colour() const noexcept {
    if (working == 0) return Colour::dim;
    return working == enabled ? Colour::green : Colour::amber;
}

Indicator indicator_of(const json::Value& status) {
    Indicator out;
    if (!status.is_object()) return out;
    const auto add = [&](const char* name, const json::Value& system, bool works,
                         std::string text) {
        const bool enabled = is_true(system, "enabled");
        out.systems.push_back(
            {name, enabled, enabled && works, enabled ? std::move(text) : "switched off"});
    };
    const json::Value& storage = member(status, "storage");
    const json::Value& bus = member(status, "bus");
    const json::Value& websocket = member(status, "websocket");
    add("storage", storage, is_true(storage, "connected") && is_true(storage, "healthy"),
        storage_text(storage));
    add("bus", bus, is_true(bus, "connected") && is_true(bus, "healthy"),
        is_true(bus, "connected") ? "connected (" + text_member(bus, "kind") + ")"
                                  : "not connected");
    add("websocket", websocket, is_true(websocket, "running"), websocket_text(websocket));
    out.enabled = 0;
    for (const SystemLine& system : out.systems) {
        out.enabled += system.enabled;
        out.working += system.works;
    }
    return out;
}

}  // namespace dyad::cli
