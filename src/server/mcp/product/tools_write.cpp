// The tools that write: each is an operation of the wire (docs/protocol.md) under names that suit a
// model, and goes the way that every write goes.
#include "base/overloaded.hpp"
#include "model/time_text.hpp"
#include "server/mcp/product/arguments.hpp"
#include "server/mcp/product/tools.hpp"
#include "server/mcp/product/value.hpp"
#include "server/switches.hpp"
#include "wire/message.hpp"
#include "wire/private_wish.hpp"

#include <span>

namespace dyad::server::mcp {
namespace {

struct Renamed {
    std::string_view argument;
    std::string_view field;  // of the operation
};
struct Operation {
    std::string_view name;
    std::span<const Renamed> names;
    std::string_view yours;  // the argument that a conflict shows beside what is stored
    wire::Given::Payload payload = wire::Given::Payload::members;
};

constexpr std::string_view kOperationId = "operation_id";

// What the arguments become.
struct Payload {
    std::string text;  // the operation's fields
    std::optional<std::string> operation_id;
    std::string_view yours;  // JSON, within the arguments
};

Result<Payload> payload_of(const Call& call, const Operation& operation) {
    ASSIGN_OR_RETURN(json::Source* const source, open_arguments(call));
    Payload out;
    json::Lexer& in = source->lexer();
    std::string text = "{";
    bool more = false;
    in.enter('}', more);
    while (more) {
        std::string_view name;
        if (!source->member_name(name)) return in.take_error();
        if (name == kOperationId) {
            if (out.operation_id)
                return fail(Errc::invalid_field, "operation_id: stands twice; send it once");
            if (!json::Field(name, *source).into(out.operation_id)) return in.take_error();
        } else {
            const auto is_it = [name](const Renamed& one) { return one.argument == name; };
            const auto at = std::find_if(operation.names.begin(), operation.names.end(), is_it);
            if (at == operation.names.end()) {
                std::vector<std::string_view> known;
                for (const Renamed& one : operation.names)
                    known.push_back(one.argument);
                known.push_back(kOperationId);
                return json::not_known(name, known);
            }
            std::string_view raw;
            if (!in.raw(raw)) return in.take_error();
            if (name == operation.yours) out.yours = raw;
            if (text.size() > 1) text += ',';
            text.append("\"").append(at->field).append("\":").append(raw);
        }
        if (!in.leave('}', more)) return in.take_error();
    }
    if (!in.finish()) return in.take_error();
    out.text = std::move(text) + "}";
    return out;
}

// An error names the argument where it would name the operation's field.
Error by_argument(Error error, const Operation& operation) {
    const std::size_t end = error.detail.find_first_of(":.");
    const std::string_view field = std::string_view(error.detail).substr(0, end);
    if (end == std::string::npos) return error;
    if (field == "id") error.detail.replace(0, end, kOperationId);
    for (const Renamed& one : operation.names)
        if (one.field == field) {
            error.detail.replace(0, end, one.argument);
            break;
        }
    return error;
}

// What was not said and can be told.
void fill_in(Command& command) {
    std::visit(Overloaded{
                   [](RecordResponse& response) {
                       // By what answers in which mode.
                       constexpr Mode kModes[] = {Mode::inspired, Mode::didactic, Mode::parallel};
                       const auto source = static_cast<std::size_t>(response.record.final.type);
                       if (response.record.mode.empty())
                           response.record.mode = name_of(kModes[source]);
                   },
                   [&command]<class Body>(Body&) {
                       constexpr bool kWritesAValue = std::is_same_v<Body, PutContext> ||
                                                      std::is_same_v<Body, MergePatchContext> ||
                                                      std::is_same_v<Body, JsonPatchContext>;
                       if (kWritesAValue && !command.provenance)
                           command.provenance = Provenance{.kind = Author::model, .model = {}};
                   },
               },
               command.body);
}

Result<Command> command_of(Call& call, const Operation& operation, const Payload& payload) {
    thread_local wire::Decoder decoder;  // keeps its parser's memory
    ASSIGN_OR_RETURN(
        Command command,
        decoder.operation(payload.text, {.op = operation.name, .payload = operation.payload}));
    command.instance_id = call.instance();
    command.operation_id =
        payload.operation_id ? *payload.operation_id : call.node().random().uuid4();
    fill_in(command);
    TRY(validate(command));
    TRY(check_switches(call.node().settings(), command));
    return command;
}

// What both sides have, and how to go on.
void write_conflict(json::Writer& out, const Error& error, std::string_view yours,
                    const Rejection& rejection) {
    const ErrorRow& row = error_row(error.code);
    out.object([&] {
        out.member("error").object("code", row.name, "message", error.detail, "retry", row.retry);
        if (!yours.empty()) out.member("yours", json::Raw{yours});
        if (rejection.current) write_value(out.member("stored"), *rejection.current);
        if (rejection.claim)
            out.member("claim").object([&] { write_claim_members(out, *rejection.claim); });
    });
}

void refused(Call& call, const Operation& operation, std::string_view yours,
             const Rejection& rejection) {
    Error error = by_argument(rejection.error, operation);
    const Context* const stored = rejection.current.get();
    if (error.code == Errc::version_conflict && stored != nullptr) {
        const std::string version = std::to_string(stored->version);
        error.detail = "expected_version: version " + version + " is stored, written by " +
                       stored->last_modified_by + " at " + write_time(stored->updated_at_ms) +
                       "; nothing was written. Compare `stored` with `yours`, then call again with "
                       "expected_version " +
                       version;
        if (operation.name == "context.put")
            error.detail +=
                " to replace it, or with strategy \"merge\" and the expected_version "
                "that yours is based on to merge both";
    } else if (error.code == Errc::version_conflict && operation.names.front().argument == "key") {
        error.detail =
            "expected_version: nothing is stored under this key, or it was deleted; "
            "nothing was written. Leave expected_version out, or send 0, to create it";
    }
    if (error.code == Errc::patch_failed && stored != nullptr)
        error.detail += "; `stored` is what the patch was applied to: make it anew against that";
    std::string both = json::written(
        1024, [&](json::Writer& out) { write_conflict(out, error, yours, rejection); });
    call.failed(error, std::move(both));
}

// What an operation's result says, as views into its text.
struct Said {
    std::string_view action = "\"ignored\"";
    std::string_view conflicts = "[]";
    std::string_view context;
    std::string_view mode;
    std::string_view response;
    std::string_view claim;
};
constexpr json::MemberOf<Said> kSaid[] = {
    {"action", [](json::Field& field, Said& out) { return field.raw(out.action); }},
    {"conflicts", [](json::Field& field, Said& out) { return field.raw(out.conflicts); }},
    {"context", [](json::Field& field, Said& out) { return field.raw(out.context); }},
    {"mode", [](json::Field& field, Said& out) { return field.raw(out.mode); }},
    {"response", [](json::Field& field, Said& out) { return field.raw(out.response); }},
    {"claim", [](json::Field& field, Said& out) { return field.raw(out.claim); }},
};

Result<Said> said_by(const std::string& result) {
    json::Source source;
    source.open(result);
    Said said;
    json::Members members;
    if (!json::read_members<kSaid>(source, members, said)) return source.lexer().take_error();
    return said;
}

void write_conflicts(json::Writer& out, std::string_view list) {
    json::Source source;
    source.open(list);
    out.raw("[");
    std::size_t count = 0;
    const bool good =
        json::Field("conflicts", source)
            .elements([&](json::Field& field) {
                std::string_view text;
                if (!field.raw(text)) return false;
                const Result<Conflict> conflict = read_conflict(text);
                if (!conflict) return source.lexer().refuse(conflict.error());
                if (count++ > 0) out.raw(",");
                out.object([&] {
                    out.members("id", conflict->id, "path", conflict->path);
                    const auto add = [&out](auto& member, const std::optional<std::string>& json) {
                        if (json) out.member(member, json::Raw{*json});
                    };
                    add("base", conflict->base);
                    add("stored", conflict->stored);
                    add("incoming", conflict->incoming);
                    out.member("incoming_from", conflict->incoming_from);
                });
                return true;
            })
            .good;
    CHECK(good);
    out.raw("]");
}

// The document of a result, where it has one.
template <class Document>
Result<std::optional<Document>> document(std::string_view text,
                                         Result<Document> (*read)(std::string_view)) {
    if (text.empty()) return std::optional<Document>();
    ASSIGN_OR_RETURN(Document document, read(text));
    return std::optional<Document>(std::move(document));
}

// The answer; an error where the stored result is damaged.
Result<std::string> answer_to(const Reply& reply) {
    ASSIGN_OR_RETURN(const Said said, said_by(reply.result));
    ASSIGN_OR_RETURN(const auto context, document(said.context, read_context));
    ASSIGN_OR_RETURN(const auto mode, document(said.mode, read_mode));
    ASSIGN_OR_RETURN(const auto response, document(said.response, read_response));
    ASSIGN_OR_RETURN(const auto claim, document(said.claim, read_claim));
    return json::written(1024, [&](json::Writer& out) {
        out.object([&] {
            if (context || claim) out.member("action", json::Raw{said.action});
            if (context) {
                write_members(out, *context);
                write_conflicts(out.member("conflicts"), said.conflicts);
            }
            if (mode) write_mode_members(out, *mode);
            if (response)
                out.members("chat_id", response->chat_id, "message_id", response->message_id);
            if (claim) write_claim_members(out, *claim);
            out.members("position", reply.position.to_string(), "operation_id", reply.operation_id,
                        "repeated", reply.duplicate);
        });
    });
}

// Whoever may have asked for inspired mode is private, though the rest is refused.
void keep_private(Call& call, std::string_view said) {
    if (const auto whose = wire::private_wish(said, wire::Said::mode))
        call.node().engine().keep_private(call.user(), whose->empty() ? call.instance() : *whose);
}

void submit(Call& call, const Operation& operation) {
    const Result<Payload> payload = payload_of(call, operation);
    const auto refuse = [&](const Error& error, std::string_view said) {
        if (operation.name == "mode.set") keep_private(call, said);
        call.failed(error);
    };
    if (!payload) return refuse(payload.error(), call.arguments());
    Result<Command> command = command_of(call, operation, *payload);
    if (!command) return refuse(by_argument(command.error(), operation), payload->text);
    call.node().engine().submit(
        call.user(), *std::move(command),
        [call = call.shared_from_this(), operation,
         yours = payload->yours](const std::variant<Reply, Rejection>& outcome) {
            if (const auto* const rejection = std::get_if<Rejection>(&outcome))
                return refused(*call, operation, yours, *rejection);
            Result<std::string> answer = answer_to(std::get<Reply>(outcome));
            answer ? call->result(*std::move(answer)) : call->failed(answer.error());
        });
}

#define OF_A_WRITE {"expected_version", "expectedVersion"}, {"fence", "fence"}
constexpr Renamed kSet[] = {{"key", "contextKey"},
                            {"value", "data"},
                            {"strategy", "mergeStrategy"},
                            {"type", "contextType"},
                            {"tags", "tags"},
                            {"ttl_days", "ttlDays"},
                            OF_A_WRITE,
                            {"provenance", "provenance"}};
constexpr Renamed kPatch[] = {
    {"key", "contextKey"}, {"patch", "patch"}, OF_A_WRITE, {"provenance", "provenance"}};
constexpr Renamed kDelete[] = {{"key", "contextKey"}, OF_A_WRITE};
constexpr Renamed kRestore[] = {{"key", "contextKey"}, {"version", "version"}, OF_A_WRITE};
constexpr Renamed kMode[] = {{"mode", "mode"}, {"instance", "instanceId"}, OF_A_WRITE};
#undef OF_A_WRITE
constexpr Renamed kResponse[] = {{"chat_id", "chatId"},           {"message_id", "messageId"},
                                 {"provider", "provider"},        {"model", "model"},
                                 {"text", "responseText"},        {"source", "sourceType"},
                                 {"confidence", "confidence"},    {"tools_used", "mcpToolsUsed"},
                                 {"input_tokens", "inputTokens"}, {"output_tokens", "outputTokens"},
                                 {"cost_usd", "costUsd"},         {"mode", "mode"}};
constexpr Renamed kAcquire[] = {
    {"resource", "resource"}, {"ttl_ms", "ttlMs"}, {"note", "note"}, {"session", "session"}};
constexpr Renamed kRelease[] = {{"resource", "resource"}, {"token", "token"}};

}  // namespace

void memory_set(Call& call) {
    submit(call, {"context.put", kSet, "value"});
}

void memory_patch(Call& call) {
    // The two kinds of patches differ by their first byte.
    Operation operation{"context.merge-patch", kPatch, "patch"};
    const Result<Payload> payload = payload_of(call, operation);
    if (payload && payload->yours.starts_with('[')) operation.name = "context.json-patch";
    submit(call, operation);
}

void memory_delete(Call& call) {
    submit(call, {"context.delete", kDelete, ""});
}

void memory_restore(Call& call) {
    submit(call, {"context.restore", kRestore, "version"});
}

void claim_acquire(Call& call) {
    submit(call, {"claim.acquire", kAcquire, ""});
}

void claim_release(Call& call) {
    submit(call, {"claim.release", kRelease, ""});
}

void mode_set(Call& call) {
    submit(call, {"mode.set", kMode, "mode"});
}

void response_record(Call& call) {
    submit(call, {"response.record", kResponse, "", wire::Given::Payload::document});
}

}  // namespace dyad::server::mcp
