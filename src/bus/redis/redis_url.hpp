// Where Redis is and who we are to it, as REDIS_URL says it:
//
//     url := ("redis" / "rediss") "://" [ [user] [":" password] "@" ] host [":" port] ["/" db]
//
// User and password are percent-decoded; IPv6 addresses stand in brackets. What follows a '?' means
// something to other clients only. Threads: pure.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace dyad::bus {

struct RedisUrl {
    bool tls = false;
    std::string host = "localhost";  // without brackets
    std::uint16_t port = 6379;
    std::string user;  // empty: the default one
    std::string password;
    std::uint64_t database = 0;

    // Errors: invalid_field, which never shows the password.
    static Result<RedisUrl> parse(std::string_view text);
};

}  // namespace dyad::bus
