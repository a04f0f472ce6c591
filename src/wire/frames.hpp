// What the server says: every message of both dialects, each written as one complete WebSocket text
// frame (unmasked, not fragmented). Threads: pure functions.
#pragma once

#include "base/result.hpp"
#include "model/change.hpp"
#include "model/command.hpp"
#include "model/event.hpp"
#include "model/json_text.hpp"
#include "model/presence.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace dyad::wire {

// The header of a frame that begins at `begin` and has a place for it; put there when this is gone.
struct TextFrameHeader {
    std::string& out;
    std::size_t begin;
    ~TextFrameHeader();
};
// Writes the text of one frame at the end of `out`, complete once this is gone. `bytes`: about as
// many as its text has. Lifetime: nobody else uses `out` meanwhile.
class TextFrame : private TextFrameHeader, public json::Writer {  // in this order: it ends first
  public:
    TextFrame(std::string& out, std::size_t bytes);
};

// Who speaks, for the envelope: mostly the node, to a user.
struct Speaker {
    std::string_view instance_id;  // or the instance whose event it is
    std::string_view user_id;      // empty until it is known
    std::int64_t now_ms = 0;
};

// {"id":…,"type":…,"userId":…,"instanceId":…,"timestamp":…,"payload": — the payload and a closing
// brace follow.
inline void write_envelope(json::Writer& out, const Speaker& from, std::string_view type,
                           std::string_view id) {
    out.raw(R"({"id":)").string(id);
    out.raw(R"(,"type":")").raw(type);
    out.raw(R"(","userId":)").string(from.user_id);
    out.raw(R"(,"instanceId":)").string(from.instance_id);
    out.raw(R"(,"timestamp":)").integer(from.now_ms);
    out.raw(R"(,"payload":)");
}
void open_envelope(std::string& out, const Speaker& from, std::string_view type,
                   std::string_view id);

// Both dialects.
void write_connect(std::string& out, const Speaker& from, std::string_view id,
                   std::string_view client_id);
// `payload` is a JSON text; empty stands for {}.
void write_ping(std::string& out, const Speaker& from, std::string_view id);
void write_pong(std::string& out, const Speaker& from, std::string_view id,
                std::string_view payload);
// `request_id` of the message that failed; empty where there is none. Plain: `id` is a new one;
// negotiated: that of the command.
void write_error(std::string& out, const Speaker& from, std::string_view id, const Error& error,
                 std::string_view request_id, const Context* current);

// Negotiated.
struct Welcome {
    Position position;
    std::int64_t heartbeat_ms = 0;
    std::int64_t stale_ms = 0;
};
void write_welcome(std::string& out, const Speaker& from, std::string_view id,
                   const Welcome& welcome);
void write_reset(std::string& out, std::string_view reason);
void write_position(std::string& out, const Position& position, bool live);
void write_ack(std::string& out, const Reply& reply);
void write_goaway(std::string& out, std::string_view reason, std::int64_t reconnect_after_ms);
void write_presence(std::string& out, std::span<const Presence> instances);

// An `events` message is kEventsPrefix, event texts with commas between, kEventsSuffix.
inline constexpr std::string_view kEventsPrefix = R"({"type":"events","events":[)";
inline constexpr std::string_view kEventsSuffix = "]}";

}  // namespace dyad::wire
