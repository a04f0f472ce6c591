#include "base/limits.hpp"
#include "wire/payloads.hpp"

namespace dyad::wire {
namespace {

template <auto place, std::int64_t bytes_max>
bool take_name(Field& field, Message& message) {
    const Taken<std::string_view> text = field.string();
    if (!text.value) return text.good;
    if (text.value->size() > static_cast<std::size_t>(bytes_max))
        return field.too_large("at most " + std::to_string(bytes_max) + " bytes are allowed");
    message.*place = *text.value;
    return true;
}

constexpr MemberOf<Message> kEnvelope[] = {
    {"id", take_name<&Message::id, limits::operation_id_bytes_max>},
    {"type", take_name<&Message::type_name, 64>},
    {"userId", take_name<&Message::user_id, limits::user_id_bytes_max>},
    {"instanceId", take_name<&Message::instance_id, limits::instance_id_bytes_max>},
    // The server's clock decides; the client's is only checked for its form.
    {"timestamp", [](Field& field, Message&) { return field.clock(); }},
    {"payload", [](Field& field, Message& message) { return field.raw(message.payload); }},
};

Status read_envelope(Source& source, Message& message) {
    json::Lexer& lexer = source.lexer();
    lexer.skip_space();
    if (lexer.peek() != '{') return fail(Errc::invalid_json, "the message must be a JSON object");
    Members members;
    if (!read_members<kEnvelope>(source, members, message) || !lexer.finish())
        return lexer.take_error();
    if (!members.others.empty()) message.other = members.others.front();
    if (message.type_name.empty())
        return fail(Errc::missing_field, "type: every message names its type");
    message.type = by_name<MessageType>(message.type_name).value_or(MessageType::unknown);
    return Done{};
}

}  // namespace

struct Decoder::Workspace {
    Source envelope;
    Source payload;
    std::string_view text;  // the last one that envelope() read
    bool is_utf8 = false;

    // The payload is read as a part of its message, so that errors count the bytes of the message.
    Source& open_payload(const Message& message) {
        const auto start = static_cast<std::size_t>(message.payload.data() - text.data());
        const std::size_t size = message.payload.size();
        CHECK(start <= text.size() && size <= text.size() - start);
        payload.open(text.substr(0, start + size), start, is_utf8);
        return payload;
    }
};

Decoder::Decoder() : workspace_(std::make_unique<Workspace>()) {}
Decoder::~Decoder() = default;

Result<Message> Decoder::envelope(std::string_view text, Bytes bytes) {
    workspace_->text = text;
    workspace_->is_utf8 = bytes == Bytes::utf8;
    workspace_->envelope.open(text, 0, workspace_->is_utf8);
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
    TRY(check_members(message));
    TRY(read_hello(workspace_->open_payload(message), hello));
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
    return not_known_in(kEnvelope, message.other);
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
