// The JSON documents of the model, in canonical form: each is described once, for both directions.
#include "model/change.hpp"
#include "model/document_forms.hpp"

namespace dyad {
namespace {

using json::Writer;

// About as many bytes as a document has, beside its strings of any length.
constexpr std::size_t kContextBytes = 320;
constexpr std::size_t kModeBytes = 512;
constexpr std::size_t kResponseBytes = 1024;
constexpr std::size_t kConflictBytes = 256;
constexpr std::size_t kClaimBytes = 256;

constexpr auto kProvenance = [](auto& form, auto& provenance) {
    if constexpr (!std::remove_reference_t<decltype(form)>::kWrites) provenance.emplace();
    form.need(form.value("kind", provenance->kind));
    if (form.wants(!provenance->model.empty())) form.value("model", provenance->model);
    form.need(form.value("trust", provenance->trust));
};

constexpr auto kContext = [](auto& form, auto& context) {
    form.need(form.value("contextKey", context.key));
    form.need(form.value("contextType", context.type));
    form.value("createdAt", context.created_at_ms);
    form.value("createdBy", context.created_by);
    form.need(form.raw("data", context.data));
    if (form.wants(context.deleted)) form.value("deleted", context.deleted);
    form.value("expiresAt", context.expires_at_ms);
    if (form.wants(context.expiry_fixed)) form.value("expiryFixed", context.expiry_fixed);
    form.value("lastModifiedBy", context.last_modified_by);
    form.value("mode", context.mode);
    form.value("offset", context.offset);
    if (form.wants(context.provenance)) form.object("provenance", kProvenance, context.provenance);
    form.value("tags", context.tags);
    form.value("updatedAt", context.updated_at_ms);
    form.need(form.value("version", context.version));
};

// Written for who reads the document; the mode itself says it all.
constexpr auto kCapabilities = [](auto& form, auto& can) {
    form.value("externalAI", can.external_ai);
    form.value("localAI", can.local_ai);
    form.value("multiChannel", can.multi_channel);
    form.value("offlineCapable", can.offline_capable);
    form.value("realTimeSync", can.real_time_sync);
};

// `forgotten`: the instances that made room, in the event of a change.
constexpr auto kMode = [](auto& form, auto& state, auto&... forgotten) {
    form.value("activatedAt", state.activated_at_ms);
    if (form.wants(state.attempted)) form.value("attemptedMode", state.attempted);
    if constexpr (std::remove_reference_t<decltype(form)>::kWrites)
        form.object("capabilities", kCapabilities, capabilities_of(state.current));
    form.raw_or_null("configuration", state.configuration);
    form.raw_or_null("contextSnapshot", state.context_snapshot);
    form.need(form.value("currentMode", state.current));
    form.value("errorMessage", state.error_message);
    ((form.wants(forgotten) && form.value("forgotten", forgotten)), ...);
    form.need(form.value("instanceId", state.instance_id));
    form.value("previousMode", state.previous);
    form.value("success", state.success);
    form.value("syncVersion", state.sync_version);
    form.value("transitionDuration", state.transition_duration_ms);
    form.value("updatedAt", state.updated_at_ms);
};

constexpr auto kSource = [](auto& form, auto& source) {
    form.value("confidence", source.confidence);
    form.value("costUsd", source.cost_usd);
    form.value("inputTokens", source.input_tokens);
    form.value("mcpToolsUsed", source.tools_used);
    form.value("model", source.model);
    form.value("outputTokens", source.output_tokens);
    form.value("provider", source.provider);
    form.value("responseHash", source.response_hash);
    form.need(form.value("sourceType", source.type));
    form.need(form.value("timestamp", source.timestamp_ms));
};

constexpr auto kMetadata = [](auto& form, auto& record) {
    form.value("externalProvider", record.external_provider);
    form.value("harmonizationStrategy", record.harmonization_strategy);
    form.value("localProvider", record.local_provider);
};

constexpr auto kResponse = [](auto& form, auto& record) {
    form.need(form.value("chatId", record.chat_id));
    form.need(form.object("final", kSource, record.final));
    form.value("instanceId", record.instance_id);
    form.need(form.value("messageId", record.message_id));
    form.object("metadata", kMetadata, record);
    form.value("mode", record.mode);
    form.value("offset", record.offset);
    form.need(form.list("sources", kSource, record.sources));
    form.value("timestamp", record.timestamp_ms);
};

constexpr auto kConflict = [](auto& form, auto& conflict) {
    if (form.wants(conflict.base)) form.raw("base", conflict.base);
    form.need(form.value("contextKey", conflict.context_key));
    form.need(form.value("id", conflict.id));
    if (form.wants(conflict.incoming)) form.raw("incoming", conflict.incoming);
    form.value("incomingFrom", conflict.incoming_from);
    form.need(form.value("path", conflict.path));
    form.value("recordedAt", conflict.recorded_at_ms);
    if (form.wants(conflict.stored)) form.raw("stored", conflict.stored);
    form.value("version", conflict.version);
};

constexpr auto kClaim = [](auto& form, auto& claim) {
    form.need(form.value("expiresAt", claim.expires_at_ms));
    form.value("grantedAt", claim.granted_at_ms);
    form.need(form.value("instanceId", claim.instance_id));
    if (form.wants(!claim.note.empty())) form.value("note", claim.note);
    form.value("renewedAt", claim.renewed_at_ms);
    form.need(form.value("resource", claim.resource));
    if (form.wants(!claim.session.empty())) form.value("session", claim.session);
    form.need(form.value("token", claim.token));
};

constexpr auto kClaimChange = [](auto& form, auto& change) {
    form.need(form.value("action", change.action));
    form.need(form.object("claim", kClaim, change.claim));
};

constexpr auto kContextChange = [](auto& form, auto& change, auto& context) {
    form.need(form.value("action", change.action));
    if (form.wants(change.conflicts_closed)) form.value("closed", change.conflicts_closed);
    form.need(form.object("context", kContext, context));
    if (form.wants(change.conflicts_opened))
        form.list("opened", kConflict, change.conflicts_opened);
    form.need(form.value("previousVersion", change.previous_version));
    form.need(form.value("strategy", change.strategy));
};

template <class Describe, class... Parts>
Status read(std::string_view text, const char* what, Describe describe, Parts&... parts) {
    json::Source source;
    source.open(text);
    if (DocumentReader::read(source, describe, parts...) && source.lexer().finish()) return Done{};
    return fail(Errc::storage_damaged, std::string("a stored ") + what + " is not well formed");
}

template <class Document, class Describe>
Result<Document> read(std::string_view text, const char* what, Describe describe) {
    Document document;
    TRY(read(text, what, describe, document));
    return document;
}

template <class Document>
void append(std::string& out, std::size_t bytes, const Document& document) {
    Writer writer(out, bytes);
    write(writer, document);
}

}  // namespace

void write(Writer& out, const Context& context) {
    out.expect(kContextBytes + context.key.size() + context.data.size());
    DocumentWriter(out).write(kContext, context);
}
void write(Writer& out, const ModeState& state) {
    DocumentWriter(out).write(kMode, state);
}
void write(Writer& out, const ResponseRecord& record) {
    DocumentWriter(out).write(kResponse, record);
}
void write(Writer& out, const Conflict& conflict) {
    DocumentWriter(out).write(kConflict, conflict);
}
void write(Writer& out, const Claim& claim) {
    DocumentWriter(out).write(kClaim, claim);
}
void write(Writer& out, const ContextChange& change) {
    DocumentWriter(out).write(kContextChange, change, *change.context);
}
void write(Writer& out, const ModeChange& change) {
    DocumentWriter(out).write(kMode, change.state, change.forgotten);
}
void write(Writer& out, const ClaimChange& change) {
    DocumentWriter(out).write(kClaimChange, change);
}

void write_context(std::string& out, const Context& context) {
    append(out, 0, context);  // write() says how much it will be
}
void write_mode(std::string& out, const ModeState& state) {
    append(out, kModeBytes, state);
}
void write_response(std::string& out, const ResponseRecord& record) {
    append(out, kResponseBytes, record);
}
void write_conflict(std::string& out, const Conflict& conflict) {
    append(out, kConflictBytes, conflict);
}
void write_claim(std::string& out, const Claim& claim) {
    append(out, kClaimBytes, claim);
}

Result<Context> read_context(std::string_view text) {
    return read<Context>(text, "context", kContext);
}
Result<ModeState> read_mode(std::string_view text) {
    return read<ModeState>(text, "mode", kMode);
}
Result<ResponseRecord> read_response(std::string_view text) {
    return read<ResponseRecord>(text, "response", kResponse);
}
Result<Conflict> read_conflict(std::string_view text) {
    return read<Conflict>(text, "conflict", kConflict);
}
Result<Claim> read_claim(std::string_view text) {
    return read<Claim>(text, "claim", kClaim);
}
Result<ContextChange> read_context_change(std::string_view text) {
    ContextChange change;
    auto context = std::make_shared<Context>();
    TRY(read(text, "change of a context", kContextChange, change, *context));
    change.context = std::move(context);
    return change;
}
Result<ModeChange> read_mode_change(std::string_view text) {
    ModeChange change;
    TRY(read(text, "mode", kMode, change.state, change.forgotten));
    return change;
}
Result<ClaimChange> read_claim_change(std::string_view text) {
    return read<ClaimChange>(text, "change of a claim", kClaimChange);
}

}  // namespace dyad
