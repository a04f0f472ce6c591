#include "server/mcp/product/value.hpp"

#include "base/limits.hpp"
#include "model/time_text.hpp"
#include "net/http.hpp"

namespace dyad::server::mcp {

std::string uri_of(std::string_view key) {
    return "memory://contexts/" + net::percent_encode(key);
}

void write_provenance(json::Writer& out, const Context& context) {
    out.object([&] {
        out.members("written_by", context.last_modified_by, "written_at",
                    write_time(context.updated_at_ms));
        if (const auto& said = context.provenance) {
            out.members("kind", said->kind, "trust", said->trust);
            if (!said->model.empty()) out.member("model", said->model);
        }
        out.members("created_by", context.created_by, "created_at",
                    write_time(context.created_at_ms));
    });
}

void write_members(json::Writer& out, const Context& context, bool with_data) {
    out.members("key", context.key, "version", context.version, "type", context.type, "tags",
                context.tags);
    if (context.expires_at_ms) out.member("expires_at", write_time(*context.expires_at_ms));
    if (context.deleted)
        out.member("deleted", true);
    else if (with_data)
        out.member("value", json::Raw{context.data});
    else
        out.member("bytes", context.data.size());
    write_provenance(out.member("provenance"), context);
}

void write_value(json::Writer& out, const Context& context, bool with_data) {
    out.object([&] { write_members(out, context, with_data); });
}

void write_mode_members(json::Writer& out, const ModeState& state) {
    const Capabilities can = capabilities_of(state.current);
    out.members("instance", state.instance_id, "mode", state.current, "previous", state.previous,
                "version", state.sync_version, "since", write_time(state.activated_at_ms));
    out.member("capabilities")
        .object("local_ai", can.local_ai, "external_ai", can.external_ai, "multi_channel",
                can.multi_channel, "offline_capable", can.offline_capable, "real_time_sync",
                can.real_time_sync);
}

void write_claim_members(json::Writer& out, const Claim& claim) {
    out.members("resource", claim.resource, "holder", claim.instance_id, "token", claim.token);
    if (!claim.session.empty()) out.member("session", claim.session);
    if (!claim.note.empty()) out.member("note", claim.note);
    out.members("granted_at", write_time(claim.granted_at_ms), "expires_at",
                write_time(claim.expires_at_ms));
}

bool page_is_full(const json::Writer& out) noexcept {
    return out.size() >= static_cast<std::size_t>(limits::mcp_page_bytes_max);
}

}  // namespace dyad::server::mcp
