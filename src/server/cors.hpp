// The CORS protocol (Fetch standard, section 3.3), for pages of allowed origins: they may send
// every request that others may, and read every answer. No credentials: whose memory is meant is
// never told by a cookie.
#pragma once

#include "net/http.hpp"

#include <string_view>

namespace dyad::server {

// What a browser asks before a request that a form could not have sent.
bool is_preflight(const net::Request& request);
net::Response preflight_answer(const net::Request& request);

// Adds a member to Vary, where it is not there yet.
void vary_on(net::Headers& headers, std::string_view name);

// Lets the page of this origin read the answer.
void share_with(net::Headers& headers, std::string_view origin);

}  // namespace dyad::server
