// The operations of the negotiated protocol: one object with `op` and the fields that it needs.
#include "base/limits.hpp"
#include "model/change.hpp"
#include "wire/payloads.hpp"

#include <bit>

namespace dyad::wire {
namespace {

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
    std::optional<Mode> current_mode;
    std::optional<std::string> instance_id;
    std::optional<std::string> configuration;
    std::optional<std::string> context_snapshot;
    std::int64_t transition_duration_ms = 0;
    bool success = true;
    std::optional<std::string> error_message;
    std::optional<Result<ResponseRecord>> response;
    std::optional<EventKind> kind;
    std::optional<EventKind> mcp_type;
    std::optional<std::string> payload;
    std::optional<Version> expected_version;
    std::optional<Result<Provenance>> provenance;
    std::optional<Result<Fence>> fence;
    std::optional<std::string> resource;
    std::optional<Token> token;
    std::optional<std::int64_t> ttl_ms;
    std::optional<std::string> note;
    std::optional<std::string> session;
};

// By the names of the log ("mcp-tool-executed") and of the bus ("mcp:tool-executed").
std::optional<EventKind> mcp_kind_by_name(std::string_view name) noexcept {
    const bool of_the_bus = name.starts_with("mcp:");
    const auto kind =
        by_name<EventKind>(of_the_bus ? "mcp-" + std::string(name.substr(4)) : std::string(name));
    if (kind == EventKind::mcp_tool_executed || kind == EventKind::mcp_server_added ||
        kind == EventKind::mcp_server_removed)
        return kind;
    return std::nullopt;
}

constexpr std::string_view kMcpKinds = "mcp-tool-executed, mcp-server-added or mcp-server-removed";

template <auto place>
bool json_into(Field& field, Fields& f) {
    return field.document_unless_null(f.*place);
}
template <auto place>
bool mode_into(Field& field, Fields& f) {
    return field.name_into(f.*place, mode_by_any_name, any_of_names<Mode>);
}
template <auto place>
bool mcp_kind_into(Field& field, Fields& f) {
    return field.name_into(f.*place, mcp_kind_by_name, [] { return kMcpKinds; });
}

struct ProvenanceFields {
    std::optional<Author> kind;
    std::optional<Trust> trust;
    std::optional<std::string> model;
};
constexpr MemberOf<ProvenanceFields> kProvenance[] = {
    {"kind", into<&ProvenanceFields::kind>},
    {"model", into<&ProvenanceFields::model>},
    {"trust", into<&ProvenanceFields::trust>},
};
struct FenceFields {
    std::optional<std::string> resource;
    std::optional<Token> token;
};
constexpr MemberOf<FenceFields> kFence[] = {
    {"resource", into<&FenceFields::resource>},
    {"token", into<&FenceFields::token>},
};

// An object whose members `complete` makes the value of; null is none.
template <const auto& known, auto place, auto complete, class Parts>
bool object_into(Field& field, Fields& f) {
    Parts parts;
    const Taken<bool> taken = field.object<known>(parts);
    if (taken.good && taken.value) f.*place = complete(std::move(parts));
    return taken.good || (taken.value && field.add_name_to_member());
}

// What a user says is believed unless something else is said; whatever else comes from elsewhere.
Result<Provenance> complete_provenance(ProvenanceFields&& f) {
    if (!f.kind)
        return fail(Errc::missing_field, "provenance.kind: is required: " + any_of_names<Author>());
    const Trust by_kind = *f.kind == Author::user ? Trust::trusted : Trust::unverified;
    return Provenance{*f.kind, std::move(f.model).value_or(""), f.trust.value_or(by_kind)};
}

Result<Fence> complete_fence(FenceFields&& f) {
    if (!f.resource) return missing("fence.resource");
    if (!f.token) return missing("fence.token");
    return Fence{*std::move(f.resource), *f.token};
}

bool take_provenance(Field& field, Fields& f) {
    return object_into<kProvenance, &Fields::provenance, complete_provenance, ProvenanceFields>(
        field, f);
}
bool take_fence(Field& field, Fields& f) {
    return object_into<kFence, &Fields::fence, complete_fence, FenceFields>(field, f);
}

constexpr MemberOf<Fields> kMembers[] = {
    {"op", into<&Fields::op>},
    {"contextKey", into<&Fields::key>},
    {"contextType", into<&Fields::type>},
    {"mergeStrategy", into<&Fields::strategy>},
    {"data", json_into<&Fields::data>},
    {"force", into<&Fields::force>},
    {"tags", into<&Fields::tags>},
    {"expiresAt", take_expiry<Fields>},
    {"ttlDays", into<&Fields::ttl_days>},
    {"patch", json_into<&Fields::patch>},
    {"version", into<&Fields::version>},
    {"expectedVersion", into<&Fields::expected_version>},
    {"conflictId", into<&Fields::conflict_id>},
    {"choice", into<&Fields::choice>},
    // Where `null` is a value, too.
    {"value", [](Field& field, Fields& f) { return field.document(f.value.emplace()); }},
    {"mode", mode_into<&Fields::mode>},
    {"currentMode", mode_into<&Fields::current_mode>},
    {"instanceId", into<&Fields::instance_id>},
    {"configuration", json_into<&Fields::configuration>},
    {"contextSnapshot", json_into<&Fields::context_snapshot>},
    {"transitionDuration", into<&Fields::transition_duration_ms>},
    {"success", into<&Fields::success>},
    {"errorMessage", into<&Fields::error_message>},
    {"response", [](Field& field, Fields& f) { return take_response(field, f.response, false); }},
    {"kind", mcp_kind_into<&Fields::kind>},
    {"type", mcp_kind_into<&Fields::mcp_type>},
    {"payload", json_into<&Fields::payload>},
    {"provenance", take_provenance},
    {"fence", take_fence},
    {"resource", into<&Fields::resource>},
    {"token", into<&Fields::token>},
    {"ttlMs", into<&Fields::ttl_ms>},
    {"note", into<&Fields::note>},
    {"session", into<&Fields::session>},
};

// A bit for each, as in Members.
consteval std::uint64_t set_of(std::initializer_list<std::string_view> names) {
    std::uint64_t set = 0;
    for (const std::string_view name : names) {
        std::size_t at = 0;
        while (kMembers[at].name != name)
            ++at;
        set |= std::uint64_t{1} << at;
    }
    return set;
}

// What is said under two names, or in two places, must be the same.
template <class T>
Status agree(std::optional<T>& said, std::optional<T>&& other, std::string_view difference) {
    if (said && other && *said != *other) return fail(Errc::invalid_field, std::string(difference));
    if (!said) said = std::move(other);
    return Done{};
}

Status take_given(Fields& f, Given&& given) {
    TRY(agree(f.key, std::move(given.context_key),
              "contextKey: is another one than the path's; send it once"));
    TRY(agree(f.conflict_id, std::move(given.conflict_id),
              "conflictId: is another one than the path's; send it once"));
    TRY(agree(f.resource, std::move(given.resource),
              "resource: is another one than the query's; send it once"));
    TRY(agree(f.token, std::move(given.token),
              "token: is another one than the query's; send it once"));
    TRY(agree(f.instance_id, std::move(given.instance_id),
              "instanceId: is another one than the path's; send it once"));
    if (f.expected_version && f.force && f.strategy == MergeStrategy::replace)
        return fail(Errc::invalid_field, "force: excludes expectedVersion; send one of the two");
    if (f.expected_version && !given.conditions.hold(*f.expected_version))
        return fail(Errc::invalid_field,
                    "expectedVersion: is another one than the header's; send one of the two");
    return Done{};
}

// What the header says, where the payload has no place for it.
Status take_header(std::string_view text, std::string_view name, Fields& f,
                   bool (*take)(Field&, Fields&)) {
    if (text.empty()) return Done{};
    Source source;
    source.open(text);
    Field field(name, source);
    source.lexer().skip_space();
    if (!take(field, f) || !source.lexer().finish()) return source.lexer().take_error();
    return Done{};
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

Status delete_context(Fields& f, CommandBody& body) {
    body = DeleteContext{*std::move(f.key)};
    return Done{};
}

Status restore_context(Fields& f, CommandBody& body) {
    if (!f.version) return missing("version");
    body = RestoreContext{*std::move(f.key), *f.version, nullptr};
    return Done{};
}

template <class Patch>
Status patch_context(Fields& f, CommandBody& body) {
    if (!f.patch) return missing("patch");
    body = Patch{*std::move(f.key), *std::move(f.patch)};
    return Done{};
}

Status resolve_conflict(Fields& f, CommandBody& body) {
    if (!f.conflict_id) return missing("conflictId");
    if (!f.choice) return missing("choice");
    if (*f.choice != ResolveConflict::Choice::value && f.value) {
        if (*f.value != "null")
            return fail(Errc::invalid_field, "value: goes with choice \"value\" only");
        f.value.reset();
    }
    body = ResolveConflict{*std::move(f.conflict_id), *f.choice, std::move(f.value)};
    return Done{};
}

Status set_mode(Fields& f, CommandBody& body) {
    TRY(agree(f.mode, std::move(f.current_mode),
              "currentMode: is another one than mode; send one of the two"));
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
    TRY(agree(f.kind, std::move(f.mcp_type),
              "type: is another one than kind; send one of the two"));
    if (!f.kind)
        return fail(Errc::missing_field, "kind: is required (or type): " + std::string(kMcpKinds));
    if (!f.payload) return missing("payload");
    body = AnnounceMcp{*f.kind, *std::move(f.payload)};
    return Done{};
}

Status acquire_claim(Fields& f, CommandBody& body) {
    if (!f.resource) return missing("resource");
    body = AcquireClaim{*std::move(f.resource), f.ttl_ms.value_or(limits::claim_ttl_ms_default),
                        std::move(f.note), std::move(f.session).value_or("")};
    return Done{};
}

Status release_claim(Fields& f, CommandBody& body) {
    if (!f.resource) return missing("resource");
    if (!f.token) return missing("token");
    body = ReleaseClaim{*std::move(f.resource), *f.token};
    return Done{};
}

struct Operation {
    std::string_view name;
    std::uint64_t members;  // that it takes beside `op`
    Status (*put)(Fields& f, CommandBody& body);
};
constexpr std::uint64_t kFenced = set_of({"fence"});
constexpr std::uint64_t kOfAContext = kFenced | set_of({"contextKey", "expectedVersion"});
constexpr std::uint64_t kOfAValue = kOfAContext | set_of({"provenance"});
constexpr Operation kOperations[] = {
    {"context.put",
     kOfAValue |
         set_of({"contextType", "mergeStrategy", "data", "force", "tags", "expiresAt", "ttlDays"}),
     put_context},
    {"context.merge-patch", kOfAValue | set_of({"patch"}), patch_context<MergePatchContext>},
    {"context.json-patch", kOfAValue | set_of({"patch"}), patch_context<JsonPatchContext>},
    {"context.delete", kOfAContext, delete_context},
    {"context.restore", kOfAValue | set_of({"version"}), restore_context},
    {"conflict.resolve",
     kFenced | set_of({"conflictId", "choice", "value", "expectedVersion", "provenance"}),
     resolve_conflict},
    {"mode.set",
     kFenced | set_of({"mode", "currentMode", "instanceId", "configuration", "contextSnapshot",
                       "transitionDuration", "success", "errorMessage", "expectedVersion"}),
     set_mode},
    {"response.record", kFenced | set_of({"response"}), record_response},
    {"mcp.announce", kFenced | set_of({"kind", "type", "payload"}), announce_mcp},
    {"claim.acquire", set_of({"resource", "ttlMs", "note", "session"}), acquire_claim},
    {"claim.release", set_of({"resource", "token"}), release_claim},
};

const Operation* operation_by_name(std::string_view name) {
    for (const Operation& operation : kOperations)
        if (operation.name == name) return &operation;
    return nullptr;
}

Status check_members(const Operation& operation, const Members& members, bool op_is_given) {
    const std::uint64_t taken = operation.members | (op_is_given ? 0 : set_of({"op"}));
    const std::uint64_t strange = members.known & ~taken;
    if (members.others.empty() && strange == 0) return Done{};
    const std::string_view stranger =
        members.others.empty() ? kMembers[static_cast<std::size_t>(std::countr_zero(strange))].name
                               : members.others.front();
    std::vector<std::string_view> known;
    for (std::size_t i = 0; i < std::size(kMembers); ++i)
        if (taken >> i & 1U) known.push_back(kMembers[i].name);
    return json::not_known(stranger, known);
}

Status take_headers(const Given& given, const Operation& operation, Fields& f) {
    const auto check = [&](std::string_view text, std::uint64_t member, bool said,
                           const char* name) -> Status {
        if (text.empty()) return Done{};
        if ((operation.members & member) == 0)
            return fail(Errc::invalid_field, std::string(name) + ": this request takes none");
        if (!said) return Done{};
        return fail(Errc::invalid_field,
                    std::string(name) + ": stands in the body, too; send it in one place");
    };
    TRY(check(given.fence, set_of({"fence"}), f.fence.has_value(), "Dyad-Fence"));
    TRY(check(given.provenance, set_of({"provenance"}), f.provenance.has_value(),
              "Dyad-Provenance"));
    TRY(take_header(given.fence, "Dyad-Fence", f, take_fence));
    return take_header(given.provenance, "Dyad-Provenance", f, take_provenance);
}

// The members of an operation's object, and the operation.
Result<const Operation*> read_fields(Source& source, const Given& given, Fields& fields) {
    Members members;
    if (!begin_payload(source, given.op.empty() ? "payload" : "body") ||
        !read_members<kMembers>(source, members, fields) || !source.lexer().finish())
        return source.lexer().take_error();
    const bool op_is_given = !given.op.empty();
    if (!op_is_given && fields.op.empty()) return missing("op");
    const Operation* const operation = operation_by_name(op_is_given ? given.op : fields.op);
    if (operation == nullptr)
        return fail(Errc::unknown_type, "op: there is no operation of this name");
    TRY(check_members(*operation, members, op_is_given));
    return operation;
}

// The whole text is the patch, or the record.
Status read_document(Source& source, const Given& given, Fields& fields) {
    source.lexer().skip_space();
    const bool response = given.op == "response.record";
    Field body(response ? "body" : "patch", source);
    const bool good =
        response ? begin_payload(source, "body") && take_response(body, fields.response, true)
                 : body.document(fields.patch.emplace());
    if (!good || !source.lexer().finish()) return source.lexer().take_error();
    return Done{};
}

}  // namespace

Status read_operation(Source& source, Command& command, Given&& given) {
    Fields fields;
    const Operation* operation = operation_by_name(given.op);
    if (given.payload == Given::Payload::document) {
        TRY(read_document(source, given, fields));
    } else if (given.payload == Given::Payload::members) {
        ASSIGN_OR_RETURN(operation, read_fields(source, given, fields));
    }
    command.conditions = given.conditions;
    if (given.conditions.present() && (operation->members & set_of({"expectedVersion"})) == 0)
        return fail(Errc::invalid_field, "If-Match, If-None-Match: this request has no version");
    TRY(take_headers(given, *operation, fields));
    TRY(take_given(fields, std::move(given)));
    command.expected_version = fields.expected_version;
    if (fields.provenance) {
        TRY(*fields.provenance);
        command.provenance = **std::move(fields.provenance);
    }
    if (fields.fence) {
        TRY(*fields.fence);
        command.fence = **std::move(fields.fence);
    }
    if ((operation->members & set_of({"contextKey"})) != 0 && (!fields.key || fields.key->empty()))
        return missing("contextKey");
    return operation->put(fields, command.body);
}

}  // namespace dyad::wire
