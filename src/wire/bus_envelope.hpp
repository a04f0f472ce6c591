// What existing instances say to each other on Redis (wire.md 1.2): one JSON object for each event,
// on the channel of its type.
//
//     {eventId, eventType, userId, instanceId, timestamp, payload, metadata?}
//
// Ours begin with a mark in their metadata, by which our own nodes know them at once.
#pragma once

#include "base/result.hpp"
#include "model/change.hpp"
#include "model/command.hpp"
#include "model/event.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dyad::wire {

enum class EnvelopeType : std::uint8_t {
    mode_changed,
    mode_config_updated,
    context_created,
    context_updated,
    context_deleted,
    response_generated,
    mcp_tool_executed,
    mcp_server_added,
    mcp_server_removed,
    sync_request,
    sync_heartbeat,
};

}  // namespace dyad::wire

template <>
inline constexpr std::array<std::string_view, 11> dyad::kNamesOf<dyad::wire::EnvelopeType> = {
    "mode:changed",       "mode:config-updated", "context:created",   "context:updated",
    "context:deleted",    "response:generated",  "mcp:tool-executed", "mcp:server-added",
    "mcp:server-removed", "sync:request",        "sync:heartbeat"};

namespace dyad::wire {

struct Envelope {
    EnvelopeType type = EnvelopeType::sync_request;
    std::string event_id;
    std::string user_id;
    std::string instance_id;
    std::int64_t timestamp_ms = 0;
    std::string payload;  // canonical JSON of an object
};

// Appends the envelope of an event. Nothing is appended, and nothing returned, where existing
// instances have no name for it.
std::optional<EnvelopeType> write_bus_envelope(std::string& out, std::string_view user_id,
                                               const EventOrigin& origin, EventKind kind,
                                               const Change& change);

// Whether it is one of ours, or says that it is.
bool is_marked_envelope(std::string_view text) noexcept;

// Strict about names and sizes; further members are passed over. Errors: invalid_json,
// invalid_utf8, invalid_field, missing_field, too_large.
Result<Envelope> read_bus_envelope(std::string_view text);

// What the envelope of an existing instance says, as the command that would have made it so.
// Errors: as of a message of a plain client; unknown_type where it changes nothing.
Result<CommandBody> command_of(const Envelope& envelope);

}  // namespace dyad::wire
