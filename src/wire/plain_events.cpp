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

void write_envelope(Writer& out, std::string_view type, std::string_view user_id,
                    const EventOrigin& origin) {
    const std::array<char, 36> id = id_of(origin);
    out.raw(R"({"id":")").raw(std::string_view(id.data(), id.size()));
    out.raw(R"(","type":")").raw(type);
    out.raw(R"(","userId":)").string(user_id);
    out.raw(R"(,"instanceId":)").string(origin.source_instance_id);
    out.raw(R"(,"timestamp":)").integer(origin.timestamp_ms);
    out.raw(R"(,"payload":)");
}

void write_payload(Writer& out, const Context& context) {
    out.object([&] {
        out.member("contextKey", context.key);
        out.member("contextType").word(context_type_name(context.type));
        out.member("data").raw(context.data);
        out.member("version", context.version);
        out.member("mergeStrategy").raw(R"("replace")");
        if (context.deleted) out.member("deleted", true);
    });
}

// Existing clients name the modes in one way, existing servers in another: all four names.
void write_payload(Writer& out, const ModeState& state) {
    out.object([&] {
        out.member("currentMode", mode_name(state.current));
        out.member("previousMode", mode_name_or_none(state.previous));
        out.member("fromMode", mode_name_or_none(state.previous));
        out.member("toMode", mode_name(state.current));
        if (state.configuration) out.member("configuration").raw(*state.configuration);
    });
}

}  // namespace

void write_plain_event(std::string& out, std::string_view user_id, const EventOrigin& origin,
                       const Change& change) {
    // The plain protocol has no names for responses and mcp events.
    const auto* context = std::get_if<ContextChange>(&change);
    const auto* mode = std::get_if<ModeChange>(&change);
    if (context == nullptr && mode == nullptr) return;
    TextFrame frame(out, kMessageBytes + (context != nullptr ? context->context->data.size() : 0));
    Writer& text = frame.text();
    write_envelope(text, context != nullptr ? "context-sync" : "mode-update", user_id, origin);
    if (context != nullptr)
        write_payload(text, *context->context);
    else
        write_payload(text, mode->state);
    text.raw("}");
}

void write_plain_context(std::string& out, const Speaker& from, std::string_view id,
                         const Context& context) {
    TextFrame frame(out, kMessageBytes + context.data.size());
    write_envelope(frame.text(), from, "context-sync", id);
    write_payload(frame.text(), context);
    frame.text().raw("}");
}

}  // namespace dyad::wire
