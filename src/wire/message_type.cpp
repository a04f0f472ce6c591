#include "wire/message.hpp"

#include <array>

namespace dyad::wire {
namespace {

constexpr std::array<std::string_view, 12> kNames = {
    "connect",       "disconnect",     "ping",      "pong",  "mode-update", "context-sync",
    "state-request", "state-response", "heartbeat", "error", "hello",       "command"};
static_assert(kNames.size() == static_cast<std::size_t>(MessageType::unknown));

}  // namespace

std::string_view message_type_name(MessageType type) noexcept {
    const auto i = static_cast<std::size_t>(type);
    return i < kNames.size() ? kNames[i] : std::string_view("unknown");
}

MessageType message_type_by_name(std::string_view name) noexcept {
    for (std::size_t i = 0; i < kNames.size(); ++i)
        if (kNames[i] == name) return static_cast<MessageType>(i);
    return MessageType::unknown;
}

}  // namespace dyad::wire
