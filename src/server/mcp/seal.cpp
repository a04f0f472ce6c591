#include "server/mcp/seal.hpp"

#include "base/check.hpp"
#include "base/clock.hpp"
#include "base/sha256.hpp"

#include <algorithm>
#include <memory>

#include <openssl/evp.h>

namespace dyad::server::mcp {
namespace {

constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;

struct FreeCipher {
    void operator()(EVP_CIPHER_CTX* context) const noexcept { EVP_CIPHER_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

const std::uint8_t* bytes_of(std::string_view text) {
    return reinterpret_cast<const std::uint8_t*>(text.data());
}
std::uint8_t* bytes_of(std::string& text) {
    return reinterpret_cast<std::uint8_t*>(text.data());
}

// Runs the cipher one way over `in`, with `purpose` as what is proved beside it.
bool run(EVP_CIPHER_CTX* context, std::string_view purpose, std::string_view in, std::string& out) {
    int length = 0;
    out.resize(in.size());
    return EVP_CipherUpdate(context, nullptr, &length, bytes_of(purpose),
                            static_cast<int>(purpose.size())) == 1 &&
           EVP_CipherUpdate(context, bytes_of(out), &length, bytes_of(in),
                            static_cast<int>(in.size())) == 1;
}

std::optional<std::string> decrypt(const std::array<std::uint8_t, 32>& key,
                                   std::string_view purpose, std::string_view bytes) {
    const std::string_view nonce = bytes.substr(0, kNonceBytes);
    std::string tag(bytes.substr(bytes.size() - kTagBytes));
    bytes = bytes.substr(kNonceBytes, bytes.size() - kNonceBytes - kTagBytes);
    const Cipher cipher(EVP_CIPHER_CTX_new());
    std::string plain;
    int length = 0;
    std::uint8_t rest[kTagBytes];
    const bool good = EVP_CipherInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(),
                                        bytes_of(nonce), 0) == 1 &&
                      run(cipher.get(), purpose, bytes, plain) &&
                      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG,
                                          static_cast<int>(tag.size()), tag.data()) == 1 &&
                      EVP_CipherFinal_ex(cipher.get(), rest, &length) == 1;
    return good ? std::optional(std::move(plain)) : std::nullopt;
}

std::string encode(std::string_view bytes) {
    return to_base64(as_bytes(bytes));
}

}  // namespace

std::optional<std::string> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    std::string bytes(text.size() / 4 * 3, '\0');
    if (EVP_DecodeBlock(bytes_of(bytes), bytes_of(text), static_cast<int>(text.size())) < 0)
        return std::nullopt;
    const std::size_t padding = text.empty() ? 0 : text.size() - 1 - text.find_last_not_of('=');
    if (padding > 2) return std::nullopt;
    bytes.resize(bytes.size() - padding);
    // White space, and bits that are not used: there is one text for each value.
    if (encode(bytes) != text) return std::nullopt;
    return bytes;
}

std::string to_base64url(std::string_view bytes) {
    std::string text = encode(bytes);
    text.erase(text.find_last_not_of('=') + 1);
    std::replace(text.begin(), text.end(), '+', '-');
    std::replace(text.begin(), text.end(), '/', '_');
    return text;
}

std::optional<std::string> from_base64url(std::string_view text) {
    if (text.find_first_of("+/=") != std::string_view::npos) return std::nullopt;
    std::string padded(text);
    std::replace(padded.begin(), padded.end(), '-', '+');
    std::replace(padded.begin(), padded.end(), '_', '/');
    padded.append((4 - padded.size() % 4) % 4, '=');
    return from_base64(padded);
}

Sealer::Sealer(std::function<std::string()> secret) : secret_(std::move(secret)), own_{} {
    SystemRandom().fill(own_);
}

std::optional<Sealer::Key> Sealer::shared_key() const {
    const std::string secret = secret_ ? secret_() : std::string();
    if (secret.empty()) return std::nullopt;
    return hmac_sha256(secret, {"dyad-mcp-seal-1"});
}

std::string Sealer::seal(std::string_view purpose, std::string_view plain) const {
    std::array<std::uint8_t, kNonceBytes> nonce{};
    SystemRandom().fill(nonce);
    const Key key = shared_key().value_or(own_);
    const Cipher cipher(EVP_CIPHER_CTX_new());
    std::string sealed;
    std::string tag(kTagBytes, '\0');
    int length = 0;
    CHECK(EVP_CipherInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), nonce.data(),
                            1) == 1 &&
          run(cipher.get(), purpose, plain, sealed) &&
          EVP_CipherFinal_ex(cipher.get(), bytes_of(tag), &length) == 1 &&
          EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, static_cast<int>(tag.size()),
                              tag.data()) == 1);
    return to_base64url(std::string(nonce.begin(), nonce.end()) + sealed + tag);
}

std::optional<std::string> Sealer::open(std::string_view purpose, std::string_view sealed) const {
    const auto bytes = from_base64url(sealed);
    if (!bytes || bytes->size() < kNonceBytes + kTagBytes) return std::nullopt;
    if (const auto key = shared_key())
        if (auto plain = decrypt(*key, purpose, *bytes)) return plain;
    return decrypt(own_, purpose, *bytes);
}

}  // namespace dyad::server::mcp
