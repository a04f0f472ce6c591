// Responses of HTTP/1.1 (RFC 9112) out of bytes, as a client reads them: the body is handed on as
// it comes, so that an answer without end can be read, too. Pure; one reader per response.
#pragma once

#include "net/chunked.hpp"
#include "net/http.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dyad::net {

class ResponseReader {
  public:
    // Takes bytes off the front of `bytes`: all of them, but for what follows the response; appends
    // what is of the body to `body`. True: it is complete. Interim responses (1xx) are passed over.
    // Errors: protocol_error, the end of the connection.
    Result<bool> feed(std::string_view& bytes, std::string& body);
    // The connection has ended. True: that was the end of the body.
    bool ended() const noexcept { return complete_ || (at_ == At::until_end); }

    // Nothing has come of it yet.
    bool untouched() const noexcept { return status_ == 0 && head_.empty(); }
    int status() const noexcept { return status_; }  // 0: the head is still to come
    std::optional<std::string_view> header(std::string_view name) const;
    // The connection takes another request afterwards.
    bool keeps_alive() const noexcept { return complete_ && keep_alive_; }

  private:
    enum class At : std::uint8_t { head, length, chunks, until_end };

    Status read_head(std::string_view head);

    At at_ = At::head;
    bool complete_ = false;
    bool keep_alive_ = false;
    int status_ = 0;
    std::uint64_t left_ = 0;
    ChunkedReader chunks_{UINT64_MAX};
    std::string head_;
    Headers headers_;
};

}  // namespace dyad::net
