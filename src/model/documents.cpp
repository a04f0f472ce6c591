// The JSON documents of the model: written in canonical form (members sorted), read back exactly.
#include "model/change.hpp"
#include "model/json_slices.hpp"
#include "model/json_text.hpp"

#include <utility>

namespace dyad {
namespace {

using json::Writer;
using json_slices::Object;

// About as many bytes as a document has, beside its strings of any length.
constexpr std::size_t kContextBytes = 320;
constexpr std::size_t kModeBytes = 512;
constexpr std::size_t kResponseBytes = 1024;
constexpr std::size_t kConflictBytes = 256;

// Absent stays absent; `null` is a value.
std::optional<std::string> raw_or_absent(const Object& object, std::string_view key) {
    const auto raw = object.raw(key);
    return raw ? std::optional<std::string>(*raw) : std::nullopt;
}
// Both absent and `null` are nothing.
std::optional<std::string> raw_unless_null(const Object& object, std::string_view key) {
    const auto raw = object.raw(key);
    return raw && *raw != "null" ? std::optional<std::string>(*raw) : std::nullopt;
}

Error damaged(const char* what) {
    return fail(Errc::storage_damaged, std::string("a stored ") + what + " is not well formed");
}

void write_source(Writer& out, const ResponseSource& source) {
    out.raw(R"({"confidence":)").real_or_null(source.confidence);
    out.raw(R"(,"costUsd":)").real_or_null(source.cost_usd);
    out.raw(R"(,"inputTokens":)").integer_or_null(source.input_tokens);
    out.raw(R"(,"mcpToolsUsed":)").strings(source.tools_used);
    out.raw(R"(,"model":)").string(source.model);
    out.raw(R"(,"outputTokens":)").integer_or_null(source.output_tokens);
    out.raw(R"(,"provider":)").string(source.provider);
    out.raw(R"(,"responseHash":)").string(source.response_hash);
    out.raw(R"(,"sourceType":")").raw(source_type_name(source.type));
    out.raw(R"(","timestamp":)").integer(source.timestamp_ms).raw("}");
}

std::optional<ResponseSource> read_source(std::string_view text) {
    const auto object = Object::read(text);
    if (!object) return std::nullopt;
    ResponseSource source;
    const auto type = source_type_by_name(object->string("sourceType").value_or(""));
    const auto timestamp = object->integer("timestamp");
    if (!type || !timestamp) return std::nullopt;
    source.type = *type;
    source.timestamp_ms = *timestamp;
    source.provider = object->string("provider").value_or("");
    source.model = object->string("model").value_or("");
    source.confidence = object->number("confidence");
    source.response_hash = object->string("responseHash").value_or("");
    source.tools_used = object->strings("mcpToolsUsed");
    source.input_tokens = object->integer("inputTokens");
    source.output_tokens = object->integer("outputTokens");
    source.cost_usd = object->number("costUsd");
    return source;
}

}  // namespace

void write(Writer& out, const Context& context) {
    out.expect(kContextBytes + context.key.size() + context.data.size());
    out.raw(R"({"contextKey":)").string(context.key);
    out.raw(R"(,"contextType":")").raw(context_type_name(context.type));
    out.raw(R"(","createdAt":)").integer(context.created_at_ms);
    out.raw(R"(,"createdBy":)").string(context.created_by);
    out.raw(R"(,"data":)").raw(context.data);
    if (context.deleted) out.raw(R"(,"deleted":true)");
    out.raw(R"(,"expiresAt":)").integer_or_null(context.expires_at_ms);
    if (context.expiry_fixed) out.raw(R"(,"expiryFixed":true)");
    out.raw(R"(,"lastModifiedBy":)").string(context.last_modified_by);
    out.raw(R"(,"mode":)").string(context.mode);
    out.raw(R"(,"offset":)").integer(context.offset);
    out.raw(R"(,"tags":)").strings(context.tags);
    out.raw(R"(,"updatedAt":)").integer(context.updated_at_ms);
    out.raw(R"(,"version":)").integer(context.version).raw("}");
}

void write_context(std::string& out, const Context& context) {
    Writer writer(out, 0);
    write(writer, context);
}

