#include "wire/plain_events.hpp"

#include "base/bytes.hpp"
#include "model/json_slices.hpp"
#include "model/json_text.hpp"
#include "wire/frames.hpp"

#include <cstring>
#include <optional>
#include <span>

namespace dyad::wire {
namespace {

using json::append_string;
using json_slices::append_integer;

// "hhhhhhhh-hhhh-4hhh-8ooo-oooooooooooo" of the hash and the offset.
void append_id(std::string& out, const EventOrigin& origin) {
    char hash[16];
    write_hex(std::span(origin.hash).first(8), hash);
    char id[36];
    std::memcpy(id, "hhhhhhhh-hhhh-4hhh-8ooo-oooooooooooo", sizeof id);
    std::memcpy(id, hash, 8);
    std::memcpy(id + 9, hash + 8, 4);
    std::memcpy(id + 15, hash + 12, 3);
    Offset rest = origin.offset;
    for (std::size_t i = 35; i > 19; --i) {
        if (i == 23) continue;
        id[i] = "0123456789abcdef"[rest & 15];
        rest >>= 4;
    }
    out.append(id, sizeof id);
}

void open(std::string& out, std::string_view type, std::string_view user_id,
          const EventOrigin& origin) {
    out.append("{\"id\":\"");
    append_id(out, origin);
    out.append("\",\"type\":\"").append(type).append("\",\"userId\":");
    append_string(out, user_id);
    out.append(",\"instanceId\":");
    append_string(out, origin.source_instance_id);
    out.append(",\"timestamp\":");
    append_integer(out, origin.timestamp_ms);
    out.append(",\"payload\":{");
}

void write_context_sync(std::string& out, std::string_view user_id, const EventOrigin& origin,
                        const Context& context) {
    TextFrame frame(out);
    open(out, "context-sync", user_id, origin);
    out.append("\"contextKey\":");
    append_string(out, context.key);
    out.append(",\"contextType\":\"").append(context_type_name(context.type));
    out.append("\",\"data\":").append(context.data);
    out.append(",\"version\":");
    append_integer(out, context.version);
    out.append(",\"mergeStrategy\":\"replace\"");
    if (context.deleted) out.append(",\"deleted\":true");
    out.append("}}");
    frame.finish();
}

// Existing clients name the modes in one way, existing servers in another: all four names.
void write_mode_update(std::string& out, std::string_view user_id, const EventOrigin& origin,
                       const ModeState& state) {
    const auto append_mode = [&out](std::string_view name, std::optional<Mode> mode) {
        out.append("\"").append(name).append("\":");
        if (mode)
            out.append("\"").append(mode_name(*mode)).append("\"");
        else
            out.append("null");
    };
    TextFrame frame(out);
    open(out, "mode-update", user_id, origin);
    append_mode("currentMode", state.current);
    out += ',';
    append_mode("previousMode", state.previous);
    out += ',';
    append_mode("fromMode", state.previous);
    out += ',';
    append_mode("toMode", state.current);
    if (state.configuration) out.append(",\"configuration\":").append(*state.configuration);
    out.append("}}");
    frame.finish();
}

}  // namespace

void write_plain_event(std::string& out, std::string_view user_id, const EventOrigin& origin,
                       const Change& change) {
    // The plain protocol has no names for responses and mcp events.
    if (const auto* context = std::get_if<ContextChange>(&change))
        write_context_sync(out, user_id, origin, *context->context);
    else if (const auto* mode = std::get_if<ModeChange>(&change))
        write_mode_update(out, user_id, origin, mode->state);
}

}  // namespace dyad::wire
