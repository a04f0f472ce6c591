// The writer of every JSON text that the product composes, and the order of member names in
// canonical text (RFC 8785). See json.hpp for the rules.
#pragma once

#include "model/names.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace dyad::json {

// A value that is JSON already.
struct Raw {
    std::string_view json;
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
    [[gnu::always_inline]] Writer& raw(const char (&literal)[Size]) {
        std::memcpy(room(Size - 1), literal, Size - 1);
        at_ += Size - 1;
        return *this;
    }
    Writer& raw(std::string_view json) {
        json.copy(room(json.size()), json.size());
        at_ += json.size();
        return *this;
    }
    // `null` where there is no value.
    Writer& raw_or_null(const std::optional<std::string>& json) {
        return json ? raw(std::string_view(*json)) : raw("null");
    }
    // `value` in quotes, with the escapes that JSON demands and no others.
    Writer& string(std::string_view value);
    // The same of a constant that needs none.
    Writer& word(std::string_view value) { return raw("\"").raw(value).raw("\""); }
    template <std::integral Integer>
    Writer& integer(Integer value) {
        const bool is_negative = std::cmp_less(value, 0);
        const auto bits = static_cast<std::uint64_t>(value);
        return digits(is_negative ? 0 - bits : bits, is_negative);
    }
    // As ECMAScript's Number::toString writes it; -0 is "0". Requires: `value` is finite.
    Writer& real(double value);

    // Whatever it is: a string, a number, a truth, a name, a document that write(Writer&, document)
    // writes, an array of these; `null` for none.
    template <class T>
    [[gnu::always_inline]] Writer& value(const T& value);

    // A member's name, and its value or what follows: inside object() only.
    template <std::size_t Size>
    [[gnu::always_inline]] Writer& member(const char (&name)[Size]) {
        char* const to = room(Size + 3);
        std::memcpy(to, ",\"", 2);
        std::memcpy(to + 2, name, Size - 1);
        std::memcpy(to + Size + 1, "\":", 2);
        at_ += Size + 3;
        return *this;
    }
    template <std::size_t Size, class T>
    [[gnu::always_inline]] Writer& member(const char (&name)[Size], const T& its) {
        return member(name).value(its);
    }
    // Several, each by its name and its value.
    template <std::size_t Size, class T, class... Others>
    Writer& members(const char (&name)[Size], const T& its, const Others&... others) {
        member(name, its);
        if constexpr (sizeof...(others) > 0) members(others...);
        return *this;
    }
    // An object of these members.
    template <std::size_t Size, class T, class... Others>
    Writer& object(const char (&name)[Size], const T& its, const Others&... others) {
        return object([&] { members(name, its, others...); });
    }
    // An object: `write_members()` writes them, each with a comma before it, as member() does.
    template <class WriteMembers>
    Writer& object(WriteMembers write_members) {
        const std::size_t begin = size();
        write_members();
        return enclose(begin, '{', '}');
    }
    // An array: `write(value)` for each of the values.
    template <class Values, class Write>
    Writer& array(const Values& values, Write write) {
        const std::size_t begin = size();
        for (const auto& value : values) {
            raw(",");
            write(value);
        }
        return enclose(begin, '[', ']');
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
    // Puts brackets around what was written from `begin` on; the first comma makes room for one.
    Writer& enclose(std::size_t begin, char open, char close) {
        if (size() == begin) raw(",");
        text_[begin] = open;
        *room(1) = close;
        ++at_;
        return *this;
    }
    [[gnu::noinline, gnu::cold]] void grow(std::size_t bytes);
    Writer& digits(std::uint64_t magnitude, bool is_negative);
    Writer& escaped_string(std::string_view value, std::size_t plain);
    void escape(char c);

    std::string& text_;
    char* at_;   // in text_: the end of what is written
    char* end_;  // the end of text_
};

template <class T>
inline Writer& Writer::value(const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
        return value ? raw("true") : raw("false");
    } else if constexpr (std::integral<T>) {
        return integer(value);
    } else if constexpr (NamedEnum<T>) {
        return word(name_of(value));
    } else if constexpr (std::floating_point<T>) {
        return real(value);
    } else if constexpr (std::convertible_to<const T&, std::string_view>) {
        return string(value);
    } else if constexpr (std::same_as<T, Raw>) {
        return raw(value.json);
    } else if constexpr (requires { write(*this, value); }) {
        write(*this, value);
        return *this;
    } else if constexpr (requires {
                             *value;
                             static_cast<bool>(value);
                         }) {
        return value ? this->value(*value) : raw("null");
    } else {
        return array(value, [this](const auto& element) { this->value(element); });
    }
}

// What `write(writer)` writes, as a text. `bytes`: about as many as that will be.
template <class Write>
std::string written(std::size_t bytes, Write write) {
    std::string text;
    {
        Writer writer(text, bytes);
        write(writer);
    }
    return text;
}

// A string at the end of `out`.
void append_string(std::string& out, std::string_view value);

// Whether `a` sorts before `b` by UTF-16 code units. Requires: both are UTF-8.
bool name_before(std::string_view a, std::string_view b) noexcept;

}  // namespace dyad::json
