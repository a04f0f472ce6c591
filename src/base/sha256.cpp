#include "base/sha256.hpp"

#include "base/check.hpp"

#include <memory>

#include <openssl/core_dispatch.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

namespace dyad {
namespace {

// The digest's own functions, provider-digest(7). EVP_DigestInit in front of them frees a context
// and allocates another on each call (OpenSSL 3.0), which takes as long as hashing two blocks more.
struct Digest {
    const EVP_MD* chosen = nullptr;  // keeps the provider loaded
    OSSL_FUNC_digest_newctx_fn* new_context = nullptr;
    OSSL_FUNC_digest_freectx_fn* free_context = nullptr;
    OSSL_FUNC_digest_init_fn* init = nullptr;
    OSSL_FUNC_digest_update_fn* update = nullptr;
    OSSL_FUNC_digest_final_fn* finish = nullptr;
    void* provider = nullptr;  // what new_context() wants of it

    bool complete() const noexcept {
        return new_context != nullptr && free_context != nullptr && init != nullptr &&
               update != nullptr && finish != nullptr;
    }
};

bool is_sha256(std::string_view names) {
    for (const std::string_view name : {"SHA2-256", "SHA256"}) {
        const std::size_t at = names.find(name);
        if (at == std::string_view::npos) continue;
        const std::size_t end = at + name.size();
        if ((at == 0 || names[at - 1] == ':') && (end == names.size() || names[end] == ':'))
            return true;
    }
    return false;
}

void take_function(Digest& digest, const OSSL_DISPATCH& function) {
    switch (function.function_id) {
        case OSSL_FUNC_DIGEST_NEWCTX:
            digest.new_context = OSSL_FUNC_digest_newctx(&function);
            break;
        case OSSL_FUNC_DIGEST_FREECTX:
            digest.free_context = OSSL_FUNC_digest_freectx(&function);
            break;
        case OSSL_FUNC_DIGEST_INIT:
            digest.init = OSSL_FUNC_digest_init(&function);
            break;
        case OSSL_FUNC_DIGEST_UPDATE:
            digest.update = OSSL_FUNC_digest_update(&function);
            break;
        case OSSL_FUNC_DIGEST_FINAL:
            digest.finish = OSSL_FUNC_digest_final(&function);
            break;
        default:
            break;
    }
}

// Of the provider that OpenSSL's configuration chooses.
Digest fetch_sha256() {
    Digest digest;
    digest.chosen = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    CHECK(digest.chosen != nullptr);
    const OSSL_PROVIDER* const provider = EVP_MD_get0_provider(digest.chosen);
    digest.provider = OSSL_PROVIDER_get0_provider_ctx(provider);
    int changes = 0;
    const OSSL_ALGORITHM* row = OSSL_PROVIDER_query_operation(provider, OSSL_OP_DIGEST, &changes);
    for (; row != nullptr && row->algorithm_names != nullptr && !digest.complete(); ++row) {
        if (!is_sha256(row->algorithm_names)) continue;
        for (const OSSL_DISPATCH* at = row->implementation; at->function_id != 0; ++at)
            take_function(digest, *at);
    }
    CHECK(digest.complete());
    return digest;
}

const Digest& digest_functions() {
    static const Digest digest = fetch_sha256();
    return digest;
}

struct FreeContext {
    void operator()(void* context) const noexcept { digest_functions().free_context(context); }
};

}  // namespace

Hash sha256(std::initializer_list<std::string_view> parts) {
    static const Digest& digest = digest_functions();
    thread_local const std::unique_ptr<void, FreeContext> context(
        digest.new_context(digest.provider));
    Hash hash;
    std::size_t size = 0;
    CHECK(context != nullptr && digest.init(context.get(), nullptr) == 1);
    for (std::string_view part : parts)
        CHECK(digest.update(context.get(), as_bytes(part).data(), part.size()) == 1);
    CHECK(digest.finish(context.get(), hash.data(), &size, hash.size()) == 1);
    CHECK(size == hash.size());
    return hash;
}

std::array<std::uint8_t, 20> sha1(std::string_view text) {
    std::array<std::uint8_t, 20> hash;
    CHECK(EVP_Digest(text.data(), text.size(), hash.data(), nullptr, EVP_sha1(), nullptr) == 1);
    return hash;
}

}  // namespace dyad
