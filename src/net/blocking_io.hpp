// What the blocking clients share: bytes out, bytes in, and the head of an answer.
// Errors: unavailable where the connection breaks or HTTP is not spoken there, timed_out.
#pragma once

#include "base/result.hpp"
#include "net/http_client.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace dyad::net {

Error connection_broke();
std::string lower(std::string_view text);  // of ASCII

Status send_all(int fd, std::string_view bytes, std::int64_t timeout_ms);
// Appends what comes next; 0 is the end of the stream.
Result<std::size_t> receive_more(int fd, std::string& buffer, std::int64_t timeout_ms);
// Reads to the end of the final answer's head; `rest` is what came behind it.
Result<ClientResponse> receive_head(int fd, std::string& rest, std::int64_t timeout_ms);

}  // namespace dyad::net
