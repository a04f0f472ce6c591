#include "wire/bus_envelope.hpp"

#include "base/limits.hpp"
#include "base/overloaded.hpp"
#include "model/identity.hpp"
#include "model/json_fields.hpp"
#include "model/json_text.hpp"
#include "wire/payloads.hpp"
#include "wire/plain_events.hpp"

namespace dyad::wire {
namespace {

using json::Writer;

constexpr std::string_view kMark = R"({"metadata":{"dyad":{"offset":)";
constexpr std::size_t kEnvelopeBytes = 400;
// A document, and what stands around it.
constexpr std::size_t kPayloadBytesMax = limits::document_bytes_max + 8192;

EnvelopeType type_of(const ContextChange& change) {
    switch (change.action) {
        case ContextAction::created:
            return EnvelopeType::context_created;
        case ContextAction::deleted:
        case ContextAction::expired:
            return EnvelopeType::context_deleted;
        case ContextAction::updated:
        case ContextAction::restored:
        case ContextAction::resolved:
            break;
    }
    return EnvelopeType::context_updated;
}

std::optional<EnvelopeType> type_of(EventKind kind, const Change& change) {
    switch (kind) {
        case EventKind::context_changed:
            return type_of(std::get<ContextChange>(change));
        case EventKind::mode_changed:
            return EnvelopeType::mode_changed;
        case EventKind::response_recorded:
            return EnvelopeType::response_generated;
        case EventKind::mcp_tool_executed:
            return EnvelopeType::mcp_tool_executed;
        case EventKind::mcp_server_added:
            return EnvelopeType::mcp_server_added;
        case EventKind::mcp_server_removed:
            return EnvelopeType::mcp_server_removed;
        case EventKind::event_lost:
        case EventKind::claim_changed:
            break;
    }
    return std::nullopt;
}

void write_payload(Writer& out, const Change& change) {
    std::visit(Overloaded{
                   [&](const ContextChange& one) {
                       const Context& context = *one.context;
                       out.object("contextKey", context.key, "contextType", context.type, "data",
                                  json::Raw{context.data}, "version", context.version);
                   },
                   [&](const ModeChange& one) {
                       out.object([&] {
                           out.members("fromMode", one.state.previous, "toMode", one.state.current);
                           if (one.state.configuration)
                               out.member("configuration", json::Raw{*one.state.configuration});
                       });
                   },
                   [&](const ResponseChange& one) { out.value(one.record); },
                   [&](const McpChange& one) { out.raw(one.payload); },
                   [](const ClaimChange&) {},  // they have no name for it
               },
               change);
}

struct Fields {
    std::optional<std::string> event_id, type, user_id, instance_id;
    std::optional<std::int64_t> timestamp_ms;
    std::string_view payload;
};

constexpr MemberOf<Fields> kMembers[] = {
    {"eventId", into<&Fields::event_id>},
    {"eventType", into<&Fields::type>},
    {"userId", into<&Fields::user_id>},
    {"instanceId", into<&Fields::instance_id>},
    {"timestamp", into<&Fields::timestamp_ms>},
    {"payload", [](Field& field, Fields& fields) { return field.raw(fields.payload); }},
};

Status read_fields(std::string_view text, Fields& fields) {
    Source source;
    source.open(text);
    source.lexer().skip_space();
    if (source.lexer().peek() != '{')
        return fail(Errc::invalid_json, "an envelope is a JSON object");
    Members members;
    if (!json::read_members<kMembers>(source, members, fields) || !source.lexer().finish())
        return source.lexer().take_error();
    return Done{};
}

constexpr MemberOf<Context> kContextMembers[] = {
    {"contextKey", into<&Context::key>},
    {"contextType", into<&Context::type>},
    {"data",
     [](Field& field, Context& context) {
         std::string_view data;
         if (!field.raw(data)) return false;
         context.data = data;
         return true;
     }},
    {"version", into<&Context::version>},
};

Result<CommandBody> context_command(const Envelope& envelope, Source& source) {
    auto context = std::make_shared<Context>();
    TRY(read_payload<kContextMembers>(source, false, *context));
    if (context->key.empty()) return missing("contextKey");
    if (envelope.type == EnvelopeType::context_deleted)
        return CommandBody(DeleteContext{std::move(context->key)});
    if (!context->data.starts_with('{'))
        return fail(Errc::invalid_field, "data: must be an object");
    context->last_modified_by = envelope.instance_id;
    return CommandBody(AdoptContext{std::move(context)});
}

}  // namespace

Result<CommandBody> command_of(const Envelope& envelope) {
    Source source;
    source.open(envelope.payload);
    source.pass_unknown = true;
    Command command;
    switch (envelope.type) {
        case EnvelopeType::context_created:
        case EnvelopeType::context_updated:
        case EnvelopeType::context_deleted:
            return context_command(envelope, source);
        case EnvelopeType::mode_changed: {
            TRY(read_mode_update(source, {.strict = false}, command));
            std::get<SetMode>(command.body).instance_id = envelope.instance_id;
            return std::move(command.body);
        }
        case EnvelopeType::response_generated: {
            std::optional<Result<ResponseRecord>> record;
            Field field("payload", source);
            if (!take_response(field, record, true)) return source.lexer().take_error();
            if (!record) return missing("payload");
            TRY(*record);
            (*record)->instance_id = envelope.instance_id;
            return CommandBody(RecordResponse{**std::move(record)});
        }
        case EnvelopeType::mcp_tool_executed:
            return CommandBody(AnnounceMcp{EventKind::mcp_tool_executed, envelope.payload});
        case EnvelopeType::mcp_server_added:
            return CommandBody(AnnounceMcp{EventKind::mcp_server_added, envelope.payload});
        case EnvelopeType::mcp_server_removed:
            return CommandBody(AnnounceMcp{EventKind::mcp_server_removed, envelope.payload});
        case EnvelopeType::mode_config_updated:
        case EnvelopeType::sync_request:
        case EnvelopeType::sync_heartbeat:
            break;
    }
    return fail(Errc::unknown_type, "it changes nothing of what is kept here");
}

std::optional<EnvelopeType> write_bus_envelope(std::string& out, std::string_view user_id,
                                               const EventOrigin& origin, EventKind kind,
                                               const Change& change) {
    const std::optional<EnvelopeType> type = type_of(kind, change);
    if (!type) return std::nullopt;
    const auto* context = std::get_if<ContextChange>(&change);
    const std::array<char, 36> id = plain_event_id(origin);
    Writer text(out, kEnvelopeBytes + (context != nullptr ? context->context->data.size() : 0));
    text.raw(kMark).integer(origin.offset).raw("}}");
    text.members("eventId", std::string_view(id.data(), id.size()), "eventType", *type, "userId",
                 user_id, "instanceId", origin.source_instance_id, "timestamp",
                 origin.timestamp_ms);
    text.member("payload");
    write_payload(text, change);
    text.raw("}");
    return type;
}

bool is_marked_envelope(std::string_view text) noexcept {
    return text.starts_with(kMark);
}

Result<Envelope> read_bus_envelope(std::string_view text) {
    Fields fields;
    TRY(read_fields(text, fields));
    const std::optional<EnvelopeType> type = by_name<EnvelopeType>(fields.type.value_or(""));
    if (!type) return fail(Errc::invalid_field, "eventType: is none of those that are known");
    Envelope envelope{.type = *type,
                      .event_id = std::move(fields.event_id).value_or(""),
                      .user_id = std::move(fields.user_id).value_or(""),
                      .instance_id = std::move(fields.instance_id).value_or("")};
    TRY(check_name("eventId", envelope.event_id, limits::operation_id_bytes_max,
                   NameRule::operation));
    TRY(check_name("userId", envelope.user_id, limits::user_id_bytes_max, NameRule::identity));
    TRY(check_name("instanceId", envelope.instance_id, limits::instance_id_bytes_max,
                   NameRule::identity));
    if (!fields.timestamp_ms) return fail(Errc::missing_field, "timestamp: is missing");
    envelope.timestamp_ms = *fields.timestamp_ms;
    if (!fields.payload.starts_with('{'))
        return fail(Errc::invalid_field, "payload: must be an object");
    if (fields.payload.size() > kPayloadBytesMax)
        return fail(Errc::too_large, "payload: is larger than a document may be");
    // The document inside may be as deep as any.
    ASSIGN_OR_RETURN(
        envelope.payload,
        json::canonicalize(fields.payload, {.depth_max = limits::json_depth_max + 1,
                                            .members_max = limits::json_members_max + 16}));
    return envelope;
}

}  // namespace dyad::wire
