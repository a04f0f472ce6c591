// TLS with a server, without a socket: bytes of the wire in, bytes for the wire out. The server's
// certificate must be trusted and made out to the host that was asked for.
//
// Threads: a context may be shared by the sessions of one thread.
#pragma once

#include "base/result.hpp"

#include <memory>
#include <string>
#include <string_view>

#include <openssl/ssl.h>

namespace dyad::bus {

struct TlsFree {
    void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
    void operator()(SSL* session) const noexcept { SSL_free(session); }
};
using TlsContext = std::unique_ptr<SSL_CTX, TlsFree>;

// Trusts the authorities of the system and those of the file, which may be empty. Errors:
// invalid_field.
Result<TlsContext> make_tls_context(const std::string& ca_file);

class TlsSession {
  public:
    // `host`: a name, or an address.
    TlsSession(SSL_CTX* context, const std::string& host);

    // What has arrived; what it says goes to the end of `plain`. Errors: unavailable, in plain
    // words; nothing may be done after that.
    Status receive(std::string_view bytes, std::string& plain);
    // Held until the handshake is over. Errors: as receive().
    Status send(std::string_view plain);
    // What is to go to the server, at the end of `out`.
    void take_output(std::string& out);

  private:
    Status shake_hands();
    Error problem() const;

    std::unique_ptr<SSL, TlsFree> ssl_;
    BIO* in_ = nullptr;   // of ssl_
    BIO* out_ = nullptr;  // of ssl_
    std::string host_;
    std::string held_;
};

}  // namespace dyad::bus
