#include "load/dialect.hpp"

#include "load/measures.hpp"

#include <cstdio>
#include <ctime>

#include <unistd.h>

namespace dyad::bench {
namespace {

constexpr std::string_view kPlainHead = R"({"k":")";
constexpr std::string_view kPad = R"(","pad":"abcdefghijklmnopqrstuvwxyzabcdef"}})";

// The mask of zeros leaves the bytes as they are.
void append_masked(std::string& out, std::uint8_t opcode, std::string_view payload) {
    const std::size_t size = payload.size();
    out.push_back(static_cast<char>(0x80 | opcode));
    if (size < 126) {
        out.push_back(static_cast<char>(0x80 | size));
    } else {
        out.push_back(static_cast<char>(0x80 | 126));
        out.push_back(static_cast<char>(size >> 8));
        out.push_back(static_cast<char>(size & 255));
    }
    out.append(4, '\0').append(payload);
}

std::int64_t wall_ms() {
    timespec time{};
    clock_gettime(CLOCK_REALTIME, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1'000'000;
}

}  // namespace

std::string marker_text(Marker marker) {
    std::string text(kMarkerBytes + 1, '\0');
    std::snprintf(text.data(), text.size(), "~T%016llx%08x",
                  static_cast<unsigned long long>(marker.written_ns), marker.number);
    text.pop_back();
    return text;
}

Dialect::Dialect(const Options& options)
    : options_(options),
      run_(static_cast<std::uint32_t>(now_ns() / 1000) ^ static_cast<std::uint32_t>(getpid())),
      tail_(R"(","type":"context-sync","userId":"u-000042","payload":{"contextKey":"chat/17",)"
            R"("version":12,"data":")") {
    constexpr std::string_view kEnd = "\"}}";
    const std::size_t head = kPlainHead.size() + kMarkerBytes;
    while (head + tail_.size() + kEnd.size() < options.message_bytes)
        tail_.push_back(static_cast<char>('a' + tail_.size() % 26));
    tail_.append(kEnd);
}

std::string Dialect::handshake(std::size_t room, bool writer) const {
    std::string path = "/sync";
    if (options_.mode == Mode::nats) path = "/";
    if (options_.mode == Mode::plain)
        path = "/r" + std::to_string(room + options_.room_base) + (writer ? "?pub" : "");
    return "GET " + path + " HTTP/1.1\r\nHost: " + options_.host + ":" +
           std::to_string(options_.port) +
           "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
           (options_.mode == Mode::acked ? "Sec-WebSocket-Protocol: dyad.v2\r\n" : "") + "\r\n";
}

std::string Dialect::greeting(std::size_t client, std::size_t room, bool writer) const {
    std::string frame;
    const std::string instance = "ref-" + std::to_string(client);
    switch (options_.mode) {
        case Mode::plain:
            break;
        case Mode::nats: {
            std::string text =
                "CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false,\"protocol\":1}\r\n";
            if (!writer) text += "SUB r" + std::to_string(room) + " 1\r\n";
            append_masked(frame, 2, text + "PING\r\n");
            break;
        }
        case Mode::dyad:  // the first message with both names registers the client
            append_masked(frame, 1, envelope("ping", client, room, instance, "{}"));
            break;
        case Mode::acked:
            append_masked(frame, 1,
                          R"({"type":"hello","payload":{"protocol":2,"userId":"room-)" +
                              std::to_string(room + options_.room_base) + R"(","instanceId":")" +
                              instance + "\"}}");
            break;
    }
    return frame;
}

bool Dialect::knows_us(std::string_view received) const {
    switch (options_.mode) {
        case Mode::plain:
            return true;
        case Mode::nats:
            return received.find("PONG\r\n") != std::string_view::npos;
        case Mode::dyad:
            return received.find("\"pong\"") != std::string_view::npos;
        case Mode::acked:
            return received.find("\"live\":true") != std::string_view::npos;
    }
    return false;
}

std::string Dialect::envelope(std::string_view type, std::uint64_t id, std::size_t room,
                              std::string_view instance, std::string_view payload) const {
    char head[64];
    std::snprintf(head, sizeof head, "{\"id\":\"%08x-0000-4000-8000-%012llx\",", run_,
                  static_cast<unsigned long long>(id));
    return std::string(head)
        .append("\"type\":\"")
        .append(type)
        .append("\",\"userId\":\"room-")
        .append(std::to_string(room + options_.room_base))
        .append("\",\"instanceId\":\"")
        .append(instance)
        .append("\",\"timestamp\":")
        .append(std::to_string(wall_ms()))
        .append(",\"payload\":")
        .append(payload)
        .append("}");
}

void Dialect::write(std::string& out, std::size_t room, Marker marker) const {
    const std::string mark = marker_text(marker);
    switch (options_.mode) {
        case Mode::plain:
            append_masked(out, 1, std::string(kPlainHead).append(mark).append(tail_));
            break;
        case Mode::nats: {
            const std::string text = std::string(kPlainHead).append(mark).append(tail_);
            append_masked(out, 2,
                          "PUB r" + std::to_string(room) + " " + std::to_string(text.size()) +
                              "\r\n" + text + "\r\n");
            break;
        }
        case Mode::dyad: {
            const std::string payload =
                std::string(R"({"contextKey":"chat:17","contextType":"chat","version":0,)"
                            R"("mergeStrategy":"replace","data":{"k":")")
                    .append(mark)
                    .append(kPad);
            append_masked(out, 1,
                          envelope("context-sync", (1ULL << 32) + marker.number, room,
                                   "ref-pub-" + std::to_string(room), payload));
            break;
        }
        case Mode::acked:
            append_masked(out, 1,
                          std::string("{\"id\":\"")
                              .append(mark)
                              .append(R"(","type":"command","payload":{"op":"context.put",)"
                                      R"("contextKey":"chat:17","contextType":"chat",)"
                                      R"("force":true,"data":{"k":"00000000000000000000000000)")
                              .append(kPad)
                              .append("}"));
            break;
    }
}

std::size_t Dialect::bytes_after_marker() const {
    constexpr std::size_t kOfPad = 32;
    if (options_.mode == Mode::dyad) return kOfPad;
    return options_.mode == Mode::acked ? 0 : tail_.size();
}

}  // namespace dyad::bench
