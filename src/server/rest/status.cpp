// /status, /instances, /modes and /transitions.
#include "model/change.hpp"
#include "model/identity.hpp"
#include "model/json.hpp"
#include "model/json_text.hpp"
#include "server/rest/call.hpp"
#include "server/version.hpp"

#include <algorithm>
#include <map>

namespace dyad::server::rest {
namespace {

std::string_view yes_no(bool value) {
    return value ? "true" : "false";
}

void write_presence(std::string& out, const Presence& presence) {
    out.append("{\"connectedAt\":").append(std::to_string(presence.connected_at_ms));
    out.append(",\"connections\":").append(std::to_string(presence.connections));
    out.append(",\"lastSeen\":").append(std::to_string(presence.last_seen_ms)).append("}");
}

// What existing code looks for, and what is asked for though this version does not have it.
void write_missing(std::string& out, std::string_view name, bool enabled,
                   std::string_view problem) {
    out.append(",\"").append(name).append("\":{\"connected\":false,\"enabled\":");
    out.append(yes_no(enabled)).append(",\"healthy\":false");
    if (enabled) out.append(",\"problem\":\"").append(problem).append("\"");
    out += '}';
}

void write_instances(const CallPtr& call, const std::vector<ModeState>& modes,
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
    std::string out = "{\"instances\":[";
    bool first = true;
    for (const auto& [id, instance] : instances) {
        if (!std::exchange(first, false)) out += ',';
        out.append("{\"instanceId\":");
        json::append_string(out, id);
        out.append(",\"mode\":");
        if (instance.mode != nullptr)
            write_mode(out, *instance.mode);
        else
            out.append("null");
        out.append(",\"presence\":");
        if (instance.presence != nullptr)
            write_presence(out, *instance.presence);
        else
            out.append("null");
        out += '}';
    }
    call->json(out.append("]}"));
}

void set_mode(const CallPtr& call, const std::string& instance) {
    // Its first mode makes the document.
    call->submit({.op = "mode.set", .instance_id = instance}, [call](const Reply& reply) {
        call->written(reply, reply.version == 1 ? 201 : 200);
    });
}

}  // namespace

void get_status(const CallPtr& call) {
    if (const Status known = call->check_query({}); !known) return call->problem(known.error());
    Node& node = call->node();
    const StoreHealth storage = node.store().health();
    const bool websocket = node.settings().enable_websocket;
    const bool bus = node.engine().hears_others();
    const bool missing = node.settings().enable_mongodb || node.settings().enable_redis;
    const bool operational = storage.healthy && bus && websocket && !missing && !node.draining();
    std::string out = "{\"bus\":{\"connected\":";
    out.append(yes_no(bus)).append(",\"enabled\":true,\"healthy\":").append(yes_no(bus));
    const core::ProvenTime& time = node.engine().time();
    out.append(",\"kind\":\"local\"},\"clock\":{\"aheadMs\":")
        .append(std::to_string(time.held_by_ms()));
    out.append(",\"believed\":").append(yes_no(time.held_by_ms() == 0));
    out.append(",\"holdLeftMs\":").append(std::to_string(time.hold_left_ms()));
    out.append("},\"draining\":").append(yes_no(node.draining()));
    out.append(",\"instanceId\":");
    json::append_string(out, node.instance_id());
    out.append(",\"isFullyOperational\":").append(yes_no(operational));
    write_missing(out, "mongodb", node.settings().enable_mongodb,
                  "not part of this version: the memory is kept in the embedded store");
    out.append(R"(,"product":"dyad-memory","realTimeEvents":)");
    out.append(yes_no(node.settings().enable_real_time_events));
    write_missing(out, "redis", node.settings().enable_redis,
                  "not part of this version: only clients of this server hear of changes");
    out.append(",\"startedAt\":").append(std::to_string(node.started_at_ms()));
    out.append(",\"storage\":{\"connected\":").append(yes_no(storage.connected));
    out.append(",\"enabled\":true,\"healthy\":").append(yes_no(storage.healthy));
    out.append(",\"kind\":");
    json::append_string(out, storage.kind);
    out.append(",\"latencyMs\":");
    out.append(json::canonical(json::Value(static_cast<double>(storage.latency_us) / 1000)));
    if (!storage.problem.empty()) {
        out.append(",\"problem\":");
        json::append_string(out, storage.problem);
    }
    out.append("},\"timestamp\":").append(std::to_string(node.clock().wall_ms()));
    out.append(",\"uptimeMs\":");
    out.append(
        std::to_string(std::max<std::int64_t>(0, node.clock().wall_ms() - node.started_at_ms())));
    out.append(",\"userId\":");
    json::append_string(out, call->user());
    out.append(",\"version\":\"").append(kVersion).append("\"");
    out.append(",\"websocket\":{\"clientCount\":");
    out.append(std::to_string(node.live_client_count())).append(",\"enabled\":");
    out.append(yes_no(websocket)).append(",\"port\":").append(std::to_string(node.port()));
    out.append(",\"running\":").append(yes_no(websocket)).append("}}");
    call->json(std::move(out));
}

void get_instances(const CallPtr& call) {
    if (const Status known = call->check_query({}); !known) return call->problem(known.error());
    call->node().engine().snapshot(
        call->user(), [call](Result<std::shared_ptr<const core::Snapshot>> snapshot) {
            if (!snapshot) return call->problem(snapshot.error());
            call->node().engine().presence(call->user(), [call, modes = *std::move(snapshot)](
                                                             const std::vector<Presence>& present) {
                write_instances(call, modes->modes, present);
            });
        });
}

void modes(const CallPtr& call) {
    const std::vector<std::string>& path = call->segments;
    const std::string& method = call->request().method;
    const bool reading = method == "GET" || method == "HEAD";
    if (path.size() > 2) return call->problem(fail(Errc::not_found, "there is no such path"));
    if (path.size() == 2)
        if (const Status good =
                check_name("instanceId", path[1], limits::instance_id_bytes_max, NameRule::label);
            !good)
            return call->problem(good.error());
    if (path.size() == 2 && method == "PUT") return set_mode(call, path[1]);
    if (!reading) return wrong_method(call, path.size() == 2 ? "GET, HEAD, PUT" : "GET, HEAD");
    if (const Status known = call->check_query({}); !known) return call->problem(known.error());
    call->node().engine().snapshot(
        call->user(), [call](Result<std::shared_ptr<const core::Snapshot>> snapshot) {
            if (!snapshot) return call->problem(snapshot.error());
            const bool one = call->segments.size() == 2;
            std::string out = "{\"modes\":[";
            bool first = true;
            for (const ModeState& mode : (*snapshot)->modes) {
                if (one && mode.instance_id != call->segments[1]) continue;
                if (one) {
                    std::string document;
                    write_mode(document, mode);
                    return call->json(std::move(document),
                                      {{"ETag", entity_tag(mode.sync_version)}});
                }
                if (!std::exchange(first, false)) out += ',';
                write_mode(out, mode);
            }
            if (one)
                return call->problem(fail(
                    Errc::not_found, "instance \"" + call->segments[1] + "\" has not said a mode"));
            call->json(out.append("]}"));
        });
}

void transitions(const CallPtr& call) {
    if (const Status known = call->check_query({"instance", "before", "limit"}); !known)
        return call->problem(known.error());
    const Result<PageRequest> page = call->page();
    if (!page) return call->problem(page.error());
    call->node().store().transitions(
        call->user(), call->query("instance"), *page,
        [call, limit = page->limit](Result<std::vector<Transition>> list) {
            if (!list) return call->problem(list.error());
            call->page_of("transitions", *list, limit,
                          [](std::string& out, const Transition& transition) {
                              write_mode(out, transition.state);
                          });
        });
}

}  // namespace dyad::server::rest
