#include "wire/frames.hpp"

#include "base/check.hpp"
#include "base/limits.hpp"
#include "model/json_slices.hpp"
#include "model/json_text.hpp"

namespace dyad::wire {
namespace {

using json::append_string;
using json_slices::append_integer;

constexpr std::size_t kShortHeader = 2;
constexpr std::size_t kMiddleHeader = 4;

void member(std::string& out, std::string_view name, std::string_view value) {
    out.append(",\"").append(name).append("\":");
    append_string(out, value);
}
template <class Integer>
void number(std::string& out, std::string_view name, Integer value) {
    out.append(",\"").append(name).append("\":");
    append_integer(out, value);
}

}  // namespace

FrameHeader text_header(std::size_t size, bool final, bool continuation) noexcept {
    FrameHeader header;
    const int opcode = continuation ? 0 : 1;
    header.bytes[0] = static_cast<char>((final ? 0x80 : 0) | opcode);
    if (size < 126) {
        header.bytes[1] = static_cast<char>(size);
        header.size = kShortHeader;
        return header;
    }
    const std::size_t digits = size <= 0xffff ? 2 : 8;
    header.bytes[1] = static_cast<char>(digits == 2 ? 126 : 127);
    for (std::size_t i = 0; i < digits; ++i)
        header.bytes[2 + i] = static_cast<char>(size >> (8 * (digits - 1 - i)));
    header.size = 2 + digits;
    return header;
}

TextFrame::TextFrame(std::string& out) : out_(out), begin_(out.size()) {
    // Nearly every message is longer than 125 and shorter than 65,536 bytes.
    out_.append(kMiddleHeader, '\0');
}

void TextFrame::finish() {
    const std::size_t size = out_.size() - begin_ - kMiddleHeader;
    out_.replace(begin_, kMiddleHeader, text_header(size).view());
}

void open_envelope(std::string& out, const Speaker& from, std::string_view type,
                   std::string_view id) {
    out.append("{\"id\":");
    append_string(out, id);
    out.append(",\"type\":\"").append(type).append("\"");
    member(out, "userId", from.user_id);
    member(out, "instanceId", from.node_instance_id);
    number(out, "timestamp", from.now_ms);
    out.append(",\"payload\":");
}

void write_connect(std::string& out, const Speaker& from, std::string_view id,
                   std::string_view client_id) {
    TextFrame frame(out);
    open_envelope(out, from, "connect", id);
    out.append("{\"clientId\":");
    append_string(out, client_id);
    member(out, "instanceId", from.node_instance_id);
    out.append("}}");
    frame.finish();
}

void write_ping(std::string& out, const Speaker& from, std::string_view id) {
    TextFrame frame(out);
    open_envelope(out, from, "ping", id);
    out.append("{}}");
    frame.finish();
}

void write_pong(std::string& out, const Speaker& from, std::string_view id,
                std::string_view payload) {
    TextFrame frame(out);
    open_envelope(out, from, "pong", id);
    out.append(payload.empty() ? std::string_view("{}") : payload);
    out += '}';
    frame.finish();
}

void write_error(std::string& out, const Speaker& from, std::string_view id, const Error& error,
                 std::string_view request_id, const Context* current) {
    const ErrorRow& row = error_row(error.code);
    TextFrame frame(out);
    open_envelope(out, from, "error", id);
    out.append("{\"code\":");
    append_string(out, row.name);
    member(out, "message", row.message);
    member(out, "detail", error.detail);
    out.append(row.retry ? ",\"retry\":true" : ",\"retry\":false");
    member(out, "requestId", request_id);
    if (current != nullptr) {
        out.append(",\"current\":");
        write_context(out, *current);
    }
    out.append("}}");
    frame.finish();
}

void write_welcome(std::string& out, const Speaker& from, std::string_view id,
                   const Welcome& welcome) {
    TextFrame frame(out);
    open_envelope(out, from, "welcome", id);
    out.append("{\"protocol\":2");
    member(out, "position", welcome.position.to_string());
    member(out, "node", from.node_instance_id);
    number(out, "heartbeatMs", welcome.heartbeat_ms);
    number(out, "staleMs", welcome.stale_ms);
    out.append(",\"limits\":{\"messageBytes\":");
    append_integer(out, limits::frame_bytes_max);
    number(out, "documentBytes", limits::document_bytes_max);
    number(out, "contextKeyBytes", limits::context_key_bytes_max);
    number(out, "jsonDepth", limits::json_depth_max);
    number(out, "jsonMembers", limits::json_members_max);
    out.append("}}}");
    frame.finish();
}

void write_reset(std::string& out, std::string_view reason) {
    TextFrame frame(out);
    out.append("{\"type\":\"reset\",\"payload\":{\"reason\":");
    append_string(out, reason);
    out.append("}}");
    frame.finish();
}

void write_position(std::string& out, const Position& position, bool live) {
    TextFrame frame(out);
    out.append("{\"type\":\"position\",\"payload\":{\"position\":");
    append_string(out, position.to_string());
    out.append(live ? ",\"live\":true}}" : ",\"live\":false}}");
    frame.finish();
}

void write_ack(std::string& out, const Reply& reply) {
    TextFrame frame(out);
    out.append("{\"id\":");
    append_string(out, reply.operation_id);
    out.append(",\"type\":\"ack\",\"payload\":{\"position\":");
    append_string(out, reply.position.to_string());
    number(out, "version", reply.version);
    if (reply.duplicate) out.append(",\"duplicate\":true");
    member(out, "kind", event_kind_name(reply.kind));
    out.append(",\"result\":").append(reply.result).append("}}");
    frame.finish();
}

void write_goaway(std::string& out, std::string_view reason, std::int64_t reconnect_after_ms) {
    TextFrame frame(out);
    out.append("{\"type\":\"goaway\",\"payload\":{\"reason\":");
    append_string(out, reason);
    number(out, "reconnectAfterMs", reconnect_after_ms);
    out.append("}}");
    frame.finish();
}

void write_presence(std::string& out, std::span<const PresentInstance> instances) {
    TextFrame frame(out);
    out.append("{\"type\":\"presence\",\"payload\":{\"instances\":[");
    for (const PresentInstance& instance : instances) {
        if (&instance != instances.data()) out += ',';
        out.append("{\"instanceId\":");
        append_string(out, instance.instance_id);
        number(out, "connections", instance.connections);
        number(out, "connectedAt", instance.connected_at_ms);
        number(out, "lastSeen", instance.last_seen_ms);
        out += '}';
    }
    out.append("]}}");
    frame.finish();
}

}  // namespace dyad::wire
