#include "model/json_text.hpp"

#include "base/check.hpp"
#include "model/json_scan.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace dyad::json {
namespace {

// UTF-8 sorts by code point. UTF-16 differs in one place: the characters beyond U+FFFF (lead bytes
// from 0xf0) are pairs of units 0xd800..0xdfff, which sort before U+E000..U+FFFF (leads 0xee,
// 0xef).
unsigned utf16_rank(unsigned char byte) noexcept {
    if (byte < 0xee) return byte;
    return byte >= 0xf0 ? byte - 2u : byte + 0x10u;
}

// One to seven bytes as a word, with zeros behind them. Where the parts that are read overlap, they
// agree.
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
    const auto escapes_in = [](std::uint64_t word) { return specials_in(word) & ~word & kTops; };
    std::size_t done = 0;
    for (; size - done >= sizeof(std::uint64_t); done += sizeof(std::uint64_t)) {
        const std::uint64_t word = load_word(from + done);
        std::memcpy(to + done, &word, sizeof word);
        const std::uint64_t found = escapes_in(word);
        if (found != 0) return done + std::countr_zero(found) / 8;
    }
    if (done == size) return size;
    const std::uint64_t word = load_some(from + done, size - done);
    std::memcpy(to + done, &word, sizeof word);
    return done + std::countr_zero(escapes_in(word)) / 8;  // zeros behind the end stop it there
}

constexpr std::uint32_t kEightDigits = 100'000'000;
constexpr std::size_t kDigitsMax = 1 + 20 + 7;  // of 64 bits, a sign, and what is overwritten

// The eight digits of a number below 10^8 as a word, zeros in front: cut in half three times, all
// parts at once.
std::uint64_t eight_digits(std::uint64_t number) noexcept {
    const std::uint64_t fours = number / 10000 | number % 10000 << 32;
    const std::uint64_t hundreds = ((fours * 10486) >> 20) & 0x0000'007f'0000'007f;
    const std::uint64_t twos = hundreds | (fours - 100 * hundreds) << 16;
    const std::uint64_t tens = ((twos * 103) >> 10) & 0x000f'000f'000f'000f;
    return tens | (twos - 10 * tens) << 8;
}
// std::to_chars, two digits a step, takes three times as long; most numbers are times. Up to seven
// bytes behind the number are overwritten.
char* write_digits(char* to, std::uint64_t number) noexcept {
    int zeros = 0;
    if (number >= kEightDigits)
        to = write_digits(to, number / kEightDigits);
    else
        zeros = std::countr_zero(eight_digits(number) | std::uint64_t{1} << 56) / 8;
    const std::uint64_t text = (eight_digits(number % kEightDigits) + kOnes * '0') >> 8 * zeros;
    std::memcpy(to, &text, sizeof text);
    return to + 8 - zeros;
}

constexpr std::size_t kRealMax = 32;

// A finite number other than zero; fewer than kRealMax bytes. Shortest digits are ECMAScript's,
// too; only where it puts the point and how it writes exponents is its own.
char* write_real(char* out, double number) {
    const double magnitude = std::fabs(number);
    char* const end = out + kRealMax;
    if (magnitude >= 1e-6 && magnitude < 0x1p53)
        return std::to_chars(out, end, number, std::chars_format::fixed).ptr;
    char* const last = std::to_chars(out, end, number, std::chars_format::scientific).ptr;
    char* const mark = std::find(out, last, 'e');
    char* const sign = mark + 1;
    char* const power = sign[1] == '0' ? sign + 2 : sign + 1;  // it has at least two digits
    if (magnitude < 1e-6 || magnitude >= 1e21) return std::copy(power, last, sign + 1);
    // An integer: as many digits as the exponent says, without the point.
    int zeros = 0;
    std::from_chars(power, last, zeros);
    char* const point = out + (number < 0 ? 2 : 1);
    char* const digits_end = *point == '.' ? std::copy(point + 1, mark, point) : point;
    return std::fill_n(digits_end, zeros - (digits_end - point), '0');
}

// Room for the quotes of a string, for one escape and for what a copy may overwrite behind them.
constexpr std::size_t kStringBeside = 16;

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
    constexpr std::string_view kWithLetter = "\"\\\b\f\n\r\t";
    constexpr std::string_view kHex = "0123456789abcdef";
    const std::size_t letter = kWithLetter.find(c);
    if (letter != std::string_view::npos) {
        raw("\\");
        *at_++ = "\"\\bfnrt"[letter];
        return;
    }
    raw("\\u00");
    *at_++ = kHex[static_cast<std::size_t>(c >> 4)];
    *at_++ = kHex[static_cast<std::size_t>(c & 15)];
}

Writer& Writer::digits(std::uint64_t magnitude, bool is_negative) {
    char* const to = room(kDigitsMax);
    *to = '-';
    at_ = write_digits(to + is_negative, magnitude);
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

bool name_before(std::string_view a, std::string_view b) noexcept {
    const std::size_t shared = std::min(a.size(), b.size());
    const auto [at_a, at_b] = std::mismatch(a.begin(), a.begin() + shared, b.begin());
    if (at_a == a.begin() + shared) return a.size() < b.size();
    return utf16_rank(static_cast<unsigned char>(*at_a)) <
           utf16_rank(static_cast<unsigned char>(*at_b));
}

}  // namespace dyad::json