Result<Context> read_context(std::string_view text) {
    const auto object = Object::read(text);
    if (!object) return damaged("context");
    Context context;
    const auto key = object->string("contextKey");
    const auto type = context_type_by_name(object->string("contextType").value_or(""));
    const auto data = object->raw("data");
    const auto version = object->integer("version");
    if (!key || !type || !data || !version) return damaged("context");
    context.key = *key;
    context.type = *type;
    context.data = *data;
    context.version = static_cast<Version>(*version);
    context.mode = object->string("mode").value_or("");
    context.tags = object->strings("tags");
    context.created_by = object->string("createdBy").value_or("");
    context.last_modified_by = object->string("lastModifiedBy").value_or("");
    context.created_at_ms = object->integer("createdAt").value_or(0);
    context.updated_at_ms = object->integer("updatedAt").value_or(0);
    context.expires_at_ms = object->integer("expiresAt");
    context.expiry_fixed = object->is_true("expiryFixed");
    context.deleted = object->is_true("deleted");
    context.offset = static_cast<std::uint64_t>(object->integer("offset").value_or(0));
    return context;
}

namespace {

void write_mode_document(Writer& out, const ModeState& state,
                         const std::vector<std::string>& forgotten) {
    const Capabilities& can = capabilities_of(state.current);
    out.raw(R"({"activatedAt":)").integer(state.activated_at_ms);
    if (state.attempted) out.raw(R"(,"attemptedMode":)").string(mode_name(*state.attempted));
    out.raw(R"(,"capabilities":{"externalAI":)").boolean(can.external_ai);
    out.raw(R"(,"localAI":)").boolean(can.local_ai);
    out.raw(R"(,"multiChannel":)").boolean(can.multi_channel);
    out.raw(R"(,"offlineCapable":)").boolean(can.offline_capable);
    out.raw(R"(,"realTimeSync":)").boolean(can.real_time_sync);
    out.raw(R"(},"configuration":)").raw_or_null(state.configuration);
    out.raw(R"(,"contextSnapshot":)").raw_or_null(state.context_snapshot);
    out.raw(R"(,"currentMode":")").raw(mode_name(state.current));
    out.raw(R"(","errorMessage":)").string_or_null(state.error_message);
    if (!forgotten.empty()) out.raw(R"(,"forgotten":)").strings(forgotten);
    out.raw(R"(,"instanceId":)").string(state.instance_id);
    out.raw(R"(,"previousMode":)");
    if (state.previous)
        out.string(mode_name(*state.previous));
    else
        out.raw("null");
    out.raw(R"(,"success":)").boolean(state.success);
    out.raw(R"(,"syncVersion":)").integer(state.sync_version);
    out.raw(R"(,"transitionDuration":)").integer(state.transition_duration_ms);
    out.raw(R"(,"updatedAt":)").integer(state.updated_at_ms).raw("}");
}

}  // namespace

void write(Writer& out, const ModeState& state) {
    write_mode_document(out, state, {});
}

void write(Writer& out, const ModeChange& change) {
    write_mode_document(out, change.state, change.forgotten);
}

void write_mode(std::string& out, const ModeState& state) {
    Writer writer(out, kModeBytes);
    write(writer, state);
}

Result<ModeState> read_mode(std::string_view text) {
    const auto object = Object::read(text);
    if (!object) return damaged("mode");
    ModeState state;
    const auto instance = object->string("instanceId");
    const auto current = mode_by_name(object->string("currentMode").value_or(""));
    if (!instance || !current) return damaged("mode");
    state.instance_id = *instance;
    state.current = *current;
    state.previous = mode_by_name(object->string("previousMode").value_or(""));
    state.configuration = raw_unless_null(*object, "configuration");
    state.context_snapshot = raw_unless_null(*object, "contextSnapshot");
    state.activated_at_ms = object->integer("activatedAt").value_or(0);
    state.updated_at_ms = object->integer("updatedAt").value_or(0);
    state.sync_version = static_cast<std::uint64_t>(object->integer("syncVersion").value_or(0));
    state.transition_duration_ms = object->integer("transitionDuration").value_or(0);
    state.success = object->is_true("success");
    state.attempted = mode_by_name(object->string("attemptedMode").value_or(""));
    state.error_message = object->string("errorMessage");
    return state;
}

