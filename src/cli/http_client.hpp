// A blocking HTTP client for the command line, on libcurl: HTTP/1.1, one connection per call,
// certificates checked against the system's store (or SSL_CERT_FILE, SSL_CERT_DIR,
// CURL_CA_BUNDLE), through the proxy that the environment names (http_proxy, https_proxy,
// all_proxy, no_proxy), though never to this machine itself. Redirects are not followed.
//
// Errors: unavailable where nothing answers, outcome_unknown where the connection breaks,
// timed_out, unauthorized where a certificate is not trusted, protocol_error where no HTTP or no
// TLS is spoken, invalid_field for a head that a value would break. Threads: any, a call each.
#pragma once

#include "base/result.hpp"
#include "cli/interrupt.hpp"
#include "cli/url.hpp"
#include "net/http.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace dyad::cli {

using Headers = net::Headers;

struct ClientResponse {
    int status = 0;
    Headers headers;  // names in lower case
    std::string body;
    bool streamed = false;  // the body was handed over as it came

    std::optional<std::string_view> header(std::string_view name) const;
};

struct ClientRequest {
    std::string method = "GET";
    std::string target = "/";  // behind the URL's prefix
    Headers headers;
    std::string body;
    std::int64_t timeout_ms = 10'000;  // without any progress
    // The call is of no use when nobody reads standard output any more; then the process ends.
    bool for_reader = false;
    // Ends the call, too, with timed_out; may be null.
    const Interrupt* interrupt = nullptr;
    // Takes the body of a 200 answer of this type as it comes; false ends the call, and so does so
    // long a silence. Any other body is a part of the response.
    std::string stream_type;
    std::function<bool(std::string_view)> on_body;
    std::int64_t silence_ms = 30'000;
};

Result<ClientResponse> http_request(const Url& url, const ClientRequest& request);

}  // namespace dyad::cli
