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

bool is_plain(char c) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\';
}

// The letter of a two-character escape; 'u' where there is none; 0 where none is needed.
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
            return static_cast<unsigned char>(c) < 0x20 ? 'u' : '\0';
    }
}

// UTF-8 sorts by code point. UTF-16 differs in one place: the characters beyond U+FFFF (lead bytes
// from 0xf0) are pairs of units 0xd800..0xdfff, which sort before U+E000..U+FFFF (leads 0xee,
// 0xef).
unsigned utf16_rank(unsigned char byte) noexcept {
    if (byte < 0xee) return byte;
    return byte >= 0xf0 ? byte - 2u : byte + 0x10u;
}

void append_digits(std::string& out, auto number) {
    char digits[24];
    const auto written = std::to_chars(digits, digits + sizeof digits, number);
    out.append(digits, written.ptr);
}

}  // namespace

// Eight bytes a step: in each of the four terms the top bit of a byte is set where the byte must be
// looked at. A borrow can set bits above such a byte only, so the lowest one is always right.
const char* skip_plain(const char* at, const char* end) noexcept {
    constexpr std::uint64_t kOnes = 0x0101010101010101;
    while (end - at >= 8) {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        const std::uint64_t control = word - kOnes * 0x20;
        const std::uint64_t quote = (word ^ kOnes * '"') - kOnes;
        const std::uint64_t backslash = (word ^ kOnes * '\\') - kOnes;
        const std::uint64_t found = (word | control | quote | backslash) & (kOnes * 0x80);
        if (found != 0) return at + std::countr_zero(found) / 8;
        at += 8;
    }
    while (at != end && is_plain(*at))
        ++at;
    return at;
}

void append_string(std::string& out, std::string_view text) {
    constexpr char kDigits[] = "0123456789abcdef";
    const char* run = text.data();
    const char* const end = run + text.size();
    out.push_back('"');
    for (const char* at = skip_plain(run, end); at != end; at = skip_plain(at, end)) {
        const char c = *at++;
        const char letter = escape_letter(c);
        if (letter == '\0') continue;
        out.append(run, at - 1);
        run = at;
        out.push_back('\\');
        out.push_back(letter);
        if (letter != 'u') continue;
        out.append("00");
        out.push_back(kDigits[c >> 4]);
        out.push_back(kDigits[c & 15]);
    }
    out.append(run, end);
    out.push_back('"');
}

void append_integer(std::string& out, std::int64_t number) {
    append_digits(out, number);
}
void append_integer(std::string& out, std::uint64_t number) {
    append_digits(out, number);
}

void append_real(std::string& text, double number) {
    CHECK(std::isfinite(number));
    if (number == 0) {
        text.push_back('0');
        return;
    }
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

    std::array<char, 40> buffer;  // the longest is 25: -0.00000 and 17 digits
    char* out = buffer.data();
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
        out = std::to_chars(out, buffer.data() + buffer.size(), std::abs(exponent)).ptr;
    }
    text.append(buffer.data(), out);
}

bool name_before(std::string_view a, std::string_view b) noexcept {
    const std::size_t shared = std::min(a.size(), b.size());
    const auto [at_a, at_b] = std::mismatch(a.begin(), a.begin() + shared, b.begin());
    if (at_a == a.begin() + shared) return a.size() < b.size();
    return utf16_rank(static_cast<unsigned char>(*at_a)) <
           utf16_rank(static_cast<unsigned char>(*at_b));
}

}  // namespace dyad::json
