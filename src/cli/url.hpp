// Where a server is, as `--url` and DYAD_URL say it (RFC 3986; RFC 9110, section 4.2).
//
//     url     = ( "http" / "https" / "ws" / "wss" ) "://" host [ ":" port ] [ path ]
//             / host ":" port [ path ]                 ; http
//
// The port is the scheme's own where none is written: 80, 443. The path is what stands in front of
// every path of the server, as behind a proxy; a slash at its end does not matter. ws and wss are
// http and https, and the `/sync` of a WebSocket's address is no part of the prefix. User names,
// queries and fragments have no meaning here and are refused.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace dyad::cli {

struct Url {
    std::string scheme = "http";  // or https
    std::string host;             // IPv6 addresses in brackets
    std::uint16_t port = 80;
    std::string prefix;  // empty, or "/…" without a slash at its end

    // Errors: invalid_field, with what is wrong and what to write.
    static Result<Url> parse(std::string_view text);

    std::string authority() const;  // host:port, without the scheme's own port
    std::string text() const;       // scheme://authority and the prefix
    bool is_own_port() const noexcept { return port == (scheme == "https" ? 443 : 80); }
};

}  // namespace dyad::cli
