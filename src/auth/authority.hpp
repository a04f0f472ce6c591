// The names of servers and of pages, written as a browser writes them in Host and Origin (WHATWG
// URL, "host serializing"; Fetch, "Origin header"): lower case, addresses in their one form, the
// scheme's own port left out. What no browser could write is an error that says why.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dyad::auth {

struct Authority {
    std::string host;  // IPv6 addresses in brackets
    std::optional<std::uint16_t> port;

    bool operator==(const Authority&) const = default;
};

// host[:port]. Errors: invalid_field.
Result<Authority> parse_authority(std::string_view text);

// An entry of the allowed origins, scheme://host[:port], as a browser sends it. Errors:
// invalid_field, for what no page can have as its origin: a path, a wildcard, ws://, "null" …
Result<std::string> parse_origin(std::string_view text);

// An entry of the allowed hosts, host[:port]. Errors: invalid_field.
Result<Authority> parse_host(std::string_view text);

// True for 127.0.0.0/8, ::1, "localhost" and the names below it (RFC 6761 section 6.3).
bool is_loopback(std::string_view host);

}  // namespace dyad::auth
