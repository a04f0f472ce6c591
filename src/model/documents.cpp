// The JSON documents of the model: written in canonical form (members sorted), read back exactly.
#include "model/change.hpp"
#include "model/json_slices.hpp"
#include "model/json_text.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace dyad {
namespace {

using json::append_string;
using json_slices::append_integer;
using json_slices::append_number;
using json_slices::Object;

// Members of an object, in the order in which they are given: callers keep it sorted.
class Members {
  public:
    explicit Members(std::string& out) : out_(out) { out_ += '{'; }
    void close() { out_ += '}'; }

    std::string& name(std::string_view key) {
        const std::string_view before = first_ ? "\"" : ",\"";
        first_ = false;
        const std::size_t at = out_.size();
        out_.resize(at + before.size() + key.size() + 2);
        char* const to = std::copy(before.begin(), before.end(), out_.data() + at);
        std::memcpy(std::copy(key.begin(), key.end(), to), "\":", 2);
        return out_;
    }
    void string(std::string_view key, std::string_view value) { append_string(name(key), value); }
    void string_or_null(std::string_view key, const std::optional<std::string>& value) {
        if (value)
            string(key, std::string_view(*value));
        else
            raw(key, "null");
    }
    void raw(std::string_view key, std::string_view json) { name(key).append(json); }
    void raw_or_null(std::string_view key, const std::optional<std::string>& json) {
        raw(key, json ? std::string_view(*json) : std::string_view("null"));
    }
    template <class Integer>
    void integer(std::string_view key, Integer value) {
        append_integer(name(key), value);
    }
    template <class Integer>
    void integer(std::string_view key, const std::optional<Integer>& value) {
        if (value)
            integer(key, *value);
        else
            raw(key, "null");
    }
    void strings(std::string_view key, const std::vector<std::string>& values) {
        std::string& out = name(key);
        out += '[';
        for (const std::string& value : values) {
            if (&value != values.data()) out += ',';
            append_string(out, value);
        }
        out += ']';
    }

  private:
    std::string& out_;
    bool first_ = true;
};

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

void write_source(Members& m, const ResponseSource& source, std::string_view tools_key) {
    if (source.confidence)
        append_number(m.name("confidence"), *source.confidence);
    else
        m.raw("confidence", "null");
    if (source.cost_usd)
        append_number(m.name("costUsd"), *source.cost_usd);
    else
        m.raw("costUsd", "null");
    m.integer("inputTokens", source.input_tokens);
    m.strings(tools_key, source.tools_used);
    m.string("model", source.model);
    m.integer("outputTokens", source.output_tokens);
    m.string("provider", source.provider);
    m.string("responseHash", source.response_hash);
    m.string("sourceType", source_type_name(source.type));
    m.integer("timestamp", source.timestamp_ms);
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

void write_context(std::string& out, const Context& context) {
    Members m(out);
    m.string("contextKey", context.key);
    m.string("contextType", context_type_name(context.type));
    m.integer("createdAt", context.created_at_ms);
    m.string("createdBy", context.created_by);
    m.raw("data", context.data);
    if (context.deleted) m.raw("deleted", "true");
    m.integer("expiresAt", context.expires_at_ms);
    m.string("lastModifiedBy", context.last_modified_by);
    m.string("mode", context.mode);
    m.integer("offset", context.offset);
    m.strings("tags", context.tags);
    m.integer("updatedAt", context.updated_at_ms);
    m.integer("version", context.version);
    m.close();
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
    context.deleted = object->is_true("deleted");
    context.offset = static_cast<std::uint64_t>(object->integer("offset").value_or(0));
    return context;
}

void write_mode(std::string& out, const ModeState& state) {
    const Capabilities& can = capabilities_of(state.current);
    const auto yes_no = [](bool value) { return value ? "true" : "false"; };
    Members m(out);
    m.integer("activatedAt", state.activated_at_ms);
    m.name("capabilities");
    Members c(out);
    c.raw("externalAI", yes_no(can.external_ai));
    c.raw("localAI", yes_no(can.local_ai));
    c.raw("multiChannel", yes_no(can.multi_channel));
    c.raw("offlineCapable", yes_no(can.offline_capable));
    c.raw("realTimeSync", yes_no(can.real_time_sync));
    c.close();
    m.raw_or_null("configuration", state.configuration);
    m.raw_or_null("contextSnapshot", state.context_snapshot);
    m.string("currentMode", mode_name(state.current));
    m.string_or_null("errorMessage", state.error_message);
    m.string("instanceId", state.instance_id);
    if (state.previous)
        m.string("previousMode", mode_name(*state.previous));
    else
        m.raw("previousMode", "null");
    m.raw("success", yes_no(state.success));
    m.integer("syncVersion", state.sync_version);
    m.integer("transitionDuration", state.transition_duration_ms);
    m.integer("updatedAt", state.updated_at_ms);
    m.close();
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
    state.error_message = object->string("errorMessage");
    return state;
}

void write_response(std::string& out, const ResponseRecord& record) {
    Members m(out);
    m.string("chatId", record.chat_id);
    m.name("final");
    Members final(out);
    write_source(final, record.final, "mcpToolsUsed");
    final.close();
    m.string("instanceId", record.instance_id);
    m.string("messageId", record.message_id);
    m.name("metadata");
    Members meta(out);
    meta.string_or_null("externalProvider", record.external_provider);
    meta.string_or_null("harmonizationStrategy", record.harmonization_strategy);
    meta.string_or_null("localProvider", record.local_provider);
    meta.close();
    m.string("mode", record.mode);
    m.integer("offset", record.offset);
    std::string& list = m.name("sources");
    list += '[';
    for (const ResponseSource& source : record.sources) {
        if (&source != record.sources.data()) list += ',';
        Members s(list);
        write_source(s, source, "mcpToolsUsed");
        s.close();
    }
    list += ']';
    m.integer("timestamp", record.timestamp_ms);
    m.close();
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

void write_conflict(std::string& out, const Conflict& conflict) {
    Members m(out);
    if (conflict.base) m.raw("base", *conflict.base);
    m.string("contextKey", conflict.context_key);
    m.string("id", conflict.id);
    if (conflict.incoming) m.raw("incoming", *conflict.incoming);
    m.string("incomingFrom", conflict.incoming_from);
    m.string("path", conflict.path);
    m.integer("recordedAt", conflict.recorded_at_ms);
    if (conflict.stored) m.raw("stored", *conflict.stored);
    m.integer("version", conflict.version);
    m.close();
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
