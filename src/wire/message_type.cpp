#include "base/enum_names.hpp"
#include "wire/message.hpp"

namespace dyad::wire {
namespace {

constexpr std::string_view kNames[] = {
    "connect",       "disconnect",     "ping",      "pong",  "mode-update", "context-sync",
    "state-request", "state-response", "heartbeat", "error", "hello",       "command"};
static_assert(std::size(kNames) == static_cast<std::size_t>(MessageType::unknown));

}  // namespace

std::string_view message_type_name(MessageType type) noexcept {
    return type == MessageType::unknown ? "unknown" : name_in(kNames, type);
}

MessageType message_type_by_name(std::string_view name) noexcept {
    return value_in<MessageType>(kNames, name).value_or(MessageType::unknown);
}

}  // namespace dyad::wire
