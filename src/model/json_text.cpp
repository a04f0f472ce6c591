#include "model/json_text.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

namespace dyad::json {
namespace {

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

}  // namespace

void append_string(std::string& out, std::string_view text) {
    constexpr char kDigits[] = "0123456789abcdef";
    out.push_back('"');
    std::size_t run = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char letter = escape_letter(text[i]);
        if (letter == '\0') continue;
        out.append(text, run, i - run);
        run = i + 1;
        out.push_back('\\');
        out.push_back(letter);
        if (letter != 'u') continue;
        out.append("00");
        out.push_back(kDigits[text[i] >> 4]);
        out.push_back(kDigits[text[i] & 15]);
    }
    out.append(text, run, text.size() - run);
    out.push_back('"');
}

std::string_view real_text(double number, NumberBuffer& buffer) {
    CHECK(std::isfinite(number));
    if (number == 0) return "0";
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
    return {buffer.data(), static_cast<std::size_t>(out - buffer.data())};
}

bool name_before(std::string_view a, std::string_view b) noexcept {
    const std::size_t shared = std::min(a.size(), b.size());
    const auto [at_a, at_b] = std::mismatch(a.begin(), a.begin() + shared, b.begin());
    if (at_a == a.begin() + shared) return a.size() < b.size();
    return utf16_rank(static_cast<unsigned char>(*at_a)) <
           utf16_rank(static_cast<unsigned char>(*at_b));
}

}  // namespace dyad::json
