#include "bus/redis/tls.hpp"

#include <array>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

namespace dyad::bus {
namespace {

bool is_address(const std::string& host) {
    std::array<unsigned char, 16> bytes;
    return inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
           inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

}  // namespace

Result<TlsContext> make_tls_context(const std::string& ca_file) {
    ERR_clear_error();
    TlsContext context(SSL_CTX_new(TLS_client_method()));
    CHECK(context != nullptr);
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_default_verify_paths(context.get());
    if (!ca_file.empty() &&
        SSL_CTX_load_verify_locations(context.get(), ca_file.c_str(), nullptr) != 1) {
        ERR_clear_error();
        return fail(Errc::invalid_field, "the file of certificate authorities " + ca_file +
                                             " cannot be read, or holds no certificate (PEM)");
    }
    ERR_clear_error();
    return context;
}

TlsSession::TlsSession(SSL_CTX* context, const std::string& host)
    : ssl_(SSL_new(context)), in_(BIO_new(BIO_s_mem())), out_(BIO_new(BIO_s_mem())), host_(host) {
    CHECK(ssl_ != nullptr && in_ != nullptr && out_ != nullptr);
    SSL_set_bio(ssl_.get(), in_, out_);
    SSL_set_connect_state(ssl_.get());
    if (is_address(host)) {
        CHECK(X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str()) == 1);
    } else {
        SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        CHECK(SSL_set1_host(ssl_.get(), host.c_str()) == 1);
        SSL_set_tlsext_host_name(ssl_.get(), host.c_str());
    }
}

Status TlsSession::receive(std::string_view bytes, std::string& plain) {
    if (!bytes.empty())
        CHECK(BIO_write(in_, bytes.data(), static_cast<int>(bytes.size())) ==
              static_cast<int>(bytes.size()));
    TRY(shake_hands());
    if (SSL_is_init_finished(ssl_.get()) == 0) return Done{};
    for (;;) {
        std::array<char, 16384> part;
        ERR_clear_error();
        const int got = SSL_read(ssl_.get(), part.data(), static_cast<int>(part.size()));
        if (got > 0) {
            plain.append(part.data(), static_cast<std::size_t>(got));
            continue;
        }
        const int error = SSL_get_error(ssl_.get(), got);
        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return Done{};
        if (error == SSL_ERROR_ZERO_RETURN)
            return fail(Errc::unavailable, "Redis closed the connection");
        return problem();
    }
}

Status TlsSession::send(std::string_view plain) {
    TRY(shake_hands());
    if (SSL_is_init_finished(ssl_.get()) == 0) {
        held_.append(plain);
        return Done{};
    }
    while (!plain.empty()) {
        ERR_clear_error();
        std::size_t written = 0;  // a BIO in memory takes everything
        if (SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &written) != 1) return problem();
        plain.remove_prefix(written);
    }
    return Done{};
}

void TlsSession::take_output(std::string& out) {
    char* bytes = nullptr;
    const long count = BIO_get_mem_data(out_, &bytes);
    if (count > 0) out.append(bytes, static_cast<std::size_t>(count));
    static_cast<void>(BIO_reset(out_));
}

Status TlsSession::shake_hands() {
    if (SSL_is_init_finished(ssl_.get()) != 0) return Done{};
    ERR_clear_error();
    const int done = SSL_do_handshake(ssl_.get());
    if (done == 1) {
        const std::string held = std::move(held_);
        held_.clear();
        return send(held);
    }
    const int error = SSL_get_error(ssl_.get(), done);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return Done{};
    return problem();
}

Error TlsSession::problem() const {
    const long verified = SSL_get_verify_result(ssl_.get());
    const char* const reason = ERR_reason_error_string(ERR_peek_error());
    ERR_clear_error();
    if (verified == X509_V_ERR_HOSTNAME_MISMATCH || verified == X509_V_ERR_IP_ADDRESS_MISMATCH)
        return fail(Errc::unavailable, "the certificate of Redis is not made out to " + host_ +
                                           ": name the host as the certificate does");
    if (verified != X509_V_OK)
        return fail(Errc::unavailable,
                    std::string("the certificate of Redis is not trusted (") +
                        X509_verify_cert_error_string(verified) +
                        "): have this machine trust its authority, or name the authority's file");
    return fail(Errc::unavailable, std::string("TLS with Redis failed (") +
                                       (reason != nullptr ? reason : "no reason given") +
                                       "): where it does not speak TLS on this port, write "
                                       "redis:// instead of rediss://");
}

}  // namespace dyad::bus
