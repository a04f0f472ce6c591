#include "model/json_lexer.hpp"

#include "model/json_pointer.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace dyad::json {
namespace {

bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

int hex_value(char c) noexcept {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

unsigned hex4_value(const char* at) noexcept {
    unsigned value = 0;
    for (int i = 0; i < 4; ++i)
        value = value << 4 | static_cast<unsigned>(hex_value(at[i]));
    return value;
}

// Whether canonical text writes this character as \u00XX, the last digit as it stands here.
bool is_canonical_escape(unsigned code, char last_digit) noexcept {
    const bool has_letter =
        code == '\b' || code == '\f' || code == '\n' || code == '\r' || code == '\t';
    return code < 0x20 && !has_letter && !(last_digit >= 'A' && last_digit <= 'F');
}

void append_utf8(std::string& out, unsigned code_point) {
    const auto put = [&out](unsigned byte) { out.push_back(static_cast<char>(byte)); };
    const auto tail = [&](unsigned shift) { put(0x80 | (code_point >> shift & 0x3f)); };
    if (code_point < 0x80) return put(code_point);
    if (code_point < 0x800) {
        put(0xc0 | code_point >> 6);
    } else if (code_point < 0x10000) {
        put(0xe0 | code_point >> 12);
        tail(6);
    } else {
        put(0xf0 | code_point >> 18);
        tail(12);
        tail(6);
    }
    tail(0);
}

// Where a number is out of the range of double: whether it is too large rather than too small. Its
// first significant digit and its exponent are far from cancelling out, so their sum tells.
bool overflows(const char* at, const char* end) noexcept {
    std::int64_t magnitude = 0;
    bool significant = false;
    bool fraction = false;
    for (; at != end && *at != 'e' && *at != 'E'; ++at) {
        if (*at == '.') fraction = true;
        if (is_digit(*at) && *at != '0') significant = true;
        if (is_digit(*at) && significant && !fraction) ++magnitude;
        if (is_digit(*at) && !significant && fraction) --magnitude;
    }
    if (!significant || at == end) return significant && magnitude > 0;
    ++at;
    const bool negative = *at == '-';
    std::int64_t exponent = 0;
    for (; at != end; ++at)
        if (is_digit(*at)) exponent = std::min<std::int64_t>(exponent * 10 + (*at - '0'), 1 << 30);
    return magnitude + (negative ? -exponent : exponent) > 0;
}

// The digits of a number's text without zeros at either end, and the power of ten of the first one.
struct Decimal {
    std::string digits;
    std::int64_t exponent = 0;
    bool operator==(const Decimal&) const = default;
};
Decimal decimal_of(std::string_view text) {
    Decimal out;
    const std::size_t mark = std::min(text.find_first_of("eE"), text.size());
    std::int64_t point = 0;  // the power of ten of the next digit, from the point on
    bool fraction = false;
    for (const char c : text.substr(0, mark)) {
        if (c == '.') fraction = true;
        if (!is_digit(c)) continue;
        if (fraction) --point;
        if (out.digits.empty() && c == '0') continue;
        if (out.digits.empty())
            out.exponent = fraction ? point : 0;
        else if (!fraction)
            ++out.exponent;
        out.digits += c;
    }
    out.digits.resize(out.digits.find_last_not_of('0') + 1);
    std::string_view power = text.substr(std::min(mark + 1, text.size()));
    if (power.starts_with('+')) power.remove_prefix(1);
    std::int64_t more = 0;
    std::from_chars(power.data(), power.data() + power.size(),
                    more);  // 0 where it is far too large
    out.exponent += more;
    return out;
}

// Whether the double nearest to the text is written as the same number again. Up to 15 digits
// always are; a fraction may have 17, which are as many as programs print of a double.
bool comes_back(std::string_view text, double value) {
    constexpr std::size_t kAlways = 15;
    constexpr std::size_t kOfAFraction = 17;
    const Decimal said = decimal_of(text);
    if (said.digits.empty() || value == 0) return said.digits.empty();
    const std::size_t size = said.digits.size();
    const bool fraction = said.exponent + 1 < static_cast<std::int64_t>(size);
    if (size <= (fraction ? kOfAFraction : kAlways) && said.exponent > -300 && said.exponent < 300)
        return true;
    std::array<char, 32> shortest;
    const auto written = std::to_chars(shortest.data(), shortest.data() + shortest.size(), value,
                                       std::chars_format::scientific);
    return said ==
           decimal_of({shortest.data(), static_cast<std::size_t>(written.ptr - shortest.data())});
}

// Whether these digits are an integer of 64 bits. Its magnitude is right where they cannot be more.
bool check_magnitude(const char* digits, const char* end, Number& out) noexcept {
    constexpr std::uint64_t kNegativeMax = std::uint64_t{1} << 63;
    constexpr std::ptrdiff_t kAlwaysFit = 19;
    if (end - digits > kAlwaysFit && std::from_chars(digits, end, out.magnitude).ec != std::errc())
        return false;
    if (out.magnitude == 0) out.negative = false;
    return !out.negative || out.magnitude <= kNegativeMax;
}

}  // namespace

void append_unescaped(std::string& out, const RawString& raw) {
    const char* at = raw.body.data();
    const char* const end = at + raw.body.size();
    while (at != end) {
        const auto* run_end = static_cast<const char*>(std::memchr(at, '\\', end - at));
        if (run_end == nullptr) run_end = end;
        out.append(at, run_end);
        if (run_end == end) return;
        at = run_end + 2;
        switch (at[-1]) {
            case 'b':
                out.push_back('\b');
                break;
            case 'f':
                out.push_back('\f');
                break;
            case 'n':
                out.push_back('\n');
                break;
            case 'r':
                out.push_back('\r');
                break;
            case 't':
                out.push_back('\t');
                break;
            case 'u': {
                unsigned code = hex4_value(at);
                at += 4;
                if (code >= 0xd800 && code < 0xdc00) {
                    code = 0x10000 + ((code - 0xd800) << 10) + (hex4_value(at + 2) - 0xdc00);
                    at += 6;
                }
                append_utf8(out, code);
                break;
            }
            default:
                out.push_back(at[-1]);
        }
    }
}

bool Lexer::fail_at(std::size_t position, Errc code, std::string_view what) {
    error_ = fail(code, "byte " + std::to_string(position) + ": " + std::string(what));
    return false;
}

bool Lexer::refuse(Error error) {
    error_ = std::move(error);
    return false;
}

bool Lexer::unexpected(std::string_view wanted) {
    std::string what(at_end() ? "the text ends too early, expected " : "expected ");
    return fail_at(position(), Errc::invalid_json, what.append(wanted).append(" (RFC 8259)"));
}

Error Lexer::take_error() {
    CHECK(error_.has_value());
    return std::move(*error_);
}

bool Lexer::finish() {
    skip_space();
    return at_end() || unexpected("nothing after the value");
}

bool Lexer::literal(std::string_view word) {
    if (!rest().starts_with(word)) return unexpected(kAnyValue);
    at_ += word.size();
    return true;
}

bool Lexer::raw(std::string_view& out) {
    const char* const first = at_;
    const char c = peek();
    if (c == '{' || c == '[') {
        const std::size_t size = balanced_bytes(rest());
        at_ = size == 0 ? end_ : at_ + size;
        if (size == 0) return unexpected(c == '{' ? "the '}' of an object" : "the ']' of an array");
    } else if (c == '"') {
        RawString string_value;
        if (!string(string_value)) return false;
    } else if (c == '-' || is_digit(c)) {
        Number number_value;
        if (!number(number_value)) return false;
    } else if (!literal(c == 't' ? "true" : c == 'f' ? "false" : "null")) {
        return false;
    }
    out = std::string_view(first, static_cast<std::size_t>(at_ - first));
    return true;
}

void Lexer::skip_some_space() noexcept {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t'))
        ++at_;
}

bool Lexer::special_string(RawString& out) {
    const char* const first = ++at_;
    for (;;) {
        at_ = plain_end(at_, end_);
        if (at_ == end_) return unexpected("the closing '\"' of a string");
        if (*at_ == '"') break;
        if (*at_ == '\\') {
            out.escaped = true;
            if (!escape(out)) return false;
        } else if (static_cast<unsigned char>(*at_) < 0x20) {
            return fail_at(position(), Errc::invalid_json,
                           "a control character in a string; write it as an escape (\\u00XX)");
        } else {
            // Characters of other scripts come in runs.
            do {
                if (!utf8_character()) return false;
            } while (at_ != end_ && static_cast<unsigned char>(*at_) >= 0x80);
        }
    }
    out.body = std::string_view(first, static_cast<std::size_t>(at_ - first));
    ++at_;
    return true;
}

bool Lexer::hex4(unsigned& out) {
    if (end_ - at_ < 4 || !std::all_of(at_, at_ + 4, [](char c) { return hex_value(c) >= 0; }))
        return fail_at(position(), Errc::invalid_json,
                       "expected four hexadecimal digits after \\u");
    out = hex4_value(at_);
    at_ += 4;
    return true;
}

bool Lexer::escape(RawString& out) {
    const std::size_t start = position();
    ++at_;
    if (at_ == end_) return unexpected("an escape");
    const char kind = *at_++;
    if (kind != 'u') {
        if (kind == '/') out.canonical = false;
        if (std::strchr("\"\\/bfnrt", kind) != nullptr && kind != '\0') return true;
        return fail_at(start, Errc::invalid_json,
                       "an unknown escape; use one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX");
    }
    unsigned code = 0;
    if (!hex4(code)) return false;
    if (!is_canonical_escape(code, at_[-1])) out.canonical = false;
    if (code < 0xd800 || code > 0xdfff) return true;
    unsigned low = 0;
    if (code < 0xdc00 && end_ - at_ >= 2 && at_[0] == '\\' && at_[1] == 'u') {
        at_ += 2;
        if (!hex4(low)) return false;
    }
    if (low >= 0xdc00 && low <= 0xdfff) return true;
    return fail_at(start, Errc::invalid_json,
                   "half of a surrogate pair; write both halves, or the character itself");
}

// One character of more than one byte: RFC 3629, that is no overlong forms, no surrogates, nothing
// beyond U+10FFFF.
bool Lexer::utf8_character() {
    const auto lead = static_cast<unsigned char>(*at_);
    int tails = 0;
    unsigned low = 0x80;
    unsigned high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) {
        tails = 1;
    } else if (lead >= 0xe0 && lead <= 0xef) {
        tails = 2;
        if (lead == 0xe0) low = 0xa0;
        if (lead == 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        tails = 3;
        if (lead == 0xf0) low = 0x90;
        if (lead == 0xf4) high = 0x8f;
    }
    bool good = tails > 0 && end_ - at_ > tails;
    for (int i = 1; good && i <= tails; ++i) {
        const auto byte = static_cast<unsigned char>(at_[i]);
        good = byte >= low && byte <= high;
        low = 0x80;
        high = 0xbf;
    }
    if (!good)
        return fail_at(position(), Errc::invalid_utf8, "not UTF-8; encode the text as UTF-8");
    at_ += tails + 1;
    return true;
}

bool Lexer::digits() {
    if (at_ == end_ || !is_digit(*at_)) return unexpected("a digit");
    while (at_ != end_ && is_digit(*at_))
        ++at_;
    return true;
}

bool Lexer::number(Number& out) {
    const char* const first = at_;
    out = Number{};
    out.negative = take('-');
    const char* const integer = at_;
    const char* at = at_;
    std::uint64_t magnitude = 0;
    for (; at != end_ && is_digit(*at); ++at)
        magnitude = magnitude * 10 + static_cast<std::uint64_t>(*at - '0');
    at_ = at;
    out.magnitude = magnitude;
    if (at_ == integer) return unexpected("a digit");
    if (*integer == '0' && at_ - integer > 1)
        return fail_at(static_cast<std::size_t>(integer - begin_), Errc::invalid_json,
                       "a number must not begin with 0");
    out.is_integer = true;
    if (peek() == '.') {
        out.is_integer = false;
        ++at_;
        if (!digits()) return false;
    }
    if (peek() == 'e' || peek() == 'E') {
        out.is_integer = false;
        ++at_;
        if (peek() == '+' || peek() == '-') ++at_;
        if (!digits()) return false;
    }
    out.text = std::string_view(first, static_cast<std::size_t>(at_ - first));
    if (out.is_integer && check_magnitude(integer, at_, out)) return true;
    return real(out);
}

bool Lexer::keeps_real(const Number& number) {
    return comes_back(number.text, number.real) ||
           refuse_number(number.text.data(), "has more digits than are kept");
}

bool Lexer::refuse_number(const char* at, std::string_view what) {
    const auto position = static_cast<std::size_t>(at - begin_);
    const std::string_view text(begin_, static_cast<std::size_t>(end_ - begin_));
    return fail_at(position, Errc::invalid_field,
                   "the number at \"" + pointer_to(text, position) + "\" " + std::string(what) +
                       "; send it as a string");
}

bool Lexer::real(Number& out) {
    out.is_integer = out.negative = false;
    out.magnitude = 0;
    const char* const first = out.text.data();
    const auto read = std::from_chars(first, at_, out.real);
    if (read.ec == std::errc()) return true;
    if (overflows(first, at_)) return refuse_number(first, "is beyond the range of a double");
    out.real = 0;
    return true;
}

}  // namespace dyad::json
