// /status, /instances, /modes and /transitions.
#include "model/change.hpp"
#include "server/naming.hpp"
#include "server/rest/call.hpp"
#include "server/version.hpp"

#include <algorithm>
#include <map>

namespace dyad::server::rest {
namespace {

// What existing code looks for, and what is asked for though this version does not have it.
void write_missing(json::Writer& out, bool enabled, std::string_view problem) {
    out.raw("{\"connected\":false,\"enabled\":").value(enabled).raw(",\"healthy\":false");
    if (enabled) out.raw(",\"problem\":").string(problem);
    out.raw("}");
}

void write_clock(json::Writer& out, const core::ProvenTime& time) {
    out.raw("{\"aheadMs\":").integer(time.held_by_ms());
    out.raw(",\"believed\":").value(time.held_by_ms() == 0);
    out.raw(",\"holdLeftMs\":").integer(time.hold_left_ms()).raw("}");
}

void write_storage(json::Writer& out, const StoreHealth& storage) {
    out.raw("{\"connected\":").value(storage.connected);
    out.raw(",\"enabled\":true,\"healthy\":").value(storage.healthy);
    out.raw(",\"kind\":").string(storage.kind);
    out.raw(",\"latencyMs\":").real(static_cast<double>(storage.latency_us) / 1000);
    if (!storage.problem.empty()) out.raw(",\"problem\":").string(storage.problem);
    out.raw("}");
}

void write_presence(json::Writer& out, const Presence& presence) {
    out.raw("{\"connectedAt\":").integer(presence.connected_at_ms);
    out.raw(",\"connections\":").integer(presence.connections);
    out.raw(",\"lastSeen\":").integer(presence.last_seen_ms).raw("}");
}

void write_instances(Call& call, const std::vector<ModeState>& modes,
                     const std::vector<Presence>& present) {
    struct Instance {
        const ModeState* mode = nullptr;
        const Presence* presence = nullptr;
    };
    std::map<std::string_view, Instance> instances;
    for (const ModeState& mode : modes)
        instances[mode.instance_id].mode = &mode;
    for (const Presence& presence : present)
        instances[presence.instance_id].presence = &presence;
    call.list("instances", instances, [](json::Writer& out, const auto& entry) {
        const Instance& instance = entry.second;
        out.raw("{\"instanceId\":").string(entry.first).raw(",\"mode\":");
        if (instance.mode != nullptr)
            write(out, *instance.mode);
        else
            out.raw("null");
        out.raw(",\"presence\":");
        if (instance.presence != nullptr)
            write_presence(out, *instance.presence);
        else
            out.raw("null");
        out.raw("}");
    });
}

}  // namespace

void get_status(Call& call) {
    Node& node = call.node();
    const Settings& settings = node.settings();
    const StoreHealth storage = node.store().health();
    const bool websocket = settings.enable_websocket;
    const bool bus = node.engine().hears_others();
    const bool missing = settings.enable_mongodb || settings.enable_redis;
    const bool operational = storage.healthy && bus && websocket && !missing && !node.draining();
    const std::int64_t now_ms = node.clock().wall_ms();
    call.json([&](json::Writer& out) {
        out.raw("{\"bus\":{\"connected\":").value(bus).raw(",\"enabled\":true,\"healthy\":");
        out.value(bus).raw(",\"kind\":\"local\"},\"clock\":");
        write_clock(out, node.engine().time());
        out.raw(",\"draining\":").value(node.draining());
        out.raw(",\"instanceId\":").string(node.instance_id());
        out.raw(",\"isFullyOperational\":").value(operational).raw(",\"mongodb\":");
        write_missing(out, settings.enable_mongodb,
                      "not part of this version: the memory is kept in the embedded store");
        out.raw(",\"product\":\"dyad-memory\",\"realTimeEvents\":");
        out.value(settings.enable_real_time_events).raw(",\"redis\":");
        write_missing(out, settings.enable_redis,
                      "not part of this version: only clients of this server hear of changes");
        out.raw(",\"startedAt\":").integer(node.started_at_ms()).raw(",\"storage\":");
        write_storage(out, storage);
        out.raw(",\"timestamp\":").integer(now_ms);
        out.raw(",\"uptimeMs\":");
        out.integer(std::max<std::int64_t>(0, now_ms - node.started_at_ms()));
        out.raw(",\"userId\":").string(call.user());
        out.raw(",\"version\":").string(kVersion);
        out.raw(",\"websocket\":{\"clientCount\":").integer(node.live_client_count());
        out.raw(",\"enabled\":").value(websocket).raw(",\"port\":").integer(node.port());
        out.raw(",\"running\":").value(websocket).raw("}}");
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
        to.list("modes", state->modes,
                [](json::Writer& out, const ModeState& mode) { write(out, mode); });
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
