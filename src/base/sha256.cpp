#include "base/sha256.hpp"

#include "base/check.hpp"

#include <memory>

#include <openssl/evp.h>
#include <openssl/sha.h>

namespace dyad {
namespace {

struct FreeContext {
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};

}  // namespace

Hash sha256(std::initializer_list<std::string_view> parts) {
    // EVP_sha256() is looked up on every EVP_DigestInit; a fetched digest is not (OpenSSL 3
    // documentation, crypto(7), "Performance").
    static const EVP_MD* const digest = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    thread_local const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
    CHECK(digest != nullptr && context != nullptr);
    Hash hash;
    CHECK(EVP_DigestInit_ex2(context.get(), digest, nullptr) == 1);
    for (std::string_view part : parts)
        CHECK(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1);
    CHECK(EVP_DigestFinal_ex(context.get(), hash.data(), nullptr) == 1);
    return hash;
}

std::array<std::uint8_t, 20> sha1(std::string_view text) {
    std::array<std::uint8_t, 20> hash;
    CHECK(EVP_Digest(text.data(), text.size(), hash.data(), nullptr, EVP_sha1(), nullptr) == 1);
    return hash;
}

}  // namespace dyad
