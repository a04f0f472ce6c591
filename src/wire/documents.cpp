// The documents of existing instances, written as they know them (wire.md 1.4): all times are
// integer milliseconds.
#include "wire/frames.hpp"

namespace dyad::wire {
namespace {

// About as many bytes as a document has, beside what can be of any length.
constexpr std::size_t kDocumentBytes = 512;

}  // namespace

void write_context_document(std::string& out, std::string_view user_id, const Context& context) {
    json::Writer text(out, kDocumentBytes + context.data.size());
    text.object([&] {
        text.member("userId", user_id);
        text.member("contextKey", context.key);
        text.member("contextType", context_type_name(context.type));
        text.member("mode", context.mode);
        text.member("data").raw(context.data);
        text.member("metadata").object([&] {
            text.member("createdBy", context.created_by);
            text.member("lastModifiedBy", context.last_modified_by);
            text.member("version", context.version);
            text.member("tags", context.tags);
        });
        text.member("createdAt", context.created_at_ms);
        text.member("updatedAt", context.updated_at_ms);
        text.member("expiresAt", context.expires_at_ms);
    });
}

void write_mode_document(std::string& out, std::string_view user_id, const ModeState& state) {
    const Capabilities& can = capabilities_of(state.current);
    json::Writer text(out, kDocumentBytes);
    text.object([&] {
        text.member("userId", user_id);
        text.member("instanceId", state.instance_id);
        text.member("currentMode", mode_name(state.current));
        text.member("previousMode", mode_name_or_none(state.previous));
        text.member("capabilities").object([&] {
            text.member("localAI", can.local_ai);
            text.member("externalAI", can.external_ai);
            text.member("multiChannel", can.multi_channel);
            text.member("offlineCapable", can.offline_capable);
            text.member("realTimeSync", can.real_time_sync);
        });
        text.member("configuration").raw_or_null(state.configuration);
        text.member("activatedAt", state.activated_at_ms);
        text.member("updatedAt", state.updated_at_ms);
        text.member("syncVersion", state.sync_version);
    });
}

}  // namespace dyad::wire
