// The words of JSON text: strings, numbers and literals, validated where they stand and not copied.
// Internal to the reading of JSON; see json.hpp for the rules.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace dyad::json {

// The body of a string as it stands in the text, without the quotes. Valid: every escape is
// complete, all bytes are UTF-8.
struct RawString {
    std::string_view body;
    bool escaped = false;  // has at least one escape
};
// The bytes of the string that `raw` stands for.
void append_unescaped(std::string& out, const RawString& raw);

struct Number {
    bool is_integer = false;
    bool negative = false;        // of an integer; never set for 0
    std::uint64_t magnitude = 0;  // of an integer; at most 2^63 where negative
    double real = 0;              // of any other number; finite
};

// Reads forward over one text. After a `false` there is an error, and nothing else may be read.
// Lifetime: `text` outlives the lexer and every RawString.
class Lexer {
  public:
    explicit Lexer(std::string_view text) noexcept
        : begin_(text.data()), at_(text.data()), end_(text.data() + text.size()) {}

    // The next byte; 0 at the end (where a NUL byte stands instead, it is no token either).
    char peek() const noexcept { return at_ == end_ ? '\0' : *at_; }
    bool at_end() const noexcept { return at_ == end_; }
    void advance() noexcept { ++at_; }
    std::size_t position() const noexcept { return static_cast<std::size_t>(at_ - begin_); }
    void skip_space() noexcept {
        while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t'))
            ++at_;
    }

    // Requires: peek() == '"'.
    bool string(RawString& out);
    // Requires: peek() is '-' or a digit.
    bool number(Number& out);
    bool literal(std::string_view word);

    // Records what is wrong at `position`; always false.
    bool fail_at(std::size_t position, Errc code, std::string_view what);
    // The next byte is not what the grammar wants here.
    bool unexpected(std::string_view wanted);
    // Requires: something returned false.
    Error take_error();

  private:
    bool escape();
    bool hex4(unsigned& out);
    bool utf8_character();
    bool digits();
    bool real(const char* first, Number& out);

    const char* begin_;
    const char* at_;
    const char* end_;
    std::optional<Error> error_;
};

}  // namespace dyad::json
