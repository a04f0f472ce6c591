// RESP, the protocol of Redis, versions 2 and 3: commands as text, and replies out of a stream that
// may be cut anywhere.
//
//     reply   := '+' line | '-' line | ':' line | '_' line | ',' line | '#' line | '(' line
//              | ('$' | '!' | '=') count CRLF bytes CRLF         ; a count of -1: null
//              | ('*' | '~' | '>') count CRLF reply*
//              | '%' count CRLF (reply reply)*
//              | '|' count CRLF (reply reply)* reply             ; attributes: passed over
//     command := '*' count CRLF ('$' count CRLF bytes CRLF)*
//
// Strings whose length the server does not know beforehand ("$?") are of no version that exists.
//
// Threads: one owner.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::bus {

struct Reply {
    enum class Kind : std::uint8_t { null, text, error, integer, array, map, push };
    Kind kind = Kind::null;
    bool cut = false;             // a string was beyond redis_reply_bytes_max; it is empty instead
    std::string text;             // of an error, too, and of numbers that are no integers
    std::int64_t integer = 0;     // of a truth: 0 or 1
    std::vector<Reply> elements;  // of a map: a key, its value, the next key

    bool is_error() const noexcept { return kind == Kind::error; }
    // An array, or a message that nobody asked for: version 2 does not tell them apart.
    bool is_list() const noexcept { return kind == Kind::array || kind == Kind::push; }
    bool operator==(const Reply&) const = default;
};

class ReplyReader {
  public:
    using Take = std::function<void(Reply&&)>;

    // Reads on, and hands over each reply that is complete. Errors: invalid_field, where this is
    // not RESP, or beyond redis_reply_elements_max or redis_reply_depth_max; nothing may be read
    // after that. What is claimed takes no memory before it arrives.
    Status feed(std::string_view bytes, const Take& take);

  private:
    struct Open {
        Reply reply;
        std::size_t missing;
        bool attributes;
    };

    Status read_line(std::string_view line, const Take& take);
    Status begin_string(char type, std::string_view count, const Take& take);
    Status begin_elements(char type, std::string_view count, const Take& take);
    Status read_string(std::string_view& bytes, const Take& take);
    void complete(Reply&& reply, const Take& take);

    std::string line_;         // what there is of one that is not complete
    Reply string_;             // the string under way
    std::size_t missing_ = 0;  // of it, with its CRLF; 0: none is under way
    bool verbatim_ = false;    // it begins with "txt:"
    std::size_t bytes_ = 0;    // of the strings of the reply under way
    std::size_t elements_ = 0;
    std::vector<Open> open_;  // the outermost first
};

// The head of a command of so many parts, and a part.
void append_command_head(std::string& out, std::size_t parts);
void append_command_part(std::string& out, std::string_view part);
void append_command(std::string& out, std::initializer_list<std::string_view> parts);

}  // namespace dyad::bus
