// A blocking HTTP client for the command line. One connection per call.
// Errors: unavailable where nothing answers or the connection breaks, timed_out, invalid_field for
// a URL that is not http://host[:port].
#pragma once

#include "base/result.hpp"
#include "net/http.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace dyad::net {

struct Url {
    std::string host;
    std::uint16_t port = 8765;

    std::string authority() const;  // host:port
    static Result<Url> parse(std::string_view text);
};

struct ClientResponse {
    int status = 0;
    Headers headers;  // names in lower case
    std::string body;

    std::optional<std::string_view> header(std::string_view name) const;
};

struct ClientRequest {
    std::string method = "GET";
    std::string target = "/";
    Headers headers;
    std::string body;
    std::int64_t timeout_ms = 10'000;  // without any progress
};

Result<ClientResponse> http_request(const Url& url, const ClientRequest& request);
// Hands over the body as it comes, for a 200 answer of this type; false from `on_body` ends it, as
// does so long a silence. `body` of the result holds the body of any other answer.
Result<ClientResponse> http_stream(const Url& url, const ClientRequest& request,
                                   std::string_view content_type, std::int64_t silence_ms,
                                   const std::function<bool(std::string_view)>& on_body);

}  // namespace dyad::net
