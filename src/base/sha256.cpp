// The plain functions are deprecated in favour of EVP, which frees a context and allocates another
// on each call (OpenSSL 3.0); that takes as long as hashing two blocks more.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "base/sha256.hpp"

#include "base/check.hpp"

#include <openssl/sha.h>

namespace dyad {

Hash sha256(std::initializer_list<std::string_view> parts) {
    Hash hash;
    SHA256_CTX context;
    CHECK(SHA256_Init(&context) == 1);
    for (const std::string_view part : parts)
        CHECK(SHA256_Update(&context, part.data(), part.size()) == 1);
    CHECK(SHA256_Final(hash.data(), &context) == 1);
    return hash;
}

std::array<std::uint8_t, 20> sha1(std::string_view text) {
    std::array<std::uint8_t, 20> hash;
    CHECK(SHA1(as_bytes(text).data(), text.size(), hash.data()) != nullptr);
    return hash;
}

}  // namespace dyad
