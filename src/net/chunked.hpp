// The chunked transfer coding (RFC 9112 section 7.1), undone as the bytes come:
//
//     body     := chunk* last-chunk trailer* CRLF
//     chunk    := size [extension] CRLF data CRLF         size: 1 to 16 hexadecimal digits
//     last     := 0 [extension] CRLF                      extension: from ';' to the line's end
//     trailer  := field CRLF                              as in a head; dropped, as extensions are
//
// Nothing else passes: a line ends with CR LF, and no white space stands round a size, so that this
// server and a proxy in front of it see a body end at the same byte.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace dyad::net {

class ChunkedReader {
  public:
    // `data_bytes_max`: of all chunks together. Extensions and trailers together may have
    // http_header_bytes_max.
    explicit ChunkedReader(std::uint64_t data_bytes_max) noexcept : data_left_(data_bytes_max) {}

    // Takes bytes off the front of `bytes`, all but what follows the body, and appends the data to
    // `out`. True: the body is complete. Errors, each the end of the stream: invalid_request;
    // too_large, as soon as a size says so; header_too_large.
    Result<bool> feed(std::string_view& bytes, std::string& out);

  private:
    enum class At : std::uint8_t { size, data, data_end, trailer, done };

    // Without its line end.
    Status take_line(std::string_view line);
    Status take_size(std::string_view line);

    At at_ = At::size;
    std::string line_;             // what has come of the one that is not complete
    std::size_t extra_bytes_ = 0;  // of extensions and trailers
    std::uint64_t size_ = 0;       // what is left of the chunk
    std::uint64_t data_left_;
};

}  // namespace dyad::net
