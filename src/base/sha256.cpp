// The plain functions are deprecated in favour of EVP, which frees a context and allocates another
// on each call (OpenSSL 3.0); that takes as long as hashing two blocks more.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "base/sha256.hpp"

#include "base/check.hpp"

#include <openssl/crypto.h>
#include <openssl/sha.h>

namespace dyad {

namespace {

Hash sha256_of(std::string_view first, std::initializer_list<std::string_view> parts) {
    Hash hash;
    SHA256_CTX context;
    CHECK(SHA256_Init(&context) == 1);
    CHECK(SHA256_Update(&context, first.data(), first.size()) == 1);
    for (const std::string_view part : parts)
        CHECK(SHA256_Update(&context, part.data(), part.size()) == 1);
    CHECK(SHA256_Final(hash.data(), &context) == 1);
    return hash;
}

}  // namespace

Hash sha256(std::initializer_list<std::string_view> parts) {
    return sha256_of({}, parts);
}

Hash hmac_sha256(std::string_view key, std::initializer_list<std::string_view> parts) {
    constexpr std::size_t kBlockBytes = 64;
    std::array<char, kBlockBytes> inner{};
    if (key.size() <= kBlockBytes)
        key.copy(inner.data(), key.size());
    else
        view(sha256({key})).copy(inner.data(), inner.size());
    std::array<char, kBlockBytes> outer = inner;
    for (std::size_t i = 0; i < kBlockBytes; ++i) {
        inner[i] = static_cast<char>(inner[i] ^ 0x36);
        outer[i] = static_cast<char>(outer[i] ^ 0x5c);
    }
    const Hash hash = sha256_of({inner.data(), inner.size()}, parts);
    return sha256({{outer.data(), outer.size()}, view(hash)});
}

bool same_secretly(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::array<std::uint8_t, 20> sha1(std::string_view text) {
    std::array<std::uint8_t, 20> hash;
    CHECK(SHA1(as_bytes(text).data(), text.size(), hash.data()) != nullptr);
    return hash;
}

}  // namespace dyad
