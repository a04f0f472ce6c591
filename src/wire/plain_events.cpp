// The messages and documents of existing instances, written as they know them (wire.md 1.4): all
// times are integer milliseconds.
#include "wire/plain_events.hpp"

#include "base/bytes.hpp"
#include "model/json_text.hpp"
#include "wire/frames.hpp"

#include <array>
#include <cstring>
#include <span>

namespace dyad::wire {
namespace {

using json::Writer;

// About as many bytes as a message has, beside what can be of any length.
constexpr std::size_t kMessageBytes = 352;

void write_payload(Writer& out, const Context& context) {
    out.object([&] {
        out.member("contextKey", context.key);
        out.member("contextType", context.type);
        out.member("data").raw(context.data);
        out.member("version", context.version);
        out.member("mergeStrategy").raw("\"replace\"");
        if (context.deleted) out.member("deleted", true);
    });
}

// Existing clients name the modes in one way, existing servers in another: all four names.
void write_payload(Writer& out, const ModeState& state) {
    out.object([&] {
        out.members("currentMode", state.current, "previousMode", state.previous, "fromMode",
                    state.previous, "toMode", state.current);
        if (state.configuration) out.member("configuration").raw(*state.configuration);
    });
}

}  // namespace

std::array<char, 36> plain_event_id(const EventOrigin& origin) {
    char hash[16];
    write_hex(std::span(origin.hash).first(8), hash);
    std::array<char, 36> id;
    std::memcpy(id.data(), "hhhhhhhh-hhhh-4hhh-8000-000000000000", id.size());
    std::memcpy(id.data(), hash, 8);
    std::memcpy(id.data() + 9, hash + 8, 4);
    std::memcpy(id.data() + 15, hash + 12, 3);
    Offset rest = origin.offset;
    for (std::size_t i = id.size() - 1; rest != 0 && i > 19; --i) {
        if (i == 23) continue;
        id[i] = "0123456789abcdef"[rest & 15];
        rest >>= 4;
    }
    return id;
}

void write_plain_event(std::string& out, std::string_view user_id, const EventOrigin& origin,
                       const Change& change) {
    // The plain protocol has no names for responses and mcp events.
    const auto* context = std::get_if<ContextChange>(&change);
    const auto* mode = std::get_if<ModeChange>(&change);
    if (context == nullptr && mode == nullptr) return;
    TextFrame text(out, kMessageBytes + (context != nullptr ? context->context->data.size() : 0));
    const std::array<char, 36> id = plain_event_id(origin);
    write_envelope(text,
                   {.instance_id = origin.source_instance_id,
                    .user_id = user_id,
                    .now_ms = origin.timestamp_ms},
                   context != nullptr ? "context-sync" : "mode-update", {id.data(), id.size()});
    if (context != nullptr)
        write_payload(text, *context->context);
    else
        write_payload(text, mode->state);
    text.raw("}");
}

void write_plain_context(std::string& out, const Speaker& from, std::string_view id,
                         const Context& context) {
    TextFrame text(out, kMessageBytes + context.data.size());
    write_envelope(text, from, "context-sync", id);
    write_payload(text, context);
    text.raw("}");
}

void write_context_document(std::string& out, std::string_view user_id, const Context& context) {
    Writer text(out, kMessageBytes + context.data.size());
    text.object([&] {
        text.members("userId", user_id, "contextKey", context.key, "contextType", context.type,
                     "mode", context.mode, "data", json::Raw{context.data});
        text.member("metadata")
            .object("createdBy", context.created_by, "lastModifiedBy", context.last_modified_by,
                    "version", context.version, "tags", context.tags);
        text.members("createdAt", context.created_at_ms, "updatedAt", context.updated_at_ms,
                     "expiresAt", context.expires_at_ms);
    });
}

void write_mode_document(std::string& out, std::string_view user_id, const ModeState& state) {
    const Capabilities can = capabilities_of(state.current);
    Writer text(out, kMessageBytes);
    text.object([&] {
        text.members("userId", user_id, "instanceId", state.instance_id, "currentMode",
                     state.current, "previousMode", state.previous);
        text.member("capabilities")
            .object("localAI", can.local_ai, "externalAI", can.external_ai, "multiChannel",
                    can.multi_channel, "offlineCapable", can.offline_capable, "realTimeSync",
                    can.real_time_sync);
        text.member("configuration").raw_or_null(state.configuration);
        text.members("activatedAt", state.activated_at_ms, "updatedAt", state.updated_at_ms,
                     "syncVersion", state.sync_version);
    });
}

}  // namespace dyad::wire
