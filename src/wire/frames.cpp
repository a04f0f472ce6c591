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

void write_envelope(Writer& out, const Speaker& from, std::string_view type, std::string_view id) {
    out.raw(R"({"id":)").string(id);
    out.raw(R"(,"type":")").raw(type);
    out.raw(R"(","userId":)").string(from.user_id);
    out.raw(R"(,"instanceId":)").string(from.node_instance_id);
    out.raw(R"(,"timestamp":)").integer(from.now_ms);
    out.raw(R"(,"payload":)");
}

TextFrame::TextFrame(std::string& out, std::size_t bytes)
    : header_{out, out.size()}, text_(out, kMiddleHeader + bytes) {
    text_.raw(std::string_view("\0\0\0\0", kMiddleHeader));
}

TextFrame::Header::~Header() {
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
    TextFrame frame(out, kMessageBytes);
    Writer& text = frame.text();
    write_envelope(text, from, "connect", id);
    text.raw(R"({"clientId":)").string(client_id);
    text.raw(R"(,"instanceId":)").string(from.node_instance_id).raw("}}");
}

void write_ping(std::string& out, const Speaker& from, std::string_view id) {
    TextFrame frame(out, kMessageBytes);
    write_envelope(frame.text(), from, "ping", id);
    frame.text().raw("{}}");
}

void write_pong(std::string& out, const Speaker& from, std::string_view id,
                std::string_view payload) {
    TextFrame frame(out, kMessageBytes + payload.size());
    write_envelope(frame.text(), from, "pong", id);
    frame.text().raw(payload.empty() ? std::string_view("{}") : payload).raw("}");
}

void write_error(std::string& out, const Speaker& from, std::string_view id, const Error& error,
                 std::string_view request_id, const Context* current) {
    const ErrorRow& row = error_row(error.code);
    TextFrame frame(out, 2 * kMessageBytes);
    Writer& text = frame.text();
    write_envelope(text, from, "error", id);
    text.raw(R"({"code":)").string(row.name);
    text.raw(R"(,"message":)").string(row.message);
    text.raw(R"(,"detail":)").string(error.detail);
    text.raw(R"(,"retry":)").boolean(row.retry);
    text.raw(R"(,"requestId":)").string(request_id);
    if (current != nullptr) {
        text.raw(R"(,"current":)");
        write(text, *current);
    }
    text.raw("}}");
}

void write_welcome(std::string& out, const Speaker& from, std::string_view id,
                   const Welcome& welcome) {
    TextFrame frame(out, 2 * kMessageBytes);
    Writer& text = frame.text();
    write_envelope(text, from, "welcome", id);
    text.raw(R"({"protocol":2,"position":)").string(welcome.position.to_string());
    text.raw(R"(,"node":)").string(from.node_instance_id);
    text.raw(R"(,"heartbeatMs":)").integer(welcome.heartbeat_ms);
    text.raw(R"(,"staleMs":)").integer(welcome.stale_ms);
    text.raw(R"(,"limits":{"messageBytes":)").integer(limits::frame_bytes_max);
    text.raw(R"(,"documentBytes":)").integer(limits::document_bytes_max);
    text.raw(R"(,"contextKeyBytes":)").integer(limits::context_key_bytes_max);
    text.raw(R"(,"jsonDepth":)").integer(limits::json_depth_max);
    text.raw(R"(,"jsonMembers":)").integer(limits::json_members_max).raw("}}}");
}

void write_reset(std::string& out, std::string_view reason) {
    TextFrame frame(out, kMessageBytes);
    frame.text().raw(R"({"type":"reset","payload":{"reason":)").string(reason).raw("}}");
}

void write_position(std::string& out, const Position& position, bool live) {
    TextFrame frame(out, kMessageBytes);
    Writer& text = frame.text();
    text.raw(R"({"type":"position","payload":{"position":)").string(position.to_string());
    text.raw(R"(,"live":)").boolean(live).raw("}}");
}

void write_ack(std::string& out, const Reply& reply) {
    TextFrame frame(out, kMessageBytes + reply.result.size());
    Writer& text = frame.text();
    text.raw(R"({"id":)").string(reply.operation_id);
    text.raw(R"(,"type":"ack","payload":{"position":)").string(reply.position.to_string());
    text.raw(R"(,"version":)").integer(reply.version);
    if (reply.duplicate) text.raw(R"(,"duplicate":true)");
    text.raw(R"(,"kind":")").raw(event_kind_name(reply.kind));
    text.raw(R"(","result":)").raw(reply.result).raw("}}");
}

void write_goaway(std::string& out, std::string_view reason, std::int64_t reconnect_after_ms) {
    TextFrame frame(out, kMessageBytes);
    Writer& text = frame.text();
    text.raw(R"({"type":"goaway","payload":{"reason":)").string(reason);
    text.raw(R"(,"reconnectAfterMs":)").integer(reconnect_after_ms).raw("}}");
}

void write_presence(std::string& out, std::span<const Presence> instances) {
    TextFrame frame(out, kMessageBytes);
    Writer& text = frame.text();
    text.raw(R"({"type":"presence","payload":{"instances":[)");
    for (const Presence& instance : instances) {
        if (&instance != instances.data()) text.raw(",");
        text.raw(R"({"instanceId":)").string(instance.instance_id);
        text.raw(R"(,"connections":)").integer(instance.connections);
        text.raw(R"(,"connectedAt":)").integer(instance.connected_at_ms);
        text.raw(R"(,"lastSeen":)").integer(instance.last_seen_ms).raw("}");
    }
    text.raw("]}}");
}

}  // namespace dyad::wire
