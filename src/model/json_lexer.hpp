// The words of JSON text: strings, numbers and literals, validated where they stand and not copied.
// Internal to the reading of JSON; see json.hpp for the rules.
#pragma once

#include "base/result.hpp"
#include "model/json_scan.hpp"

#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace dyad::json {

// The body of a string as it stands in the text, without the quotes. Valid: every escape is
// complete, all bytes are UTF-8.
struct RawString {
    std::string_view body;
    bool escaped = false;   // has at least one escape
    bool canonical = true;  // has no escapes but those that canonical text has (json.hpp)
};
// The bytes up to the quote that closes what begins as a string; 0 where none does. They may be no
// string. Requires: `text` begins with '"'.
std::size_t string_bytes(std::string_view text) noexcept;
// The bytes of the string that `raw` stands for.
void append_unescaped(std::string& out, const RawString& raw);

struct Number {
    bool is_integer = false;
    bool negative = false;        // of an integer; never set for 0
    std::uint64_t magnitude = 0;  // of an integer; at most 2^63 where negative
    double real = 0;              // of any other number; finite
    std::string_view text;        // as it stands

    // Puts it into `out`, if it is an integer that fits.
    template <class Integer>
        requires std::same_as<Integer, std::int64_t> || std::same_as<Integer, std::uint64_t>
    bool into(Integer& out) const noexcept {
        if (!is_integer || (negative && std::same_as<Integer, std::uint64_t>) ||
            (!negative && !std::in_range<Integer>(magnitude)))
            return false;
        out = static_cast<Integer>(negative ? ~magnitude + 1 : magnitude);
        return true;
    }
};

// Reads forward over one text. After a `false` there is an error, and nothing else may be read.
// Lifetime: `text` outlives the lexer and every RawString.
class Lexer {
  public:
    // Reads `text` from byte `start` on; what stands before it counts in the positions of errors.
    // `is_utf8`: somebody has checked that all of it is. Requires: start <= text.size().
    explicit Lexer(std::string_view text, std::size_t start = 0, bool is_utf8 = false) noexcept
        : begin_(text.data()),
          at_(text.data() + start),
          end_(text.data() + text.size()),
          is_utf8_(is_utf8) {}

    // The next byte; 0 at the end (where a NUL byte stands instead, it is no token either).
    char peek() const noexcept { return at_ == end_ ? '\0' : *at_; }
    bool at_end() const noexcept { return at_ == end_; }
    void advance() noexcept { ++at_; }
    std::size_t position() const noexcept { return static_cast<std::size_t>(at_ - begin_); }
    // What is still to be read.
    std::string_view rest() const noexcept { return {at_, static_cast<std::size_t>(end_ - at_)}; }
    void skip_space() noexcept {
        if (at_ != end_ && static_cast<unsigned char>(*at_) <= ' ') skip_some_space();
    }
    // Nothing but white space is left.
    bool finish();

    // Goes over `c`, if it is the next byte.
    bool take(char c) noexcept {
        if (at_ == end_ || *at_ != c) return false;
        ++at_;
        return true;
    }

    // Goes over `"name":`, if that comes next, as most programs write it. Inline, so that a
    // constant name is compared by a few instructions.
    [[gnu::always_inline]] bool take_member(std::string_view name) noexcept {
        const std::size_t size = name.size();
        if (static_cast<std::size_t>(end_ - at_) < size + 3 || at_[0] != '"' ||
            at_[size + 1] != '"' || at_[size + 2] != ':' ||
            std::memcmp(at_ + 1, name.data(), size) != 0)
            return false;
        at_ += size + 3;
        return true;
    }

    // Goes up to an object's first member, or an array's first element, if there is one. Requires:
    // the next byte is the opening bracket.
    void enter(char closing, bool& more) noexcept {
        advance();
        skip_space();
        more = !take(closing);
    }
    // From a member's name up to its value.
    bool colon() {
        skip_space();
        if (!take(':')) return unexpected("':' after a member name");
        skip_space();
        return true;
    }
    // Goes up to the next member or element, or behind the last one.
    bool leave(char closing, bool& more) {
        skip_space();
        more = take(',');
        if (!more) return take(closing) || unexpected(closing == '}' ? "',' or '}'" : "',' or ']'");
        skip_space();
        return true;
    }

    // A string, if the next byte begins one of ASCII without escapes: the most usual ones, read
    // without a call. False is no error: then nothing was read.
    bool plain_string(std::string_view& out) noexcept {
        if (at_ == end_ || *at_ != '"') return false;
        const char* const first = at_ + 1;
        const char* const end = plain_end(first, end_);
        if (end == end_ || *end != '"') return false;
        out = std::string_view(first, static_cast<std::size_t>(end - first));
        at_ = end + 1;
        return true;
    }
    // Requires: peek() == '"'.
    bool string(RawString& out) {
        out.escaped = false;
        out.canonical = true;
        return plain_string(out.body) || special_string(out);
    }
    // The bytes that a string stands for. False: none comes next, or it is no string to its end.
    bool text(std::string& out);
    // Requires: peek() is '-' or a digit.
    bool number(Number& out);
    // Whether a number that was read is what its text says, digit by digit (json.hpp); else it
    // would be another one when it is written again.
    bool keeps(const Number& number) { return number.is_integer || keeps_real(number); }
    bool literal(std::string_view word);
    // A value of any kind. What is inside an array or an object is not read: its end is found by
    // its quotes and the count of its brackets, so that `out` may still be no JSON.
    bool raw(std::string_view& out);

    // Records what is wrong at `position`; always false.
    [[gnu::cold]] bool fail_at(std::size_t position, Errc code, std::string_view what);
    // The same for an error that needs no position.
    [[gnu::cold]] bool refuse(Error error);
    // The next byte is not what the grammar wants here.
    [[gnu::cold]] bool unexpected(std::string_view wanted);
    // Requires: something returned false.
    Error take_error();

  private:
    void skip_some_space() noexcept;
    bool special_string(RawString& out);
    bool escape(RawString& out);
    bool hex4(unsigned& out);
    bool utf8_run();
    bool digits();
    bool real(Number& out);
    bool keeps_real(const Number& number);
    [[gnu::cold]] bool refuse_number(const char* at, std::string_view what);

    const char* begin_;
    const char* at_;
    const char* end_;
    bool is_utf8_;
    std::optional<Error> error_;
};

inline constexpr std::string_view kAnyValue =
    "a value: an object, an array, a string, a number, true, false or null";

}  // namespace dyad::json
