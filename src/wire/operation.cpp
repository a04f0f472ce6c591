// The operations of the negotiated protocol: one object with `op` and the fields that it needs.
#include "model/change.hpp"
#include "wire/payloads.hpp"

namespace dyad::wire {
namespace {

constexpr std::array<std::string_view, 25> kMembers = {"op",
                                                       "contextKey",
                                                       "contextType",
                                                       "mergeStrategy",
                                                       "data",
                                                       "force",
                                                       "tags",
                                                       "expiresAt",
                                                       "ttlDays",
                                                       "patch",
                                                       "version",
                                                       "expectedVersion",
                                                       "conflictId",
                                                       "choice",
                                                       "value",
                                                       "mode",
                                                       "instanceId",
                                                       "configuration",
                                                       "contextSnapshot",
                                                       "transitionDuration",
                                                       "success",
                                                       "errorMessage",
                                                       "response",
                                                       "kind",
                                                       "payload"};
// Their places there.
enum Member : std::size_t {
    kOp,
    kContextKey,
    kContextType,
    kMergeStrategy,
    kData,
    kForce,
    kTags,
    kExpiresAt,
    kTtlDays,
    kPatch,
    kVersion,
    kExpectedVersion,
    kConflictId,
    kChoice,
    kValue,
    kMode,
    kInstanceId,
    kConfiguration,
    kContextSnapshot,
    kTransitionDuration,
    kSuccess,
    kErrorMessage,
    kResponse,
    kKind,
    kPayload,
};
static_assert(kMembers[kValue] == "value" && kMembers[kPayload] == "payload");

struct Fields {
    std::string_view op;
    std::optional<std::string> key;
    std::optional<std::string> data;
    MergeStrategy strategy = MergeStrategy::replace;
    bool force = false;
    std::optional<ContextType> type;
    std::optional<std::vector<std::string>> tags;
    std::optional<std::optional<std::int64_t>> expires_at_ms;
    std::optional<std::int64_t> ttl_days;
    std::optional<std::string> patch;
    std::optional<Version> version;
    std::optional<std::string> conflict_id;
    std::optional<ResolveConflict::Choice> choice;
    std::optional<std::string> value;
    std::optional<Mode> mode;
    std::optional<std::string> instance_id;
    std::optional<std::string> configuration;
    std::optional<std::string> context_snapshot;
    std::int64_t transition_duration_ms = 0;
    bool success = true;
    std::optional<std::string> error_message;
    std::optional<Result<ResponseRecord>> response;
    std::optional<EventKind> kind;
    std::optional<std::string> payload;
    std::optional<Version> expected_version;
};

std::optional<ResolveConflict::Choice> choice_by_name(std::string_view name) noexcept {
    if (name == "stored") return ResolveConflict::Choice::stored;
    if (name == "incoming") return ResolveConflict::Choice::incoming;
    if (name == "value") return ResolveConflict::Choice::value;
    return std::nullopt;
}

std::optional<EventKind> mcp_kind_by_name(std::string_view name) noexcept {
    const auto kind = event_kind_by_name(name);
    if (kind == EventKind::mcp_tool_executed || kind == EventKind::mcp_server_added ||
        kind == EventKind::mcp_server_removed)
        return kind;
    return std::nullopt;
}

bool take_context_member(Member member, Field& field, Fields& f) {
    switch (member) {
        case kOp:
            return put(field.string(), f.op);
        case kContextKey:
            return put(field.string(), f.key);
        case kContextType:
            return put_name(field, f.type, context_type_by_name, kContextTypes);
        case kMergeStrategy:
            return put_name(field, f.strategy, merge_strategy_by_name, kStrategies);
        case kData:
            return field.document(f.data.emplace());
        case kForce:
            return put(field.boolean(), f.force);
        case kTags:
            return field.strings(f.tags.emplace());
        case kExpiresAt: {
            const Taken<std::int64_t> time = field.integer();
            f.expires_at_ms = time.value;
            return time.good;
        }
        case kTtlDays:
            return put(field.integer(), f.ttl_days);
        case kPatch:
            return field.document(f.patch.emplace());
        case kVersion:
            return put(field.unsigned_integer(), f.version);
        default:
            return put(field.unsigned_integer(), f.expected_version);
    }
}

bool take_other_member(Member member, Field& field, Fields& f) {
    switch (member) {
        case kConflictId:
            return put(field.string(), f.conflict_id);
        case kChoice:
            return put_name(field, f.choice, choice_by_name, "stored, incoming or value");
        case kValue:
            return field.document(f.value.emplace());
        case kMode:
            return put_name(field, f.mode, mode_by_name, kModes);
        case kInstanceId:
            return put(field.string(), f.instance_id);
        case kConfiguration:
            return put_unless_null(field, f.configuration);
        case kContextSnapshot:
            return put_unless_null(field, f.context_snapshot);
        case kTransitionDuration:
            return put(field.integer(), f.transition_duration_ms);
        case kSuccess:
            return put(field.boolean(), f.success);
        case kErrorMessage:
            return put(field.string(), f.error_message);
        case kResponse:
            return take_response(field, f.response);
        case kKind:
            return put_name(field, f.kind, mcp_kind_by_name,
                            "mcp-tool-executed, mcp-server-added or mcp-server-removed");
        default:
            return field.document(f.payload.emplace());
    }
}

bool take_member(std::size_t index, Field& field, Fields& fields) {
    const auto member = static_cast<Member>(index);
    return member <= kExpectedVersion ? take_context_member(member, field, fields)
                                      : take_other_member(member, field, fields);
}

// Each puts the operation that the fields ask for into `body`.
Status put_context(Fields& f, CommandBody& body) {
    if (!f.data) return missing("data");
    auto& context = std::get<PutContext>(body);  // what a new command is
    context.key = *std::move(f.key);
    context.data = *std::move(f.data);
    context.strategy = f.strategy;
    context.force = f.force;
    context.type = f.type;
    context.tags = std::move(f.tags);
    context.expires_at_ms = f.expires_at_ms;
    context.ttl_days = f.ttl_days;
    return Done{};
}

Status on_context(Fields& f, CommandBody& body) {
    if (!f.key || f.key->empty()) return missing("contextKey");
    if (f.op == "context.put") return put_context(f, body);
    if (f.op == "context.delete") {
        body = DeleteContext{*std::move(f.key)};
        return Done{};
    }
    if (f.op == "context.restore") {
        if (!f.version) return missing("version");
        body = RestoreContext{*std::move(f.key), *f.version, nullptr};
        return Done{};
    }
    if (!f.patch) return missing("patch");
    if (f.op == "context.merge-patch")
        body = MergePatchContext{*std::move(f.key), *std::move(f.patch)};
    else
        body = JsonPatchContext{*std::move(f.key), *std::move(f.patch)};
    return Done{};
}

Status resolve_conflict(Fields& f, CommandBody& body) {
    if (!f.conflict_id) return missing("conflictId");
    if (!f.choice) return missing("choice");
    body = ResolveConflict{*std::move(f.conflict_id), *f.choice, std::move(f.value)};
    return Done{};
}

Status set_mode(Fields& f, CommandBody& body) {
    if (!f.mode) return missing("mode");
    auto& set = body.emplace<SetMode>();
    set.mode = *f.mode;
    set.instance_id = std::move(f.instance_id);
    set.configuration = std::move(f.configuration);
    set.context_snapshot = std::move(f.context_snapshot);
    set.transition_duration_ms = f.transition_duration_ms;
    set.success = f.success;
    set.error_message = std::move(f.error_message);
    return Done{};
}

Status record_response(Fields& f, CommandBody& body) {
    if (!f.response) return missing("response");
    if (!*f.response) return f.response->error();
    body = RecordResponse{**std::move(f.response)};
    return Done{};
}

Status announce_mcp(Fields& f, CommandBody& body) {
    if (!f.kind) return missing("kind");
    if (!f.payload) return missing("payload");
    body = AnnounceMcp{*f.kind, *std::move(f.payload)};
    return Done{};
}

Status put_body(Fields& f, CommandBody& body) {
    if (f.op.empty()) return missing("op");
    for (std::string_view op : {"context.put", "context.merge-patch", "context.json-patch",
                                "context.delete", "context.restore"})
        if (f.op == op) return on_context(f, body);
    if (f.op == "conflict.resolve") return resolve_conflict(f, body);
    if (f.op == "mode.set") return set_mode(f, body);
    if (f.op == "response.record") return record_response(f, body);
    if (f.op == "mcp.announce") return announce_mcp(f, body);
    return fail(Errc::unknown_type, "op: there is no operation of this name");
}

}  // namespace

Status read_operation(Source& source, Command& command) {
    Fields fields;
    const auto take = [&fields](std::size_t index, Field& field) {
        return take_member(index, field, fields);
    };
    if (!read_payload<kMembers>(source, take)) return source.lexer().take_error();
    command.expected_version = fields.expected_version;
    return put_body(fields, command.body);
}

}  // namespace dyad::wire
