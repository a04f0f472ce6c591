#include "wire/plain_events.hpp"

#include "base/bytes.hpp"
#include "model/json_text.hpp"
#include "wire/frames.hpp"

#include <array>
#include <cstring>
#include <optional>
#include <span>

namespace dyad::wire {
namespace {

using json::Writer;

// About as many bytes as a message has, beside what can be of any length.
constexpr std::size_t kMessageBytes = 352;

// "hhhhhhhh-hhhh-4hhh-8ooo-oooooooooooo" of the hash and the offset.
std::array<char, 36> id_of(const EventOrigin& origin) {
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

void open(Writer& out, std::string_view type, std::string_view user_id, const EventOrigin& origin) {
    const std::array<char, 36> id = id_of(origin);
    out.raw(R"({"id":")").raw(std::string_view(id.data(), id.size()));
    out.raw(R"(","type":")").raw(type);
    out.raw(R"(","userId":)").string(user_id);
    out.raw(R"(,"instanceId":)").string(origin.source_instance_id);
    out.raw(R"(,"timestamp":)").integer(origin.timestamp_ms);
    out.raw(R"(,"payload":{)");
}

void write_context(Writer& out, const Context& context) {
    out.raw(R"("contextKey":)").string(context.key);
    out.raw(R"(,"contextType":")").raw(context_type_name(context.type));
    out.raw(R"(","data":)").raw(context.data);
    out.raw(R"(,"version":)").integer(context.version);
    out.raw(R"(,"mergeStrategy":"replace")");
    if (context.deleted) out.raw(R"(,"deleted":true)");
}

// Existing clients name the modes in one way, existing servers in another: all four names.
void write_mode_update(Writer& out, std::string_view user_id, const EventOrigin& origin,
                       const ModeState& state) {
    const auto mode_or_null = [&out](std::optional<Mode> mode) {
        if (mode)
            out.string(mode_name(*mode));
        else
            out.raw("null");
    };
    open(out, "mode-update", user_id, origin);
    out.raw(R"("currentMode":)").string(mode_name(state.current));
    out.raw(R"(,"previousMode":)");
    mode_or_null(state.previous);
    out.raw(R"(,"fromMode":)");
    mode_or_null(state.previous);
    out.raw(R"(,"toMode":)").string(mode_name(state.current));
    if (state.configuration) out.raw(R"(,"configuration":)").raw(*state.configuration);
    out.raw("}}");
}

}  // namespace

void write_plain_event(std::string& out, std::string_view user_id, const EventOrigin& origin,
                       const Change& change) {
    // The plain protocol has no names for responses and mcp events.
    if (const auto* context = std::get_if<ContextChange>(&change)) {
        TextFrame frame(out, kMessageBytes + context->context->data.size());
        open(frame.text(), "context-sync", user_id, origin);
        write_context(frame.text(), *context->context);
        frame.text().raw("}}");
    } else if (const auto* mode = std::get_if<ModeChange>(&change)) {
        TextFrame frame(out, kMessageBytes);
        write_mode_update(frame.text(), user_id, origin, mode->state);
    }
}

void write_plain_context(std::string& out, const Speaker& from, std::string_view id,
                         const Context& context) {
    TextFrame frame(out, kMessageBytes + context.data.size());
    write_envelope(frame.text(), from, "context-sync", id);
    frame.text().raw("{");
    write_context(frame.text(), context);
    frame.text().raw("}}");
}

}  // namespace dyad::wire
