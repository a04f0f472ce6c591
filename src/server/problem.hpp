// Errors as HTTP answers: problem documents (RFC 9457).
#pragma once

#include "base/result.hpp"
#include "model/claim.hpp"
#include "model/context.hpp"
#include "net/http.hpp"

#include <string>

namespace dyad::server {

// What stands against a request, where that is given.
struct Stored {
    const Context* current = nullptr;
    const Claim* claim = nullptr;
};
// {"code":<name>,"detail":…,"retry":…,"status":…,"title":…,"type":<reference>}, with what is stored
// in `current` or `claim` where that is given. `type` leads to /errors/<name> by a reference that
// is relative to `target`, the request's, so that it holds behind a proxy that serves this under a
// path. `status` 0: the error's own.
net::Response problem(const Error& error, std::string_view target, int status = 0,
                      const Stored& stored = {});

// An answer that does not say otherwise is no page, and is kept by no cache. Problems are
// protected.
void protect(net::Headers& headers);

// What GET /errors/<name> answers: the error in a few plain lines.
std::string explain(const ErrorRow& row);

}  // namespace dyad::server
