// Finds deliveries in what a server sends, whatever its envelope and however it packs messages.
//
// Every message carries a marker, `~T`, 16 hexadecimal digits of the time it was written (ns) and 8
// of its number. The stream is only taken out of its WebSocket frames and searched for markers.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace dyad::bench {

struct Marker {
    std::uint64_t written_ns = 0;
    std::uint32_t number = 0;
};
constexpr std::size_t kMarkerBytes = 26;

std::string marker_text(Marker marker);

class MarkerScanner {
  public:
    // `skip`: so many bytes after a marker are the rest of its message; they are not looked at.
    template <class OnMarker>
    void feed(std::string_view bytes, std::size_t skip, OnMarker on_marker) {
        while (!bytes.empty()) {
            if (skip_ > 0) {
                const std::size_t some = std::min<std::size_t>(skip_, bytes.size());
                skip_ -= static_cast<std::uint32_t>(some);
                bytes.remove_prefix(some);
            } else if (held_ > 0) {
                finish_held(bytes, skip, on_marker);
            } else {
                const void* at = std::memchr(bytes.data(), '~', bytes.size());
                if (at == nullptr) return;
                bytes.remove_prefix(
                    static_cast<std::size_t>(static_cast<const char*>(at) - bytes.data()));
                if (bytes.size() > 1 && bytes[1] != 'T') {
                    bytes.remove_prefix(1);
                } else if (bytes.size() < kMarkerBytes) {
                    hold(bytes);
                    return;
                } else {
                    take(bytes.data(), skip, on_marker);
                    bytes.remove_prefix(kMarkerBytes);
                }
            }
        }
    }

  private:
    void hold(std::string_view bytes) {
        std::memcpy(partial_.data(), bytes.data(), bytes.size());
        held_ = static_cast<std::uint8_t>(bytes.size());
    }

    template <class OnMarker>
    void finish_held(std::string_view& bytes, std::size_t skip, OnMarker& on_marker) {
        if (held_ == 1 && bytes.front() != 'T') {
            held_ = 0;
            return;
        }
        const std::size_t some = std::min(kMarkerBytes - held_, bytes.size());
        std::memcpy(partial_.data() + held_, bytes.data(), some);
        held_ = static_cast<std::uint8_t>(held_ + some);
        bytes.remove_prefix(some);
        if (held_ < kMarkerBytes) return;
        held_ = 0;
        take(partial_.data(), skip, on_marker);
    }

    template <class OnMarker>
    void take(const char* text, std::size_t skip, OnMarker& on_marker) {
        const auto digits = [](const char* p, std::size_t count) {
            std::uint64_t value = 0;
            for (std::size_t i = 0; i < count; ++i)
                value = value << 4 | static_cast<std::uint64_t>(
                                         p[i] <= '9' ? p[i] - '0' : (p[i] | 32) - 'a' + 10);
            return value;
        };
        on_marker(Marker{.written_ns = digits(text + 2, 16),
                         .number = static_cast<std::uint32_t>(digits(text + 18, 8))});
        skip_ = static_cast<std::uint32_t>(skip);
    }

    std::array<char, kMarkerBytes> partial_{};
    std::uint8_t held_ = 0;
    std::uint32_t skip_ = 0;
};

// Takes the server's frames apart. Sizes and opcodes are all it looks at.
class Deframer {
  public:
    static constexpr std::uint8_t kClose = 8;

    // `on_payload(bytes)` for data frames. False: the server has closed the connection.
    template <class OnPayload>
    bool feed(std::string_view bytes, std::uint64_t& frames, OnPayload on_payload) {
        while (!bytes.empty()) {
            if (left_ > 0) {
                const auto some =
                    static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
                if (opcode_ < kClose) on_payload(bytes.substr(0, some));
                left_ -= some;
                bytes.remove_prefix(some);
                continue;
            }
            header_[header_bytes_++] = static_cast<std::uint8_t>(bytes.front());
            bytes.remove_prefix(1);
            if (!header_complete()) continue;
            header_bytes_ = 0;
            ++frames;
            if (opcode_ == kClose) return false;
        }
        return true;
    }

  private:
    bool header_complete() {
        if (header_bytes_ < 2) return false;
        const std::uint8_t code = header_[1] & 127;
        const std::size_t more = code == 126 ? 2 : code == 127 ? 8 : 0;
        if (header_bytes_ < 2 + more) return false;
        left_ = more == 0 ? code : 0;
        for (std::size_t i = 0; i < more; ++i)
            left_ = left_ << 8 | header_[2 + i];
        opcode_ = header_[0] & 15;
        return true;
    }

    std::array<std::uint8_t, 14> header_{};
    std::uint8_t header_bytes_ = 0;
    std::uint8_t opcode_ = 0;
    std::uint64_t left_ = 0;
};

}  // namespace dyad::bench
