// The pieces of canonical JSON text (RFC 8785): strings, numbers and the order of member names; and
// the writer of every JSON text that the product composes itself. See json.hpp for the rules.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dyad::json {

// An integer as what there is to write of it.
struct Digits {
    template <std::integral Integer>
    explicit constexpr Digits(Integer value) noexcept
        : magnitude(static_cast<std::uint64_t>(value)), negative(std::cmp_less(value, 0)) {
        if (negative) magnitude = 0 - magnitude;
    }

    std::uint64_t magnitude;
    bool negative;
};

// Writes JSON at the end of a text, piece by piece, and checks nothing but that there is room: what
// is written is well formed where the pieces make it so. The text is longer than what was written
// until the writer is gone.
// Lifetime: nobody else uses the text meanwhile.
class Writer {
  public:
    // `bytes`: about as many as will be written. A wrong guess costs time only.
    Writer(std::string& text, std::size_t bytes) : text_(text) {
        const std::size_t begin = text.size();
        text.resize(begin + bytes);
        at_ = text.data() + begin;
        end_ = at_ + bytes;
    }
    ~Writer() { text_.resize(size()); }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    // Makes room for so many more bytes at once.
    void expect(std::size_t bytes) {
        if (left() < bytes) grow(bytes);
    }
    // The length of the text so far.
    std::size_t size() const noexcept { return static_cast<std::size_t>(at_ - text_.data()); }

    // JSON as it stands, or a part of it.
    template <std::size_t Size>
    Writer& raw(const char (&literal)[Size]) {
        std::memcpy(room(Size - 1), literal, Size - 1);
        at_ += Size - 1;
        return *this;
    }
    Writer& raw(std::string_view json) {
        json.copy(room(json.size()), json.size());
        at_ += json.size();
        return *this;
    }
    // `value` in quotes, with the escapes that JSON demands and no others.
    Writer& string(std::string_view value);
    template <std::integral Integer>
    Writer& integer(Integer value) {
        return digits(Digits(value));
    }
    // As ECMAScript's Number::toString writes it; -0 is "0". Requires: `value` is finite.
    Writer& real(double value);
    Writer& boolean(bool value) { return value ? raw("true") : raw("false"); }
    // An array of strings.
    Writer& strings(const std::vector<std::string>& values);

    // `null` where there is no value.
    Writer& raw_or_null(const std::optional<std::string>& json) {
        return json ? raw(std::string_view(*json)) : raw("null");
    }
    Writer& string_or_null(const std::optional<std::string>& value) {
        return value ? string(*value) : raw("null");
    }
    template <std::integral Integer>
    Writer& integer_or_null(const std::optional<Integer>& value) {
        return value ? integer(*value) : raw("null");
    }
    Writer& real_or_null(const std::optional<double>& value) {
        return value ? real(*value) : raw("null");
    }

  private:
    std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }
    // Where the next `bytes` may be written.
    [[gnu::always_inline]] char* room(std::size_t bytes) {
        constexpr std::size_t kMore = 256;  // for what comes next
        if (left() < bytes) [[unlikely]]
            grow(bytes + kMore);
        return at_;
    }
    [[gnu::noinline, gnu::cold]] void grow(std::size_t bytes);
    Writer& escaped_string(std::string_view value, std::size_t plain);
    void escape(char c);
    Writer& digits(Digits value);

    std::string& text_;
    char* at_;   // in text_: the end of what is written
    char* end_;  // the end of text_
};

// A single value at the end of `out`.
void append_string(std::string& out, std::string_view value);
void append_real(std::string& out, double value);
void append_digits(std::string& out, Digits value);
template <std::integral Integer>
void append_integer(std::string& out, Integer value) {
    append_digits(out, Digits(value));
}

// Whether `a` sorts before `b` by UTF-16 code units. Requires: both are UTF-8.
bool name_before(std::string_view a, std::string_view b) noexcept;

}  // namespace dyad::json
