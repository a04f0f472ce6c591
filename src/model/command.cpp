#include "model/command.hpp"

#include "base/hash64.hpp"
#include "base/limits.hpp"
#include "base/overloaded.hpp"
#include "model/change.hpp"
#include "model/identity.hpp"
#include "model/time_text.hpp"

#include <algorithm>
#include <type_traits>

namespace dyad {
namespace {

Error too_long(std::string_view field, std::int64_t max) {
    return fail(Errc::too_large,
                std::string(field) + ": at most " + std::to_string(max) + " bytes are allowed");
}

Status check_label(std::string_view field, std::string_view value, std::int64_t max) {
    return check_name(field, value, max, NameRule::label);
}

Status check_document(std::string_view field, std::string_view json, std::int64_t max) {
    if (json.size() > static_cast<std::size_t>(max)) return too_long(field, max);
    return Done{};
}

Status check_object(std::string_view field, std::string_view json) {
    if (json.empty() || json.front() != '{')
        return fail(Errc::invalid_field, std::string(field) + ": must be a JSON object");
    return check_document(field, json, limits::document_bytes_max);
}

Status check_tags(const std::vector<std::string>& tags) {
    if (tags.size() > limits::context_tags_max)
        return fail(
            Errc::invalid_field,
            "tags: at most " + std::to_string(limits::context_tags_max) + " tags are allowed");
    for (const std::string& tag : tags)
        TRY(check_label("tags", tag, limits::context_tag_bytes_max));
    return Done{};
}

Status check_instance(const std::string& id) {
    TRY(check_name("instanceId", id, limits::instance_id_bytes_max, NameRule::identity));
    if (id == kServerInstance || id == kForeignInstance)
        return fail(Errc::invalid_field,
                    "instanceId: \"" + id + "\" is the server's own; choose another one");
    return Done{};
}

Status check_put(const PutContext& put) {
    TRY(check_label("contextKey", put.key, limits::context_key_bytes_max));
    TRY(check_object("data", put.data));
    if (put.ttl_days && put.expires_at_ms)
        return fail(Errc::invalid_field, "ttlDays: excludes expiresAt; send one of the two");
    if (put.ttl_days && (*put.ttl_days < 0 || *put.ttl_days > 36500))
        return fail(Errc::invalid_field, "ttlDays: must be a whole number from 0 to 36500");
    constexpr std::int64_t kSecondsLookLike = 100'000'000'000;  // in milliseconds: March 1973
    if (put.expires_at_ms && *put.expires_at_ms && **put.expires_at_ms < kSecondsLookLike)
        return fail(Errc::invalid_field, "expiresAt: must be " + std::string(kTimeForms));
    if (put.tags) return check_tags(*put.tags);
    return Done{};
}

Status check_patch(std::string_view key, std::string_view patch, char first, const char* kind) {
    TRY(check_label("contextKey", key, limits::context_key_bytes_max));
    if (patch.empty() || patch.front() != first)
        return fail(Errc::invalid_field, std::string("patch: must be a JSON ") + kind);
    return check_document("patch", patch, limits::document_bytes_max);
}

Error negative(const std::string& field) {
    return fail(Errc::invalid_field, field + ": must not be negative");
}

Status check_source(const std::string& prefix, const ResponseSource& source) {
    TRY(check_label(prefix + "provider", source.provider, limits::chat_id_bytes_max));
    TRY(check_label(prefix + "model", source.model, limits::chat_id_bytes_max));
    if (source.confidence && !(*source.confidence >= 0 && *source.confidence <= 1))
        return fail(Errc::invalid_field, prefix + "confidence: must be from 0 to 1");
    if (source.input_tokens.value_or(0) < 0) return negative(prefix + "inputTokens");
    if (source.output_tokens.value_or(0) < 0) return negative(prefix + "outputTokens");
    if (source.cost_usd && !(*source.cost_usd >= 0)) return negative(prefix + "costUsd");
    return check_label(prefix + "responseHash", source.response_hash, 128);
}

Status check_response(const ResponseRecord& record) {
    TRY(check_label("chatId", record.chat_id, limits::chat_id_bytes_max));
    TRY(check_label("messageId", record.message_id, limits::chat_id_bytes_max));
    if (!by_name<Mode>(record.mode))
        return fail(Errc::invalid_field, "mode: must be " + any_of_names<Mode>());
    TRY(check_source("", record.final));
    if (record.sources.size() > limits::response_sources_max)
        return fail(Errc::invalid_field, "sources: at most " +
                                             std::to_string(limits::response_sources_max) +
                                             " sources are allowed");
    for (std::size_t i = 0; i < record.sources.size(); ++i)
        TRY(check_source("sources." + std::to_string(i) + ".", record.sources[i]));
    std::string json;
    write_response(json, record);
    return check_document("response", json, limits::response_bytes_max);
}

Status check_mode(const SetMode& set) {
    if (set.instance_id) TRY(check_instance(*set.instance_id));
    if (set.configuration) TRY(check_object("configuration", *set.configuration));
    if (set.context_snapshot)
        TRY(check_document("contextSnapshot", *set.context_snapshot, limits::document_bytes_max));
    if (set.transition_duration_ms < 0) return negative("transitionDuration");
    if (set.error_message && set.error_message->size() > 4096)
        return too_long("errorMessage", 4096);
    return Done{};
}

Status check_resource(const std::string& field, const std::string& resource) {
    return check_label(field, resource, limits::claim_resource_bytes_max);
}

Status check_acquire(const AcquireClaim& acquire) {
    TRY(check_resource("resource", acquire.resource));
    if (acquire.ttl_ms < limits::claim_ttl_ms_min || acquire.ttl_ms > limits::claim_ttl_ms_max)
        return fail(Errc::invalid_field, "ttlMs: must be a whole number from " +
                                             std::to_string(limits::claim_ttl_ms_min) + " to " +
                                             std::to_string(limits::claim_ttl_ms_max));
    if (!acquire.note.value_or("").empty())
        TRY(check_label("note", *acquire.note, limits::claim_note_bytes_max));
    if (acquire.session.empty()) return Done{};
    return check_label("session", acquire.session, limits::claim_session_bytes_max);
}

Status check_token(const std::string& field, Token token) {
    if (token != 0) return Done{};
    return fail(Errc::invalid_field, field + ": must be the token that the claim was granted with");
}

// Stored with every event: what is hashed, and in which order, may never change.
template <class Part>
void hash_part(std::uint64_t& seed, const Part& part) {
    if constexpr (std::is_convertible_v<const Part&, std::string_view>) {
        const std::string_view bytes = part;
        seed = hash64(bytes, seed + bytes.size());
    } else if constexpr (std::is_integral_v<Part> || std::is_enum_v<Part>) {
        const auto value = static_cast<std::uint64_t>(part);
        hash_part(seed, std::string_view(reinterpret_cast<const char*>(&value), sizeof value));
    } else {
        hash_part(seed, part.has_value());
        if (part) hash_part(seed, *part);
    }
}
void hash_into(std::uint64_t& seed, const auto&... parts) {
    (hash_part(seed, parts), ...);
}

void hash_versions(std::uint64_t& seed, const std::optional<VersionSet>& set) {
    hash_into(seed, set ? set->versions.size() * 2 + set->any + 1 : 0);
    if (!set) return;
    for (const Version version : set->versions)
        hash_into(seed, version);
}

}  // namespace

bool VersionSet::holds(Version stored) const noexcept {
    return stored != 0 &&
           (any || std::find(versions.begin(), versions.end(), stored) != versions.end());
}

std::size_t Command::bytes() const {
    const auto size = [](const std::optional<std::string>& text) {
        return text ? text->size() : 0;
    };
    constexpr std::size_t kSourceBytes = 512;
    const std::size_t texts = std::visit(
        Overloaded{
            [](const PutContext& c) { return c.data.size(); },
            [](const MergePatchContext& c) { return c.patch.size(); },
            [](const JsonPatchContext& c) { return c.patch.size(); },
            [&](const ResolveConflict& c) { return size(c.value); },
            [&](const SetMode& c) { return size(c.configuration) + size(c.context_snapshot); },
            [](const RecordResponse& c) { return (c.record.sources.size() + 1) * kSourceBytes; },
            [](const AnnounceMcp& c) { return c.payload.size(); },
            [](const auto&) { return std::size_t{0}; },
        },
        body);
    return sizeof(Command) + texts;
}

std::uint64_t Command::fingerprint() const {
    std::uint64_t h = body.index();
    hash_into(h, expected_version.value_or(UINT64_MAX));
    if (conditions.present()) {
        hash_versions(h, conditions.match);
        hash_versions(h, conditions.none_match);
    }
    if (provenance) hash_into(h, provenance->kind, provenance->model, provenance->trust);
    if (fence) hash_into(h, fence->resource, fence->token);
    std::visit(
        Overloaded{
            [&](const PutContext& c) {
                hash_into(h, c.key, c.data, static_cast<int>(c.strategy) * 2 + c.force,
                          c.type ? static_cast<int>(*c.type) + 1 : 0,
                          c.tags ? c.tags->size() + 1 : 0);
                if (c.tags)
                    for (const std::string& tag : *c.tags)
                        hash_into(h, tag);
                hash_into(h, c.expires_at_ms.has_value());
                if (c.expires_at_ms) hash_into(h, c.expires_at_ms->value_or(INT64_MIN));
                if (c.ttl_days) hash_into(h, *c.ttl_days);
            },
            [&](const MergePatchContext& c) { hash_into(h, c.key, c.patch); },
            [&](const JsonPatchContext& c) { hash_into(h, c.key, c.patch); },
            [&](const DeleteContext& c) { hash_into(h, c.key); },
            [&](const RestoreContext& c) { hash_into(h, c.key, c.version); },
            [&](const ResolveConflict& c) { hash_into(h, c.conflict_id, c.choice, c.value); },
            [&](const SetMode& c) {
                hash_into(h, c.mode, c.instance_id, c.configuration, c.context_snapshot,
                          c.transition_duration_ms, c.success, c.error_message);
            },
            [&](const RecordResponse& c) {
                std::string json;
                write_response(json, c.record);
                hash_into(h, json);
            },
            [&](const AnnounceMcp& c) { hash_into(h, c.kind, c.payload); },
            [&](const ExpireContext& c) { hash_into(h, c.key, c.version); },
            [&](const AdoptContext& c) {
                hash_into(h, c.document->key, c.document->data, c.document->version);
            },
            [&](const AcquireClaim& c) { hash_into(h, c.resource, c.ttl_ms, c.note, c.session); },
            [&](const ReleaseClaim& c) { hash_into(h, c.resource, c.token); },
            [&](const ExpireClaim& c) { hash_into(h, c.resource, c.token); },
        },
        body);
    return h;
}

const std::string& mode_owner(const Command& command) {
    const auto& set = std::get<SetMode>(command.body);
    return set.instance_id ? *set.instance_id : command.instance_id;
}

bool asks_for_privacy(const Command& command) noexcept {
    const auto* set = std::get_if<SetMode>(&command.body);
    return set != nullptr && set->mode == Mode::inspired && set->success;
}

Status validate(const Command& command) {
    const bool own = std::holds_alternative<ExpireContext>(command.body) ||
                     std::holds_alternative<ExpireClaim>(command.body) ||
                     std::holds_alternative<AdoptContext>(command.body);
    TRY(own ? Done{} : check_instance(command.instance_id));
    return validate_content(command);
}

Status validate_content(const Command& command) {
    TRY(check_name("id", command.operation_id, limits::operation_id_bytes_max,
                   NameRule::operation));
    if (command.provenance && !command.provenance->model.empty())
        TRY(check_label("provenance.model", command.provenance->model,
                        limits::provenance_model_bytes_max));
    if (command.fence) {
        TRY(check_resource("fence.resource", command.fence->resource));
        TRY(check_token("fence.token", command.fence->token));
    }
    const auto key_of = [](const std::string& key) {
        return check_label("contextKey", key, limits::context_key_bytes_max);
    };
    return std::visit(
        Overloaded{
            [](const PutContext& c) { return check_put(c); },
            [](const MergePatchContext& c) { return check_patch(c.key, c.patch, '{', "object"); },
            [](const JsonPatchContext& c) { return check_patch(c.key, c.patch, '[', "array"); },
            [&](const DeleteContext& c) { return key_of(c.key); },
            [&](const RestoreContext& c) -> Status {
                if (c.version == 0)
                    return fail(Errc::invalid_field, "version: must be a whole number from 1");
                return key_of(c.key);
            },
            [](const ResolveConflict& c) -> Status {
                if (c.choice == ResolveConflict::Choice::value && !c.value)
                    return fail(Errc::missing_field, "value: is required with choice \"value\"");
                if (c.value) TRY(check_document("value", *c.value, limits::document_bytes_max));
                return check_label("conflictId", c.conflict_id, 64);
            },
            [](const SetMode& c) { return check_mode(c); },
            [](const RecordResponse& c) { return check_response(c.record); },
            [](const AnnounceMcp& c) -> Status {
                if (c.payload.empty() || c.payload.front() != '{')
                    return fail(Errc::invalid_field, "payload: must be a JSON object");
                return check_document("payload", c.payload, limits::mcp_event_bytes_max);
            },
            [&](const ExpireContext& c) { return key_of(c.key); },
            [&](const AdoptContext& c) -> Status {
                TRY(check_object("data", c.document->data));
                return key_of(c.document->key);
            },
            [](const AcquireClaim& c) { return check_acquire(c); },
            [](const ReleaseClaim& c) -> Status {
                TRY(check_resource("resource", c.resource));
                return check_token("token", c.token);
            },
            [](const ExpireClaim& c) { return check_resource("resource", c.resource); },
        },
        command.body);
}

}  // namespace dyad
