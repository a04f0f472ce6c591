// The header of a WebSocket frame as a server sends it, unmasked (RFC 6455 section 5.2). Pure; the
// one part of this folder that wire/, which writes whole frames, may see.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace dyad::net {

enum class Opcode : std::uint8_t {
    continuation = 0,
    text = 1,
    binary = 2,
    close = 8,
    ping = 9,
    pong = 10,
};

struct FrameHeader {
    std::array<char, 10> bytes{};
    std::size_t size = 0;
    std::string_view view() const noexcept { return {bytes.data(), size}; }
};

// `final`: of the last frame of its message.
inline FrameHeader frame_header(Opcode opcode, std::uint64_t payload_bytes,
                                bool final = true) noexcept {
    FrameHeader header;
    header.bytes[0] = static_cast<char>((final ? 0x80 : 0) | static_cast<int>(opcode));
    if (payload_bytes < 126) {
        header.bytes[1] = static_cast<char>(payload_bytes);
        header.size = 2;
        return header;
    }
    const std::size_t digits = payload_bytes <= 0xffff ? 2 : 8;
    header.bytes[1] = static_cast<char>(digits == 2 ? 126 : 127);
    for (std::size_t i = 0; i < digits; ++i)
        header.bytes[2 + i] = static_cast<char>(payload_bytes >> (8 * (digits - 1 - i)));
    header.size = 2 + digits;
    return header;
}

}  // namespace dyad::net