void write(Writer& out, const ResponseRecord& record) {
    out.raw(R"({"chatId":)").string(record.chat_id);
    out.raw(R"(,"final":)");
    write_source(out, record.final);
    out.raw(R"(,"instanceId":)").string(record.instance_id);
    out.raw(R"(,"messageId":)").string(record.message_id);
    out.raw(R"(,"metadata":{"externalProvider":)").string_or_null(record.external_provider);
    out.raw(R"(,"harmonizationStrategy":)").string_or_null(record.harmonization_strategy);
    out.raw(R"(,"localProvider":)").string_or_null(record.local_provider);
    out.raw(R"(},"mode":)").string(record.mode);
    out.raw(R"(,"offset":)").integer(record.offset);
    out.raw(R"(,"sources":[)");
    for (const ResponseSource& source : record.sources) {
        if (&source != record.sources.data()) out.raw(",");
        write_source(out, source);
    }
    out.raw(R"(],"timestamp":)").integer(record.timestamp_ms).raw("}");
}

void write_response(std::string& out, const ResponseRecord& record) {
    Writer writer(out, kResponseBytes);
    write(writer, record);
}

Result<ResponseRecord> read_response(std::string_view text) {
    const auto object = Object::read(text);
    if (!object) return damaged("response");
    ResponseRecord record;
    const auto chat = object->string("chatId");
    const auto message = object->string("messageId");
    const auto final = object->raw("final") ? read_source(*object->raw("final")) : std::nullopt;
    const auto sources =
        object->raw("sources") ? json_slices::elements(*object->raw("sources")) : std::nullopt;
    if (!chat || !message || !final || !sources) return damaged("response");
    record.chat_id = *chat;
    record.message_id = *message;
    record.final = *final;
    for (std::string_view item : *sources) {
        auto source = read_source(item);
        if (!source) return damaged("response");
        record.sources.push_back(std::move(*source));
    }
    record.instance_id = object->string("instanceId").value_or("");
    record.mode = object->string("mode").value_or("");
    record.timestamp_ms = object->integer("timestamp").value_or(0);
    record.offset = static_cast<std::uint64_t>(object->integer("offset").value_or(0));
    if (const auto raw = object->raw("metadata")) {
        if (const auto meta = Object::read(*raw)) {
            record.local_provider = meta->string("localProvider");
            record.external_provider = meta->string("externalProvider");
            record.harmonization_strategy = meta->string("harmonizationStrategy");
        }
    }
    return record;
}

void write(Writer& out, const Conflict& conflict) {
    out.raw("{");
    if (conflict.base) out.raw(R"("base":)").raw(*conflict.base).raw(",");
    out.raw(R"("contextKey":)").string(conflict.context_key);
    out.raw(R"(,"id":)").string(conflict.id);
    if (conflict.incoming) out.raw(R"(,"incoming":)").raw(*conflict.incoming);
    out.raw(R"(,"incomingFrom":)").string(conflict.incoming_from);
    out.raw(R"(,"path":)").string(conflict.path);
    out.raw(R"(,"recordedAt":)").integer(conflict.recorded_at_ms);
    if (conflict.stored) out.raw(R"(,"stored":)").raw(*conflict.stored);
    out.raw(R"(,"version":)").integer(conflict.version).raw("}");
}

void write_conflict(std::string& out, const Conflict& conflict) {
    Writer writer(out, kConflictBytes);
    write(writer, conflict);
}

Result<Conflict> read_conflict(std::string_view text) {
    const auto object = Object::read(text);
    if (!object) return damaged("conflict");
    Conflict conflict;
    const auto id = object->string("id");
    const auto key = object->string("contextKey");
    const auto path = object->string("path");
    if (!id || !key || !path) return damaged("conflict");
    conflict.id = *id;
    conflict.context_key = *key;
    conflict.path = *path;
    conflict.base = raw_or_absent(*object, "base");
    conflict.stored = raw_or_absent(*object, "stored");
    conflict.incoming = raw_or_absent(*object, "incoming");
    conflict.incoming_from = object->string("incomingFrom").value_or("");
    conflict.version = static_cast<Version>(object->integer("version").value_or(0));
    conflict.recorded_at_ms = object->integer("recordedAt").value_or(0);
    return conflict;
}

}  // namespace dyad
