// What a client carries for us and may not read or change: session ids, the state of calls that
// wait for its user. AES-256-GCM; the purpose and whose it is are part of what is proved.
//
//     sealed := base64url( nonce:12 ciphertext tag:16 )
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace dyad::server::mcp {

// Threads: any.
class Sealer {
  public:
    // `secret`: what all nodes of the store know; empty as long as this one does not know it, and
    // then the process's own key seals.
    explicit Sealer(std::function<std::string()> secret);

    std::string seal(std::string_view purpose, std::string_view plain) const;
    // Nothing where this server, or one of the same store, did not seal it for this purpose.
    std::optional<std::string> open(std::string_view purpose, std::string_view sealed) const;

  private:
    using Key = std::array<std::uint8_t, 32>;
    std::optional<Key> shared_key() const;

    std::function<std::string()> secret_;
    Key own_;
};

// RFC 4648 section 5, without padding. Strict.
std::string to_base64url(std::string_view bytes);
std::optional<std::string> from_base64url(std::string_view text);
// RFC 4648 section 4, with padding. Strict.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace dyad::server::mcp
