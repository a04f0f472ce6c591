// The operations of the negotiated protocol: one object with `op` and the fields that it needs.
#include "model/change.hpp"
#include "wire/payloads.hpp"

namespace dyad::wire {
namespace {

// Those of contexts and conflicts stand at 1 to 12.
constexpr std::array<std::string_view, 24> kMembers = {"op",
                                                       "contextKey",
                                                       "data",
                                                       "mergeStrategy",
                                                       "force",
                                                       "contextType",
                                                       "tags",
                                                       "expiresAt",
                                                       "patch",
                                                       "version",
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
                                                       "payload",
                                                       "expectedVersion"};

struct Fields {
    std::string_view op;
    std::optional<std::string> key;
    std::optional<std::string> data;
    MergeStrategy strategy = MergeStrategy::replace;
    bool force = false;
    std::optional<ContextType> type;
    std::optional<std::vector<std::string>> tags;
    std::optional<std::optional<std::int64_t>> expires_at_ms;
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
    std::optional<std::string> response;
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

Status put_unless_null(Result<std::string> text, std::optional<std::string>& out) {
    if (!text) return text.error();
    if (*text != "null") out = *std::move(text);
    return Done{};
}

Status take_context_member(std::string_view name, Field& field, Fields& f) {
    if (name == "contextKey") return put(field.string(), f.key);
    if (name == "data") return put_any(field.document(), f.data);
    if (name == "mergeStrategy")
        return put_name(field, f.strategy, merge_strategy_by_name, name, kStrategies);
    if (name == "force") return put(field.boolean(), f.force);
    if (name == "contextType")
        return put_name(field, f.type, context_type_by_name, name, kContextTypes);
    if (name == "tags") return put_any(field.strings(), f.tags);
    if (name == "expiresAt") return put_any(field.integer(), f.expires_at_ms);
    if (name == "patch") return put_any(field.document(), f.patch);
    if (name == "version") return put(field.unsigned_integer(), f.version);
    if (name == "conflictId") return put(field.string(), f.conflict_id);
    if (name == "choice")
        return put_name(field, f.choice, choice_by_name, name, "stored, incoming or value");
    return put_any(field.document(), f.value);
}

Status take_other_member(std::string_view name, Field& field, Fields& f) {
    if (name == "op") return put(field.string(), f.op);
    if (name == "expectedVersion") return put(field.unsigned_integer(), f.expected_version);
    if (name == "mode") return put_name(field, f.mode, mode_by_name, name, kModes);
    if (name == "instanceId") return put(field.string(), f.instance_id);
    if (name == "configuration") return put_unless_null(field.document(), f.configuration);
    if (name == "contextSnapshot") return put_unless_null(field.document(), f.context_snapshot);
    if (name == "transitionDuration") return put(field.integer(), f.transition_duration_ms);
    if (name == "success") return put(field.boolean(), f.success);
    if (name == "errorMessage") return put(field.string(), f.error_message);
    if (name == "response") return put_any(field.document(), f.response);
    if (name == "kind")
        return put_name(field, f.kind, mcp_kind_by_name, name,
                        "mcp-tool-executed, mcp-server-added or mcp-server-removed");
    return put_any(field.document(), f.payload);
}

Status take_member(std::size_t index, Field& field, Fields& fields) {
    const bool of_context = index >= 1 && index <= 12;
    return of_context ? take_context_member(kMembers[index], field, fields)
                      : take_other_member(kMembers[index], field, fields);
}

Result<CommandBody> put_context(Fields& f) {
    if (!f.data) return missing("data");
    PutContext put;
    put.key = *std::move(f.key);
    put.data = *std::move(f.data);
    put.strategy = f.strategy;
    put.force = f.force;
    put.type = f.type;
    put.tags = std::move(f.tags);
    put.expires_at_ms = f.expires_at_ms;
    return CommandBody(std::move(put));
}

Result<CommandBody> on_context(Fields& f) {
    if (!f.key || f.key->empty()) return missing("contextKey");
    if (f.op == "context.put") return put_context(f);
    if (f.op == "context.delete") return CommandBody(DeleteContext{*std::move(f.key)});
    if (f.op == "context.restore") {
        if (!f.version) return missing("version");
        return CommandBody(RestoreContext{*std::move(f.key), *f.version, nullptr});
    }
    if (!f.patch) return missing("patch");
    if (f.op == "context.merge-patch")
        return CommandBody(MergePatchContext{*std::move(f.key), *std::move(f.patch)});
    return CommandBody(JsonPatchContext{*std::move(f.key), *std::move(f.patch)});
}

Result<CommandBody> set_mode(Fields& f) {
    if (!f.mode) return missing("mode");
    SetMode set;
    set.mode = *f.mode;
    set.instance_id = std::move(f.instance_id);
    set.configuration = std::move(f.configuration);
    set.context_snapshot = std::move(f.context_snapshot);
    set.transition_duration_ms = f.transition_duration_ms;
    set.success = f.success;
    set.error_message = std::move(f.error_message);
    return CommandBody(std::move(set));
}

Result<CommandBody> body_of(Fields& f) {
    if (f.op.empty()) return missing("op");
    for (std::string_view op : {"context.put", "context.merge-patch", "context.json-patch",
                                "context.delete", "context.restore"})
        if (f.op == op) return on_context(f);
    if (f.op == "conflict.resolve") {
        if (!f.conflict_id) return missing("conflictId");
        if (!f.choice) return missing("choice");
        return CommandBody(ResolveConflict{*std::move(f.conflict_id), *f.choice, f.value});
    }
    if (f.op == "mode.set") return set_mode(f);
    if (f.op == "response.record") {
        if (!f.response) return missing("response");
        Result<ResponseRecord> record = read_response(*f.response);
        if (!record)
            return fail(Errc::invalid_field,
                        "response: must have chatId, messageId, mode, final and sources, each "
                        "source with sourceType and timestamp");
        return CommandBody(RecordResponse{*std::move(record)});
    }
    if (f.op == "mcp.announce") {
        if (!f.kind) return missing("kind");
        if (!f.payload) return missing("payload");
        return CommandBody(AnnounceMcp{*f.kind, *std::move(f.payload)});
    }
    return fail(Errc::unknown_type, "op: there is no operation of this name");
}

}  // namespace

Result<Command> read_operation(Source& source, std::string_view payload) {
    Fields fields;
    const auto take = [&](std::size_t index, Field& field) {
        return take_member(index, field, fields);
    };
    if (Status read = read_payload(source, payload, kMembers, take); !read) return read.error();
    Result<CommandBody> body = body_of(fields);
    if (!body) return body.error();
    Command command;
    command.expected_version = fields.expected_version;
    command.body = *std::move(body);
    return command;
}

}  // namespace dyad::wire
