// The documents of existing instances, written as they know them (wire.md 1.4): all times are
// integer milliseconds.
#include "model/json_text.hpp"
#include "wire/frames.hpp"

namespace dyad::wire {
namespace {

using json::append_integer;
using json::append_string;

void member(std::string& out, std::string_view name, std::string_view value) {
    out.append(",\"").append(name).append("\":");
    append_string(out, value);
}
template <class Integer>
void number(std::string& out, std::string_view name, Integer value) {
    out.append(",\"").append(name).append("\":");
    append_integer(out, value);
}
void truth(std::string& out, std::string_view name, bool value) {
    out.append(",\"").append(name).append(value ? "\":true" : "\":false");
}
void raw_or_null(std::string& out, std::string_view name, const std::optional<std::string>& json) {
    out.append(",\"").append(name).append("\":");
    out.append(json ? std::string_view(*json) : std::string_view("null"));
}

}  // namespace

void write_context_document(std::string& out, std::string_view user_id, const Context& context) {
    out.append("{\"userId\":");
    append_string(out, user_id);
    member(out, "contextKey", context.key);
    member(out, "contextType", context_type_name(context.type));
    member(out, "mode", context.mode);
    out.append(",\"data\":").append(context.data);
    out.append(",\"metadata\":{\"createdBy\":");
    append_string(out, context.created_by);
    member(out, "lastModifiedBy", context.last_modified_by);
    number(out, "version", context.version);
    out.append(",\"tags\":[");
    for (const std::string& tag : context.tags) {
        if (&tag != context.tags.data()) out += ',';
        append_string(out, tag);
    }
    out.append("]}");
    number(out, "createdAt", context.created_at_ms);
    number(out, "updatedAt", context.updated_at_ms);
    if (context.expires_at_ms)
        number(out, "expiresAt", *context.expires_at_ms);
    else
        out.append(",\"expiresAt\":null");
    out += '}';
}

void write_mode_document(std::string& out, std::string_view user_id, const ModeState& state) {
    const Capabilities& can = capabilities_of(state.current);
    out.append("{\"userId\":");
    append_string(out, user_id);
    member(out, "instanceId", state.instance_id);
    member(out, "currentMode", mode_name(state.current));
    if (state.previous)
        member(out, "previousMode", mode_name(*state.previous));
    else
        out.append(",\"previousMode\":null");
    out.append(",\"capabilities\":{\"localAI\":").append(can.local_ai ? "true" : "false");
    truth(out, "externalAI", can.external_ai);
    truth(out, "multiChannel", can.multi_channel);
    truth(out, "offlineCapable", can.offline_capable);
    truth(out, "realTimeSync", can.real_time_sync);
    out += '}';
    raw_or_null(out, "configuration", state.configuration);
    number(out, "activatedAt", state.activated_at_ms);
    number(out, "updatedAt", state.updated_at_ms);
    number(out, "syncVersion", state.sync_version);
    out += '}';
}

}  // namespace dyad::wire
