// Who asks. The one place that decides it: today by what the client claims (the server is bound to
// the loopback interface, where every client is the same person's), later by its token.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace dyad::auth {

// What a principal may do in its user's memory.
enum class Grants : std::uint8_t { all };

struct Principal {
    std::string user;  // whose memory it is
    Grants grants = Grants::all;
    std::int64_t expires_ms = INT64_MAX;  // wall clock; the largest: never
};

// The principal that a client is which claims to be the user `claimed`; `default_user` where it
// claims nothing. Errors: those of check_name().
Result<Principal> principal_of(std::string_view claimed, std::string_view default_user);

}  // namespace dyad::auth
