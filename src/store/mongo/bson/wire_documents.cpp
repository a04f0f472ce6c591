#include "store/mongo/bson/wire_documents.hpp"

#include "base/hash64.hpp"
#include "base/limits.hpp"
#include "model/identity.hpp"
#include "store/mongo/bson/bson_json.hpp"

#include <algorithm>
#include <bit>
#include <string>
#include <utility>

namespace dyad::mongo {
namespace {

// `document` is as others see it.
Bson& mark(Bson& document, Offset offset, Bson more) {
    more.number("offset", static_cast<std::int64_t>(offset))
        .number("check", std::bit_cast<std::int64_t>(check_of(document.view())));
    return document.sub("dyad", more);
}

Status append_json_or_null(Bson& to, std::string_view name,
                           const std::optional<std::string>& text) {
    if (text) return append_json(to, name, *text);
    to.null(name);
    return Done{};
}

std::optional<std::string> name_or_none(std::optional<Mode> mode) {
    return mode ? std::optional(std::string(name_of(*mode))) : std::nullopt;
}

// Where an instance was, and where it went or meant to go.
struct Way {
    std::optional<Mode> from;
    Mode to;
};
Way way_of(const ModeState& state) {
    if (state.success) return {state.previous, state.current};
    return {state.current, state.attempted.value_or(state.current)};
}

Bson capabilities_document(Mode mode) {
    const Capabilities can = capabilities_of(mode);
    return Bson()
        .flag("localAI", can.local_ai)
        .flag("externalAI", can.external_ai)
        .flag("multiChannel", can.multi_channel)
        .flag("offlineCapable", can.offline_capable)
        .flag("realTimeSync", can.real_time_sync);
}

// What a source is, in the fields of a document or of an entry of its `sources`.
void append_source(Bson& to, const ResponseSource& source) {
    to.text("sourceType", name_of(source.type))
        .text("provider", source.provider)
        .text("model", source.model);
    source.confidence ? to.real("confidence", *source.confidence) : to.null("confidence");
    to.text("responseHash", source.response_hash);
}

Bson source_document(const ResponseSource& source) {
    Bson document;
    append_source(document, source);
    if (!source.tools_used.empty()) document.texts("mcpToolsUsed", source.tools_used);
    if (source.input_tokens) append_number(document, "inputTokens", *source.input_tokens);
    if (source.output_tokens) append_number(document, "outputTokens", *source.output_tokens);
    if (source.cost_usd) document.real("costUsd", *source.cost_usd);
    return document.date("timestamp", source.timestamp_ms);
}

Bson metadata_of(const ResponseRecord& record) {
    Bson metadata;
    const auto add = [&](std::string_view name, const std::optional<std::string>& value) {
        if (value) metadata.text(name, *value);
    };
    add("localProvider", record.local_provider);
    add("externalProvider", record.external_provider);
    add("harmonizationStrategy", record.harmonization_strategy);
    if (!record.final.tools_used.empty()) metadata.texts("mcpToolsUsed", record.final.tools_used);
    return metadata;
}

Result<Bson> data_of(const ContextChange& change) {
    const Context& context = *change.context;
    Bson data;
    data.text("contextKey", context.key).text("contextType", name_of(context.type));
    TRY(append_json(data, "data", context.deleted ? std::string_view("{}") : context.data));
    append_number(data, "version", context.version);
    if (context.deleted) data.flag("deleted", true);
    return data;
}

Result<Bson> data_of(const ModeChange& change) {
    const Way way = way_of(change.state);
    Bson data;
    data.text("instanceId", change.state.instance_id)
        .text_or_null("fromMode", name_or_none(way.from))
        .text("toMode", name_of(way.to));
    if (!change.state.success) data.flag("success", false);
    if (change.state.configuration)
        TRY(append_json(data, "configuration", *change.state.configuration));
    return data;
}

Result<Bson> data_of(const ResponseChange& change) {
    Bson data;
    data.text("chatId", change.record.chat_id)
        .text("messageId", change.record.message_id)
        .text("mode", change.record.mode);
    append_source(data, change.record.final);
    return data;
}

Result<Bson> data_of(const McpChange& change) {
    if (change.payload.starts_with('{')) return bson_of(change.payload);
    return Bson();
}

Result<Bson> data_of(const ClaimChange& change) {
    return bson_of(encode_change(change));
}

}  // namespace

Result<Bson> event_data(const Change& change) {
    return std::visit([](const auto& one) { return data_of(one); }, change);
}

Result<Bson> context_document(std::string_view user_id, const Context& context) {
    CHECK(!context.deleted);
    Bson document;
    document.text("userId", user_id)
        .text("contextKey", context.key)
        .text("contextType", name_of(context.type))
        .text("mode", context.mode);
    TRY(append_json(document, "data", context.data));
    Bson metadata;
    metadata.text("createdBy", context.created_by).text("lastModifiedBy", context.last_modified_by);
    append_number(metadata, "version", context.version).texts("tags", context.tags);
    document.sub("metadata", metadata)
        .date("createdAt", context.created_at_ms)
        .date("updatedAt", context.updated_at_ms);
    context.expires_at_ms ? document.date("expiresAt", *context.expires_at_ms)
                          : document.null("expiresAt");
    Bson ours;
    ours.date("updatedAt", context.updated_at_ms);
    append_number(ours, "version", context.version);
    if (const auto& said = context.provenance) {
        Bson provenance;
        provenance.text("kind", name_of(said->kind));
        if (!said->model.empty()) provenance.text("model", said->model);
        ours.sub("provenance", provenance.text("trust", name_of(said->trust)));
    }
    return mark(document, context.offset, std::move(ours));
}

Result<Bson> mode_document(std::string_view user_id, Offset offset, const ModeState& state) {
    Bson document;
    document.text("userId", user_id)
        .text("instanceId", state.instance_id)
        .text("currentMode", name_of(state.current))
        .text_or_null("previousMode", name_or_none(state.previous))
        .sub("capabilities", capabilities_document(state.current));
    TRY(append_json_or_null(document, "configuration", state.configuration));
    document.date("activatedAt", state.activated_at_ms).date("updatedAt", state.updated_at_ms);
    append_number(document, "syncVersion", state.sync_version);
    return mark(document, offset, {});
}

Result<Bson> transition_document(std::string_view user_id, Offset offset, const ModeState& state) {
    const Way way = way_of(state);
    Bson document;
    document.text("userId", user_id)
        .text("instanceId", state.instance_id)
        .text_or_null("fromMode", name_or_none(way.from))
        .text("toMode", name_of(way.to));
    TRY(append_json_or_null(document, "contextSnapshot", state.context_snapshot));
    append_number(document, "transitionDuration", state.transition_duration_ms);
    document.flag("success", state.success)
        .text_or_null("errorMessage", state.error_message)
        .date("timestamp", state.updated_at_ms)
        .date("syncedAt", state.updated_at_ms);
    std::string text;
    write_mode(text, state);
    return mark(document, offset, Bson().text("text", text));
}

Result<Bson> response_document(std::string_view user_id, const ResponseRecord& record) {
    Bson document;
    document.text("userId", user_id)
        .text("instanceId", record.instance_id)
        .text("chatId", record.chat_id)
        .text("messageId", record.message_id)
        .text("mode", record.mode);
    append_source(document, record.final);
    document.sub("metadata", metadata_of(record)).date("timestamp", record.timestamp_ms);
    Bson sources;
    for (std::size_t i = 0; i < record.sources.size(); ++i)
        sources.sub(std::to_string(i), source_document(record.sources[i]));
    document.array("sources", sources);
    std::string text;
    write_response(text, record);
    return mark(document, record.offset, Bson().text("text", text));
}

std::uint64_t check_of(BsonView document) {
    Bson seen;
    bson_copy_to_excluding_noinit(document.get(), seen.get(), "_id", "dyad", nullptr);
    return hash64({reinterpret_cast<const char*>(bson_get_data(seen.get())), seen.bytes()});
}

bool is_ours(BsonView document) {
    const std::optional<std::int64_t> check = document.number("dyad.check");
    return check && offset_of(document) != 0 &&
           std::bit_cast<std::uint64_t>(*check) == check_of(document);
}

Offset offset_of(BsonView document) {
    return static_cast<Offset>(
        std::max<std::int64_t>(document.number("dyad.offset").value_or(0), 0));
}

Fingerprint fingerprint_of(BsonView document) {
    const bson_t* const bytes = document.get();
    return hash64({reinterpret_cast<const char*>(bson_get_data(bytes)), bytes->len});
}

namespace {

constexpr std::int64_t kNameBytesMax = 64;  // of types and modes

// Empty where it is no text, or none that a client could have sent.
std::string name_at(BsonView document, std::string_view path, std::int64_t bytes_max,
                    NameRule rule) {
    const std::string_view name = document.text(path).value_or("");
    return check_name(path, name, bytes_max, rule) ? std::string(name) : std::string();
}

// A count, or a clock: in milliseconds, with a fraction maybe. Nothing sensible: 0.
Version version_at(BsonView metadata) {
    constexpr double kExact = 9'007'199'254'740'992.0;
    const auto at = metadata.find("version");
    if (!at) return 0;
    const double real = BSON_ITER_HOLDS_DATE_TIME(&at->at)
                            ? static_cast<double>(bson_iter_date_time(&at->at))
                            : metadata.real("version").value_or(0);
    return real >= 1 && real <= kExact ? static_cast<Version>(real) : 0;
}

// Tags beyond what a context can have are no reason to keep the rest of it out.
std::vector<std::string> tags_of(BsonView metadata) {
    std::vector<std::string> tags;
    metadata.sub("tags").members([&](std::string_view, const BsonValue& value) {
        if (!BSON_ITER_HOLDS_UTF8(&value.at) || tags.size() == limits::context_tags_max) return;
        std::uint32_t bytes = 0;
        const char* const data = bson_iter_utf8(&value.at, &bytes);
        const std::string_view tag(data, bytes);
        if (check_name("tags", tag, limits::context_tag_bytes_max, NameRule::label) &&
            std::find(tags.begin(), tags.end(), tag) == tags.end())
            tags.emplace_back(tag);
    });
    return tags;
}

}  // namespace

Result<Context> context_of(BsonView document) {
    Context context;
    context.key = document.text("contextKey").value_or("");
    TRY(check_name("contextKey", context.key, limits::context_key_bytes_max, NameRule::label));
    const auto data = document.find("data");
    if (data && BSON_ITER_HOLDS_DOCUMENT(&data->at)) {
        ASSIGN_OR_RETURN(context.data, json_of(*data));
    } else if (!data || BSON_ITER_HOLDS_NULL(&data->at)) {
        context.data = "{}";
    } else {
        return fail(Errc::invalid_field, "data: must be a document");
    }
    context.type =
        by_name<ContextType>(name_at(document, "contextType", kNameBytesMax, NameRule::label))
            .value_or(ContextType::custom);
    context.mode = name_at(document, "mode", kNameBytesMax, NameRule::label);
    const BsonView metadata = document.sub("metadata");
    context.tags = tags_of(metadata);
    context.version = version_at(metadata);
    context.created_by =
        name_at(metadata, "createdBy", limits::instance_id_bytes_max, NameRule::identity);
    context.last_modified_by =
        name_at(metadata, "lastModifiedBy", limits::instance_id_bytes_max, NameRule::identity);
    context.created_at_ms = document.date("createdAt").value_or(0);
    context.updated_at_ms = document.date("updatedAt").value_or(0);
    context.expires_at_ms = document.date("expiresAt");
    return context;
}

}  // namespace dyad::mongo
