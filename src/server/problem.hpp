// Errors as HTTP answers: problem documents (RFC 9457).
#pragma once

#include "base/result.hpp"
#include "net/http.hpp"

namespace dyad::server {

// {"type":"urn:dyad:error:<name>","title":…,"status":…,"detail":…,"code":…,"retry":…}
net::Response problem(const Error& error);

}  // namespace dyad::server
