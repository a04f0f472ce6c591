#include "base/limits.hpp"
#include "wire/fields.hpp"
#include "wire/message.hpp"
#include "wire/payloads.hpp"

namespace dyad::wire {
namespace {

constexpr std::array<std::string_view, 6> kEnvelope = {"id",         "type",      "userId",
                                                       "instanceId", "timestamp", "payload"};

bool take_name(Field& field, std::int64_t bytes_max, std::string_view& out) {
    const Taken<std::string_view> text = field.string();
    if (!text.value) return text.good;
    if (text.value->size() > static_cast<std::size_t>(bytes_max))
        return field.too_large("at most " + std::to_string(bytes_max) + " bytes are allowed");
    out = *text.value;
    return true;
}

bool take_envelope(std::size_t index, Field& field, Message& message) {
    switch (index) {
        case 0:
            return take_name(field, limits::operation_id_bytes_max, message.id);
        case 1:
            return take_name(field, 64, message.type_name);
        case 2:
            return take_name(field, limits::user_id_bytes_max, message.user_id);
        case 3:
            return take_name(field, limits::instance_id_bytes_max, message.instance_id);
        case 4:
            // The server's clock decides; the client's is only checked for its form.
            return field.clock();
        default:
            return field.raw(message.payload);
    }
}

Status read_envelope(Source& source, Message& message) {
    json::Lexer& lexer = source.lexer();
    lexer.skip_space();
    if (lexer.peek() != '{') return fail(Errc::invalid_json, "the message must be a JSON object");
    const auto take = [&message](std::size_t index, Field& field) {
        return take_envelope(index, field, message);
    };
    Members members;
    if (!read_members<kEnvelope>(source, members, take) || !lexer.finish())
        return lexer.take_error();
    if (!members.others.empty()) message.other = members.others.front();
    if (message.type_name.empty())
        return fail(Errc::missing_field, "type: every message names its type");
    message.type = message_type_by_name(message.type_name);
    return Done{};
}

}  // namespace

struct Decoder::Workspace {
    Source envelope;
    Source payload;
    std::string_view text;  // the last one that envelope() read

    // The payload is read as a part of its message, so that errors count the bytes of the message.
    Source& open_payload(const Message& message) {
        const auto start = static_cast<std::size_t>(message.payload.data() - text.data());
        const std::size_t size = message.payload.size();
        CHECK(start <= text.size() && size <= text.size() - start);
        payload.open(text.substr(0, start + size), start);
        return payload;
    }
};

Decoder::Decoder() : workspace_(std::make_unique<Workspace>()) {}
Decoder::~Decoder() = default;

Result<Message> Decoder::envelope(std::string_view text) {
    workspace_->text = text;
    workspace_->envelope.open(text);
    Result<Message> message{Message{}};
    if (Status read = read_envelope(workspace_->envelope, *message); !read) message = read.error();
    return message;
}

Status Decoder::check_payload(const Message& message) {
    if (message.payload.empty() || message.payload == "{}") return Done{};
    Source& source = workspace_->open_payload(message);
    if (!Field("payload", source).skip() || !source.lexer().finish())
        return source.lexer().take_error();
    return Done{};
}

Result<Hello> Decoder::hello(const Message& message) {
    if (message.payload.empty()) return missing("payload");
    Hello hello;
    if (Status known = check_members(message); !known) return known.error();
    if (Status read = read_hello(workspace_->open_payload(message), hello); !read)
        return read.error();
    if (hello.instance_id.empty()) hello.instance_id = message.instance_id;
    if (hello.user_id.value_or("").empty() && !message.user_id.empty())
        hello.user_id = message.user_id;
    if (!message.instance_id.empty() && hello.instance_id != message.instance_id)
        return fail(Errc::invalid_field, "instanceId: payload and envelope name different ones");
    if (!message.user_id.empty() && hello.user_id != message.user_id)
        return fail(Errc::invalid_field, "userId: payload and envelope name different ones");
    if (hello.instance_id.empty())
        return fail(Errc::missing_field, "instanceId: hello names the instance that speaks");
    return hello;
}

Status Decoder::check_members(const Message& message) {
    if (message.other.data() == nullptr) return Done{};
    return not_known(message.other, kEnvelope);
}

Result<Command> Decoder::operation(std::string_view payload, Given given) {
    workspace_->payload.open(payload);
    Result<Command> command{Command{}};
    if (Status read = read_operation(workspace_->payload, *command, std::move(given)); !read)
        command = read.error();
    return command;
}

Result<Command> Decoder::command(const Message& message, const From& from) {
    if (message.payload.empty())
        return fail(Errc::missing_field, "payload: is required in a message of this type");
    Source& source = workspace_->open_payload(message);
    // Filled where it is returned: to move a command costs as much as to read a member.
    Result<Command> command{Command{}};
    command->operation_id = std::string(message.id);
    const Status read =
        message.type == MessageType::context_sync  ? read_context_sync(source, from, *command)
        : message.type == MessageType::mode_update ? read_mode_update(source, from, *command)
                                                   : read_operation(source, *command, {});
    if (!read) command = read.error();
    return command;
}

}  // namespace dyad::wire
