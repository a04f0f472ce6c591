#include "net/websocket.hpp"

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "base/sha256.hpp"
#include "base/utf8.hpp"

#include <cstring>

namespace dyad::net {
namespace {

constexpr auto kMessageMax = static_cast<std::uint64_t>(limits::frame_bytes_max);
constexpr std::string_view kTooLarge = "the message is larger than 1 MiB";
constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

bool is_control(Opcode opcode) noexcept {
    return static_cast<std::uint8_t>(opcode) >= 8;
}

void unmask(char* bytes, std::size_t count, const char mask[4]) noexcept {
    std::uint64_t wide = 0;
    std::memcpy(&wide, mask, 4);
    wide |= wide << 32;
    std::size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        std::uint64_t word;
        std::memcpy(&word, bytes + i, 8);
        word ^= wide;
        std::memcpy(bytes + i, &word, 8);
    }
    for (; i < count; ++i)
        bytes[i] = static_cast<char>(bytes[i] ^ mask[i & 3]);
}

// RFC 6455 section 7.4 and the IANA registry of close codes.
bool valid_close_code(std::uint16_t code) noexcept {
    if (code >= 3000 && code <= 4999) return true;
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

}  // namespace

FrameReader::Partial& FrameReader::partial() {
    if (!partial_) partial_ = std::make_unique<Partial>();
    return *partial_;
}

void FrameReader::drop_if_empty() noexcept {
    if (partial_ && partial_->bytes.empty() && partial_->opcode == Opcode::continuation)
        partial_.reset();
}

bool FrameReader::parse_header(std::span<const char> bytes, Header& header,
                               Feeding& feeding) const {
    if (bytes.size() < 2) return true;
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    header.fin = (byte(0) & 0x80) != 0;
    if (byte(0) & 0x70) return feeding.refuse(1002, "reserved bits are set");
    const unsigned code = byte(0) & 0x0f;
    if ((code > 2 && code < 8) || code > 10) return feeding.refuse(1002, "unknown opcode");
    header.opcode = static_cast<Opcode>(code);
    const bool masked = (byte(1) & 0x80) != 0;
    if (masked != (role_ == Role::server))
        return feeding.refuse(1002, role_ == Role::server ? "a client must mask its frames"
                                                          : "a server must not mask its frames");
    header.length = byte(1) & 0x7f;
    std::size_t size = 2;
    if (is_control(header.opcode)) {
        if (!header.fin) return feeding.refuse(1002, "a control frame is fragmented");
        if (header.length > static_cast<std::uint64_t>(limits::control_frame_bytes_max))
            return feeding.refuse(1002, "a control frame is longer than 125 bytes");
    }
    const std::size_t extended = header.length == 126 ? 2 : header.length == 127 ? 8 : 0;
    if (extended != 0) {
        size += extended;
        if (bytes.size() < size) return true;
        header.length = 0;
        for (std::size_t i = 0; i < extended; ++i)
            header.length = header.length << 8 | byte(2 + i);
        if (header.length < (extended == 2 ? 126u : 65536u))
            return feeding.refuse(1002, "the length is not in its shortest form");
        if (header.length >> 63) return feeding.refuse(1002, "the length has its highest bit set");
    }
    if (header.length > kMessageMax) return feeding.refuse(1009, kTooLarge);
    if (masked) {
        if (bytes.size() < size + 4) return true;
        std::memcpy(header.mask, bytes.data() + size, 4);
        size += 4;
    }
    header.size = size;
    return true;
}

std::unique_ptr<FrameError> FrameReader::feed(std::span<char> bytes, FrameHandler& handler) {
    Feeding feeding{.handler = handler};
    const auto failed = [&feeding] { return std::make_unique<FrameError>(feeding.error); };
    while (!bytes.empty() && !feeding.stopped) {
        // A frame that began earlier is completed in its own buffer, else the bytes are used where
        // they are.
        const bool carried = partial_ && !partial_->bytes.empty();
        std::span<char> frame = bytes;
        if (carried) {
            Partial& p = *partial_;
            const std::uint64_t wanted = p.needed > 0 ? p.needed : p.bytes.size() + 1;
            const std::size_t take = std::min<std::uint64_t>(wanted - p.bytes.size(), bytes.size());
            p.bytes.append(bytes.data(), take);
            bytes = bytes.subspan(take);
            if (p.bytes.size() < wanted) break;
            frame = std::span(p.bytes);
        }
        Header header{};
        if (!parse_header(frame, header, feeding)) return failed();
        if (header.size == 0 || frame.size() < header.size + header.length) {
            Partial& p = partial();
            if (header.size != 0) p.needed = header.size + header.length;
            if (header.size != 0 && !is_control(header.opcode) &&
                p.message.size() + header.length > kMessageMax) {
                feeding.refuse(1009, kTooLarge);
                return failed();
            }
            if (carried) continue;
            p.bytes.assign(bytes.data(), bytes.size());
            break;
        }
        const std::span<char> payload = frame.subspan(header.size, header.length);
        if (role_ == Role::server) unmask(payload.data(), payload.size(), header.mask);
        const std::string_view text(payload.data(), payload.size());
        const bool good = is_control(header.opcode) ? control_frame(header, text, feeding)
                                                    : message_frame(header, text, feeding);
        if (!good) return failed();
        if (carried) {
            partial_->bytes.clear();
            partial_->needed = 0;
        } else {
            bytes = bytes.subspan(header.size + header.length);
        }
        drop_if_empty();
    }
    return nullptr;
}

bool FrameReader::message_frame(const Header& header, std::string_view payload, Feeding& feeding) {
    const bool begun = partial_ && partial_->opcode != Opcode::continuation;
    if (begun != (header.opcode == Opcode::continuation))
        return feeding.refuse(1002, begun ? "a new message begins inside another"
                                          : "a continuation without a message");
    Opcode opcode = header.opcode;
    std::size_t checked = 0;
    if (begun || !header.fin) {
        if (!collect(header, payload, feeding)) return false;
        opcode = partial_->opcode;
        payload = partial_->message;
        checked = partial_->checked_bytes;
    }
    if (opcode == Opcode::text) {
        // Fragments may cut a character.
        const Utf8 utf8 = scan_utf8(payload.substr(checked));
        checked += utf8.valid_bytes;
        if (checked != payload.size() && (header.fin || !utf8.cut))
            return feeding.refuse(1007, "the text is not valid UTF-8");
    }
    if (!header.fin) {
        partial_->checked_bytes = checked;
        return true;
    }
    feeding.stopped = !feeding.handler.on_message(opcode, payload);
    if (begun) {
        partial_->opcode = Opcode::continuation;
        partial_->fragments = 0;
        partial_->message = std::string();
        partial_->checked_bytes = 0;
    }
    return true;
}

bool FrameReader::collect(const Header& header, std::string_view payload, Feeding& feeding) {
    Partial& p = partial();
    if (p.opcode == Opcode::continuation) p.opcode = header.opcode;
    if (++p.fragments > static_cast<std::uint64_t>(limits::frame_fragments_max))
        return feeding.refuse(1009, "the message has more than 128 fragments");
    if (p.message.size() + payload.size() > kMessageMax) return feeding.refuse(1009, kTooLarge);
    p.message.append(payload);
    return true;
}

bool FrameReader::control_frame(const Header& header, std::string_view payload, Feeding& feeding) {
    FrameHandler& handler = feeding.handler;
    if (header.opcode != Opcode::close) {
        const bool ping = header.opcode == Opcode::ping;
        feeding.stopped = !(ping ? handler.on_ping(payload) : handler.on_pong(payload));
        return true;
    }
    std::uint16_t code = 1005;
    if (payload.size() == 1) return feeding.refuse(1002, "a close code is cut short");
    if (payload.size() >= 2) {
        code = static_cast<std::uint16_t>(static_cast<unsigned char>(payload[0]) << 8 |
                                          static_cast<unsigned char>(payload[1]));
        if (!valid_close_code(code)) return feeding.refuse(1002, "the close code is not allowed");
        payload.remove_prefix(2);
        if (!valid_utf8(payload))
            return feeding.refuse(1007, "the close reason is not valid UTF-8");
    }
    static_cast<void>(handler.on_close(code, payload));
    feeding.stopped = true;  // nothing after a close frame counts (section 5.5.1)
    return true;
}

void append_frame(std::string& out, Opcode opcode, std::string_view payload) {
    out.append(frame_header(opcode, payload.size()).view()).append(payload);
}

void append_masked_frame(std::string& out, Opcode opcode, std::string_view payload,
                         std::uint32_t mask) {
    FrameHeader header = frame_header(opcode, payload.size());
    header.bytes[1] = static_cast<char>(header.bytes[1] | 0x80);
    char key[4];
    std::memcpy(key, &mask, sizeof key);
    out.append(header.view()).append(key, sizeof key);
    const std::size_t at = out.size();
    out.append(payload);
    unmask(out.data() + at, payload.size(), key);
}

std::string close_payload(std::uint16_t code, std::string_view reason) {
    std::string payload;
    payload += static_cast<char>(code >> 8);
    payload += static_cast<char>(code & 0xff);
    reason = reason.substr(0, static_cast<std::size_t>(limits::control_frame_bytes_max) - 2);
    while (!valid_utf8(reason))
        reason.remove_suffix(1);
    return payload.append(reason);
}

Result<std::string> accept_key(std::string_view client_key) {
    const auto letter = [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               c == '+' || c == '/';
    };
    bool good = client_key.size() == 24 && client_key.ends_with("==");
    for (std::size_t i = 0; good && i < 22; ++i)
        good = letter(client_key[i]);
    if (!good) return fail(Errc::invalid_request, "Sec-WebSocket-Key: must be 16 bytes in base64");
    return to_base64(sha1(std::string(client_key).append(kGuid)));
}

std::string upgrade_response(std::string_view accept, std::string_view protocol) {
    std::string out =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: ";
    out.append(accept).append("\r\n");
    if (!protocol.empty()) out.append("Sec-WebSocket-Protocol: ").append(protocol).append("\r\n");
    return out.append("\r\n");
}

}  // namespace dyad::net
