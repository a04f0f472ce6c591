// SHA-256 over several parts, without an allocation per call.
// Threads: pure functions.
#pragma once

#include "base/bytes.hpp"

#include <initializer_list>
#include <string_view>

namespace dyad {

// The SHA-256 of the parts, one after the other.
Hash sha256(std::initializer_list<std::string_view> parts);

// HMAC-SHA256 (RFC 2104) of the parts, one after the other.
Hash hmac_sha256(std::string_view key, std::initializer_list<std::string_view> parts);
// Takes as long wherever two hashes differ.
bool same_secretly(std::string_view a, std::string_view b) noexcept;

// The SHA-1 of `text`: only for the WebSocket handshake (RFC 6455 section 4.2.2), never as a proof.
std::array<std::uint8_t, 20> sha1(std::string_view text);

inline std::string_view view(const Hash& hash) noexcept {
    return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}
inline std::string_view view(const Salt& salt) noexcept {
    return {reinterpret_cast<const char*>(salt.data()), salt.size()};
}

}  // namespace dyad
