// /status, /instances, /modes and /transitions.
#include "model/change.hpp"
#include "server/naming.hpp"
#include "server/rest/call.hpp"
#include "server/version.hpp"

#include <algorithm>
#include <map>

namespace dyad::server::rest {
namespace {

constexpr std::string_view kDeaf = "what this node says of itself does not come back to it";

// A part of the server, as the status has it. `kind` is empty for the systems that existing code
// looks for by their names; of those that are not used there is nothing more to say.
struct SystemHealth {
    bool enabled = false;
    bool connected = false;
    bool healthy = false;
    std::string_view kind = {};
    std::int64_t latency_us = 0;
    std::string_view problem = {};
};

void write(json::Writer& out, const SystemHealth& system) {
    out.object([&] {
        out.members("connected", system.connected, "enabled", system.enabled, "healthy",
                    system.healthy);
        if (!system.kind.empty()) out.member("kind", system.kind);
        if (system.enabled) out.member("latencyMs", static_cast<double>(system.latency_us) / 1000);
        if (system.enabled && !system.problem.empty()) out.member("problem", system.problem);
    });
}

// The same by the name that existing code looks for, where it is used.
SystemHealth named(const SystemHealth& system, bool enabled) {
    if (!enabled) return {};
    SystemHealth out = system;
    out.kind = {};
    return out;
}

// One that takes part, or has said a mode.
struct Instance {
    const ModeState* mode = nullptr;
    const Presence* presence = nullptr;
};

void write_instances(Call& call, const std::vector<ModeState>& modes,
                     const std::vector<Presence>& present) {
    std::map<std::string_view, Instance> instances;
    for (const ModeState& mode : modes)
        instances[mode.instance_id].mode = &mode;
    for (const Presence& presence : present)
        instances[presence.instance_id].presence = &presence;
    call.json([&](json::Writer& out) {
        out.raw("{\"instances\":");
        out.array(instances, [&out](const auto& entry) {
            const auto& [id, instance] = entry;
            out.object([&] {
                out.members("instanceId", id, "mode", instance.mode).member("presence");
                if (const Presence* const is = instance.presence)
                    out.object("connectedAt", is->connected_at_ms, "connections", is->connections,
                               "lastSeen", is->last_seen_ms);
                else
                    out.raw("null");
            });
        });
        out.raw("}");
    });
}

}  // namespace

void get_status(Call& call) {
    Node& node = call.node();
    const Settings& settings = node.settings();
    const StoreHealth store = node.store().health();
    const SystemHealth storage{true,       store.connected,  store.healthy,
                               store.kind, store.latency_us, store.problem};
    const BusHealth told = node.bus().health();
    // Before the store was reached nobody knows what nodes sign with: they hear nothing yet.
    const bool hears = told.connected && (node.engine().hears_others() || !store.connected);
    const SystemHealth bus{
        true,      told.connected,  hears,
        told.kind, told.latency_us, told.connected && !hears ? kDeaf : told.problem};
    const bool websocket = settings.enable_websocket;
    const bool operational = store.healthy && hears && websocket && !node.draining();
    const std::int64_t now_ms = node.clock().wall_ms();
    const core::ProvenTime& time = node.engine().time();
    call.json([&](json::Writer& out) {
        out.object([&] {
            write(out.member("bus"), bus);
            out.member("clock").object("aheadMs", time.held_by_ms(), "believed",
                                       time.held_by_ms() == 0, "holdLeftMs", time.hold_left_ms());
            out.members("draining", node.draining(), "instanceId", node.instance_id(),
                        "isFullyOperational", operational);
            write(out.member("mongodb"), named(storage, settings.enable_mongodb));
            out.members("product", "dyad-memory", "realTimeEvents",
                        settings.enable_real_time_events);
            write(out.member("redis"), named(bus, settings.enable_redis));
            out.member("startedAt", node.started_at_ms());
            write(out.member("storage"), storage);
            out.members("timestamp", now_ms, "uptimeMs",
                        std::max<std::int64_t>(0, now_ms - node.started_at_ms()), "userId",
                        call.user(), "version", kVersion);
            out.member("websocket")
                .object("clientCount", node.live_client_count(), "enabled", websocket, "port",
                        node.port(), "running", websocket);
        });
    });
}

void list_instances(Call& call) {
    call.with_state([](Call& to, const SnapshotPtr& state) {
        to.node().engine().presence(to.user(),
                                    [call = to.shared_from_this(), state](const auto& present) {
                                        write_instances(*call, state->modes, present);
                                    });
    });
}

void list_modes(Call& call) {
    call.with_state([](Call& to, const SnapshotPtr& state) {
        to.json([&](json::Writer& out) { out.object("modes", state->modes); });
    });
}

void read_mode(Call& call) {
    call.with_state([](Call& to, const SnapshotPtr& state) {
        for (const ModeState& mode : state->modes)
            if (mode.instance_id == to.segments[1])
                return to.json([&](json::Writer& out) { write(out, mode); },
                               {{"ETag", entity_tag(mode.sync_version)}});
        to.problem(
            fail(Errc::not_found, "instance \"" + to.segments[1] + "\" has not said a mode"));
    });
}

void set_mode(Call& call) {
    // Its first mode makes the document.
    call.submit({.op = "mode.set", .instance_id = call.segments[1]},
                [](const Reply& reply) { return reply.version == 1 ? 201 : 200; });
}

void list_transitions(Call& call) {
    const Result<PageRequest> page = call.page();
    if (!page) return call.problem(page.error());
    const auto instance = call.query("instance");
    const Status named =
        instance ? check_name("instance", *instance, kInstanceName.bytes_max, kInstanceName.rule)
                 : Status(Done{});
    if (!named) return call.problem(named.error());
    call.node().store().transitions(
        call.user(), instance, *page,
        call.then([limit = page->limit](Call& to, const std::vector<Transition>& items) {
            to.page_of("transitions", items, limit,
                       [](json::Writer& out, const Transition& item) { write(out, item.state); });
        }));
}

}  // namespace dyad::server::rest
