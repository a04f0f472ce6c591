// Bytes as text: hexadecimal, base64 and the fixed-size hash type.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace dyad {

using Hash = std::array<std::uint8_t, 32>;  // SHA-256
using Salt = std::array<std::uint8_t, 16>;

std::string to_hex(std::span<const std::uint8_t> bytes);
// Writes 2 * bytes.size() lower-case digits to `out`.
void write_hex(std::span<const std::uint8_t> bytes, char* out) noexcept;
// Reads exactly 2 * out.size() hexadecimal digits; false where `text` is anything else.
bool read_hex(std::string_view text, std::span<std::uint8_t> out) noexcept;
// A whole number in decimal digits: no sign, no leading zero, nothing else.
std::optional<std::uint64_t> read_number(std::string_view text) noexcept;
// RFC 4648 section 4, with padding.
std::string to_base64(std::span<const std::uint8_t> bytes);

inline std::span<const std::uint8_t> as_bytes(std::string_view text) noexcept {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// Little-endian fixed-width integers at the end of `out` and at the front of `in`.
template <class T>
void put_le(std::string& out, T value) {
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));  // every supported target is little-endian
    out.append(bytes, sizeof(T));
}
// Takes a T off the front of `in`; nothing where `in` is too short.
template <class T>
std::optional<T> take_le(std::string_view& in) {
    if (in.size() < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, in.data(), sizeof(T));
    in.remove_prefix(sizeof(T));
    return value;
}
// Takes `count` bytes off the front of `in`; nothing where `in` is too short.
inline std::optional<std::string_view> take_bytes(std::string_view& in, std::size_t count) {
    if (in.size() < count) return std::nullopt;
    std::string_view taken = in.substr(0, count);
    in.remove_prefix(count);
    return taken;
}

// Text from a client as a message about it can carry it: its first 64 bytes or so, in whole
// characters, without what could break a line.
std::string shown(std::string_view text);

}  // namespace dyad
