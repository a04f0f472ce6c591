#include "model/json_text.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

namespace dyad::json {
namespace {

// The letter of a two-character escape; 'u' where there is none.
char escape_letter(char c) noexcept {
    switch (c) {
        case '"':
            return '"';
        case '\\':
            return '\\';
        case '\b':
            return 'b';
        case '\f':
            return 'f';
        case '\n':
            return 'n';
        case '\r':
            return 'r';
        case '\t':
            return 't';
        default:
            return 'u';
    }
}

// UTF-8 sorts by code point. UTF-16 differs in one place: the characters beyond U+FFFF (lead bytes
// from 0xf0) are pairs of units 0xd800..0xdfff, which sort before U+E000..U+FFFF (leads 0xee,
// 0xef).
unsigned utf16_rank(unsigned char byte) noexcept {
    if (byte < 0xee) return byte;
    return byte >= 0xf0 ? byte - 2u : byte + 0x10u;
}

constexpr std::uint64_t kOnes = 0x0101010101010101;
constexpr std::uint64_t kTops = kOnes * 0x80;

// Eight characters at once: the top bit of a byte is set where it is a quote or a backslash. A
// borrow can set bits above such a byte only, so the lowest one is always right.
std::uint64_t quotes_in(std::uint64_t word) noexcept {
    return ((word ^ kOnes * '"') - kOnes) | ((word ^ kOnes * '\\') - kOnes);
}
// And where it must be escaped in a string: the bytes beyond ASCII need not be.
std::uint64_t escapes_in(std::uint64_t word) noexcept {
    return ((word - kOnes * 0x20) | quotes_in(word)) & ~word & kTops;
}

std::uint64_t load(const char* from) noexcept {
    std::uint64_t word;
    std::memcpy(&word, from, sizeof word);
    return word;
}
// The same of one to seven bytes, with zeros behind them. Where the parts that are read
// overlap, they agree.
std::uint64_t load_some(const char* from, std::size_t size) noexcept {
    if (size >= 4) {
        std::uint32_t first;
        std::uint32_t last;
        std::memcpy(&first, from, sizeof first);
        std::memcpy(&last, from + size - sizeof last, sizeof last);
        return first | std::uint64_t{last} << 8 * (size - sizeof last);
    }
    const auto byte = [&](std::size_t at) {
        return std::uint64_t{static_cast<unsigned char>(from[at])} << 8 * at;
    };
    return byte(0) | byte(size / 2) | byte(size - 1);
}

// Copies `size` bytes, or those before the first that must be escaped, and returns how many that
// were. Up to eight bytes behind those may be overwritten.
[[gnu::always_inline]] inline std::size_t copy_unescaped(char* to, const char* from,
                                                         std::size_t size) noexcept {
    std::size_t done = 0;
    for (; size - done >= sizeof(std::uint64_t); done += sizeof(std::uint64_t)) {
        const std::uint64_t word = load(from + done);
        std::memcpy(to + done, &word, sizeof word);
        const std::uint64_t found = escapes_in(word);
        if (found != 0) return done + std::countr_zero(found) / 8;
    }
    if (done == size) return size;
    const std::uint64_t word = load_some(from + done, size - done);
    std::memcpy(to + done, &word, sizeof word);
    return done + std::countr_zero(escapes_in(word)) / 8;  // zeros behind the end stop it there
}

constexpr auto kPairs = [] {
    std::array<char, 200> pairs{};
    for (std::size_t i = 0; i < 100; ++i) {
        pairs[2 * i] = static_cast<char>('0' + i / 10);
        pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
    }
    return pairs;
}();

constexpr std::uint64_t kEightDigits = 100'000'000;
constexpr std::size_t kDigitsMax = 21;  // of 64 bits, and the place of a sign

char* write_two(char* to, std::uint32_t number) noexcept {
    std::memcpy(to, &kPairs[2 * number], 2);
    return to + 2;
}
char* write_four(char* to, std::uint32_t number) noexcept {
    return write_two(write_two(to, number / 100), number % 100);
}
char* write_eight(char* to, std::uint64_t number) noexcept {
    const auto short_number = static_cast<std::uint32_t>(number);
    return write_four(write_four(to, short_number / 10000), short_number % 10000);
}
// Of a number below 10^4, without leading zeros.
char* write_up_to_four(char* to, std::uint32_t number) noexcept {
    if (number >= 1000) return write_four(to, number);
    if (number >= 100) {
        *to++ = static_cast<char>('0' + number / 100);
        return write_two(to, number % 100);
    }
    if (number >= 10) return write_two(to, number);
    *to++ = static_cast<char>('0' + number);
    return to;
}
// Of a number below 10^8, without leading zeros.
char* write_up_to_eight(char* to, std::uint64_t number) noexcept {
    const auto short_number = static_cast<std::uint32_t>(number);
    if (short_number < 10000) return write_up_to_four(to, short_number);
    return write_four(write_up_to_four(to, short_number / 10000), short_number % 10000);
}

[[gnu::always_inline]] inline char* write_digits(char* to, Digits value) noexcept {
    *to = '-';
    to += value.negative ? 1 : 0;
    if (value.magnitude < kEightDigits) return write_up_to_eight(to, value.magnitude);
    const std::uint64_t upper = value.magnitude / kEightDigits;
    if (upper < kEightDigits)
        to = write_up_to_eight(to, upper);
    else
        to = write_eight(write_up_to_eight(to, upper / kEightDigits), upper % kEightDigits);
    return write_eight(to, value.magnitude % kEightDigits);
}

// The digits of a finite number other than zero, and its sign; at most 25 bytes.
char* write_real(char* out, double number) {
    char scientific[32];
    const auto written = std::to_chars(scientific, scientific + sizeof scientific,
                                       std::fabs(number), std::chars_format::scientific);
    char* const exponent_mark = std::find(scientific, written.ptr, 'e');
    int exponent = 0;
    const bool negative_exponent = exponent_mark[1] == '-';
    std::from_chars(exponent_mark + 2, written.ptr, exponent);
    if (negative_exponent) exponent = -exponent;
    // The digits without the point: the number is 0.d1d2...dk * 10^point.
    char digits[20];
    digits[0] = scientific[0];
    int count = 1;
    for (const char* at = scientific + 2; at < exponent_mark; ++at)
        digits[count++] = *at;
    const int point = exponent + 1;

    const auto copy = [&](const char* from, int size) { out = std::copy_n(from, size, out); };
    const auto zeros = [&](int size) { out = std::fill_n(out, size, '0'); };
    if (number < 0) *out++ = '-';
    if (count <= point && point <= 21) {
        copy(digits, count);
        zeros(point - count);
    } else if (0 < point && point <= 21) {
        copy(digits, point);
        *out++ = '.';
        copy(digits + point, count - point);
    } else if (-6 < point && point <= 0) {
        copy("0.", 2);
        zeros(-point);
        copy(digits, count);
    } else {
        *out++ = digits[0];
        if (count > 1) *out++ = '.';
        copy(digits + 1, count - 1);
        *out++ = 'e';
        *out++ = exponent < 0 ? '-' : '+';
        out = std::to_chars(out, out + 4, std::abs(exponent)).ptr;
    }
    return out;
}

// Room for the quotes of a string, for one escape and for what a copy may overwrite behind them.
constexpr std::size_t kStringBeside = 16;
constexpr std::size_t kRealMax = 32;

}  // namespace

void Writer::grow(std::size_t bytes) {
    const std::size_t written = size();
    text_.resize(written + bytes);
    at_ = text_.data() + written;
    end_ = text_.data() + text_.size();
}

Writer& Writer::string(std::string_view value) {
    char* const to = room(value.size() + kStringBeside);
    *to = '"';
    const std::size_t plain = copy_unescaped(to + 1, value.data(), value.size());
    if (plain != value.size()) [[unlikely]]
        return escaped_string(value, plain);
    to[1 + plain] = '"';
    at_ += plain + 2;
    return *this;
}

// What string() began: a quote and the first `plain` characters are in their place.
Writer& Writer::escaped_string(std::string_view value, std::size_t plain) {
    at_ += 1 + plain;
    while (plain != value.size()) {
        escape(value[plain]);
        value.remove_prefix(plain + 1);
        room(value.size() + kStringBeside);
        plain = copy_unescaped(at_, value.data(), value.size());
        at_ += plain;
    }
    *at_++ = '"';
    return *this;
}

// Within the room that string() made.
void Writer::escape(char c) {
    constexpr std::string_view kHex = "0123456789abcdef";
    const char letter = escape_letter(c);
    *at_++ = '\\';
    *at_++ = letter;
    if (letter != 'u') return;
    *at_++ = '0';
    *at_++ = '0';
    *at_++ = kHex[static_cast<std::size_t>(c >> 4)];
    *at_++ = kHex[static_cast<std::size_t>(c & 15)];
}

Writer& Writer::strings(const std::vector<std::string>& values) {
    if (values.empty()) return raw("[]");
    raw("[");
    for (const std::string& value : values) {
        if (&value != values.data()) raw(",");
        string(value);
    }
    return raw("]");
}

Writer& Writer::digits(Digits value) {
    at_ = write_digits(room(kDigitsMax), value);
    return *this;
}

Writer& Writer::real(double value) {
    CHECK(std::isfinite(value));
    if (value == 0) return raw("0");
    at_ = write_real(room(kRealMax), value);
    return *this;
}

void append_string(std::string& out, std::string_view value) {
    Writer(out, value.size() + kStringBeside).string(value);
}
void append_digits(std::string& out, Digits value) {
    std::array<char, kDigitsMax> text;
    out.append(text.data(), write_digits(text.data(), value));
}
void append_real(std::string& out, double value) {
    Writer(out, kRealMax).real(value);
}

bool name_before(std::string_view a, std::string_view b) noexcept {
    const std::size_t shared = std::min(a.size(), b.size());
    const auto [at_a, at_b] = std::mismatch(a.begin(), a.begin() + shared, b.begin());
    if (at_a == a.begin() + shared) return a.size() < b.size();
    return utf16_rank(static_cast<unsigned char>(*at_a)) <
           utf16_rank(static_cast<unsigned char>(*at_b));
}

}  // namespace dyad::json
