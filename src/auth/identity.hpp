// Whose memory a client speaks for. The one place that decides it: today by what the client claims
// (the server is bound to the loopback interface, where every client is the same person's), later
// by its token.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace dyad::auth {

// The user of a client that claims to be `claimed`; `default_user` where it claims nothing.
// Errors: those of check_name().
Result<std::string> user_of(std::string_view claimed, std::string_view default_user);

}  // namespace dyad::auth
