#include "wire/frames.hpp"

#include "base/check.hpp"
#include "base/limits.hpp"
#include "net/frame_header.hpp"

#include <cstring>

namespace dyad::wire {
namespace {

using json::Writer;

// Nearly every message is longer than 125 and shorter than 65,536 bytes.
constexpr std::size_t kMiddleHeader = 4;
// About as many bytes as a message has, beside what can be of any length.
constexpr std::size_t kMessageBytes = 320;

}  // namespace

TextFrame::TextFrame(std::string& out, std::size_t bytes)
    : TextFrameHeader{out, out.size()}, Writer(out, kMiddleHeader + bytes) {
    raw(std::string_view("\0\0\0\0", kMiddleHeader));
}

TextFrameHeader::~TextFrameHeader() {
    const auto header = net::frame_header(net::Opcode::text, out.size() - begin - kMiddleHeader);
    if (header.size == kMiddleHeader)
        std::memcpy(out.data() + begin, header.bytes.data(), kMiddleHeader);
    else
        out.replace(begin, kMiddleHeader, header.view());
}

void open_envelope(std::string& out, const Speaker& from, std::string_view type,
                   std::string_view id) {
    Writer text(out, kMessageBytes);
    write_envelope(text, from, type, id);
}

void write_connect(std::string& out, const Speaker& from, std::string_view id,
                   std::string_view client_id) {
    TextFrame text(out, kMessageBytes);
    write_envelope(text, from, "connect", id);
    text.object("clientId", client_id, "instanceId", from.instance_id).raw("}");
}

void write_ping(std::string& out, const Speaker& from, std::string_view id) {
    TextFrame text(out, kMessageBytes);
    write_envelope(text, from, "ping", id);
    text.raw("{}}");
}

void write_pong(std::string& out, const Speaker& from, std::string_view id,
                std::string_view payload) {
    TextFrame text(out, kMessageBytes + payload.size());
    write_envelope(text, from, "pong", id);
    text.raw(payload.empty() ? std::string_view("{}") : payload).raw("}");
}

void write_error(std::string& out, const Speaker& from, std::string_view id, const Error& error,
                 std::string_view request_id, const Context* current) {
    const ErrorRow& row = error_row(error.code);
    TextFrame text(out, 2 * kMessageBytes);
    write_envelope(text, from, "error", id);
    text.object([&] {
        text.members("code", row.name, "message", row.message, "detail", error.detail, "retry",
                     row.retry, "requestId", request_id);
        if (current != nullptr) text.member("current", *current);
    });
    text.raw("}");
}

void write_welcome(std::string& out, const Speaker& from, std::string_view id,
                   const Welcome& welcome) {
    TextFrame text(out, 2 * kMessageBytes);
    write_envelope(text, from, "welcome", id);
    text.object([&] {
        text.members("protocol", 2, "position", welcome.position.to_string(), "node",
                     from.instance_id, "heartbeatMs", welcome.heartbeat_ms, "staleMs",
                     welcome.stale_ms);
        text.member("limits").object(
            "messageBytes", limits::frame_bytes_max, "documentBytes", limits::document_bytes_max,
            "contextKeyBytes", limits::context_key_bytes_max, "jsonDepth", limits::json_depth_max,
            "jsonMembers", limits::json_members_max);
    });
    text.raw("}");
}

void write_reset(std::string& out, std::string_view reason) {
    TextFrame text(out, kMessageBytes);
    text.raw(R"({"type":"reset","payload":)").object("reason", reason).raw("}");
}

void write_position(std::string& out, const Position& position, bool live) {
    TextFrame text(out, kMessageBytes);
    text.raw(R"({"type":"position","payload":)");
    text.object("position", position.to_string(), "live", live).raw("}");
}

void write_ack(std::string& out, const Reply& reply) {
    TextFrame text(out, kMessageBytes + reply.result.size());
    text.raw(R"({"id":)").string(reply.operation_id);
    text.raw(R"(,"type":"ack","payload":{"position":)").string(reply.position.to_string());
    text.raw(R"(,"version":)").integer(reply.version);
    if (reply.duplicate) text.raw(R"(,"duplicate":true)");
    text.raw(R"(,"kind":")").raw(name_of(reply.kind));
    text.raw(R"(","result":)").raw(reply.result).raw("}}");
}

void write_goaway(std::string& out, std::string_view reason, std::int64_t reconnect_after_ms) {
    TextFrame text(out, kMessageBytes);
    text.raw(R"({"type":"goaway","payload":)");
    text.object("reason", reason, "reconnectAfterMs", reconnect_after_ms).raw("}");
}

void write_presence(std::string& out, std::span<const Presence> instances) {
    TextFrame text(out, kMessageBytes);
    text.raw(R"({"type":"presence","payload":{"instances":)");
    text.array(instances, [&text](const Presence& instance) {
        text.object("instanceId", instance.instance_id, "connections", instance.connections,
                    "connectedAt", instance.connected_at_ms, "lastSeen", instance.last_seen_ms);
    });
    text.raw("}}");
}

}  // namespace dyad::wire
