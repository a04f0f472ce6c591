#include "base/limits.hpp"
#include "model/json.hpp"
#include "wire/fields.hpp"
#include "wire/message.hpp"
#include "wire/payloads.hpp"

namespace dyad::wire {
namespace {

using simdjson::ondemand::document;
using simdjson::ondemand::object;

constexpr std::array<std::string_view, 6> kEnvelope = {"id",         "type",      "userId",
                                                       "instanceId", "timestamp", "payload"};

template <class View>
Status take_name(Field& field, std::int64_t bytes_max, std::string_view name, View& out) {
    Result<std::optional<std::string_view>> text = field.string();
    if (!text) return text.error();
    if (!*text) return Done{};
    if ((*text)->size() > static_cast<std::size_t>(bytes_max))
        return fail(Errc::too_large, std::string(name) + ": at most " + std::to_string(bytes_max) +
                                         " bytes are allowed");
    out = **text;
    return Done{};
}

Status take_timestamp(Field& field) {
    // The server's clock decides; the client's is only checked for its form.
    Result<std::optional<double>> number = field.number();
    if (!number) return number.error();
    return Done{};
}

}  // namespace

struct Decoder::Parsers {
    Source envelope;
    Source payload;
};

Decoder::Decoder() : parsers_(std::make_unique<Parsers>()) {}
Decoder::~Decoder() = default;

Result<Message> Decoder::envelope(std::string_view text) {
    parsers_->envelope.forget_large();
    Result<document> opened = parsers_->envelope.open(text);
    if (!opened) return opened.error();
    object members;
    if (auto code = opened->get_object().get(members)) return json_error(code);
    Message message;
    const auto take = [&](std::size_t index, Field& field) -> Status {
        switch (index) {
            case 0:
                return take_name(field, limits::operation_id_bytes_max, "id", message.id);
            case 1:
                return take_name(field, 64, "type", message.type_name);
            case 2:
                return take_name(field, limits::user_id_bytes_max, "userId", message.user_id);
            case 3:
                return take_name(field, limits::instance_id_bytes_max, "instanceId",
                                 message.instance_id);
            case 4:
                return take_timestamp(field);
            default: {
                Result<std::string_view> raw = field.raw();
                if (!raw) return raw.error();
                message.payload = *raw;
                return Done{};
            }
        }
    };
    if (Status read = read_members(members, kEnvelope, take); !read) return read.error();
    if (Status end = Source::at_end(*opened); !end) return end.error();
    if (message.type_name.empty())
        return fail(Errc::missing_field, "type: every message names its type");
    message.type = message_type_by_name(message.type_name);
    return message;
}

Status Decoder::check_payload(const Message& message) {
    if (message.payload.empty() || message.payload == "{}") return Done{};
    Result<std::string> read = json::canonicalize(message.payload);
    if (!read) return read.error();
    return Done{};
}

Result<Hello> Decoder::hello(const Message& message) {
    Result<Hello> hello = read_hello(parsers_->payload, message.payload);
    if (!hello) return hello;
    if (hello->instance_id.empty()) hello->instance_id = message.instance_id;
    if (!hello->user_id && !message.user_id.empty()) hello->user_id = message.user_id;
    if (hello->instance_id.empty())
        return fail(Errc::missing_field, "instanceId: hello names the instance that speaks");
    return hello;
}

Result<Command> Decoder::operation(std::string_view payload) {
    parsers_->payload.forget_large();
    return read_operation(parsers_->payload, payload);
}

Result<Command> Decoder::command(const Message& message) {
    if (message.payload.empty())
        return fail(Errc::missing_field, "payload: is required in a message of this type");
    parsers_->payload.forget_large();
    Result<Command> command = message.type == MessageType::context_sync
                                  ? read_context_sync(parsers_->payload, message.payload)
                              : message.type == MessageType::mode_update
                                  ? read_mode_update(parsers_->payload, message.payload)
                                  : read_operation(parsers_->payload, message.payload);
    if (command) command->operation_id = message.id;
    return command;
}

}  // namespace dyad::wire
