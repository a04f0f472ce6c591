#include "model/json_lexer.hpp"

#include "base/bytes.hpp"
#include "base/utf8.hpp"
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

// The number that four hexadecimal digits at `at` make; nothing where others stand there.
std::optional<unsigned> hex4_value(const char* at) noexcept {
    std::array<std::uint8_t, 2> bytes;
    if (!read_hex({at, 4}, bytes)) return std::nullopt;
    return bytes[0] << 8U | bytes[1];
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

// The digits of a number's text without zeros at either end, and the power of ten of the first one.
struct Decimal {
    std::string digits;
    std::int64_t exponent = 0;
    bool operator==(const Decimal&) const = default;
};
Decimal decimal_of(std::string_view text) {
    constexpr std::int64_t kFar = std::int64_t{1}
                                  << 60;  // no text is long enough to make up for it
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
    const auto read = std::from_chars(power.data(), power.data() + power.size(), more);
    if (read.ec == std::errc::result_out_of_range) more = power.front() == '-' ? -kFar : kFar;
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

// Behind the string whose first character is at `at`; null where it does not end.
const char* string_end(const char* at, const char* end) noexcept {
    for (at = plain_end(at, end); at != end; at = plain_end(at + 1, end)) {
        if (*at == '"') return at + 1;
        if (*at == '\\' && ++at == end) break;
    }
    return nullptr;
}

// Behind the array or object that begins at `at`; null where it does not end. Only quotes, escapes
// and the count of brackets tell, whatever their kind: for JSON that is exact; other text may end
// anywhere, and is found out when it is read.
const char* balanced_end(const char* at, const char* end) noexcept {
    for (std::size_t levels = 0; at != end;) {
        const char c = *at++;
        if (c == '{' || c == '[') {
            ++levels;
        } else if (c == '}' || c == ']') {
            if (--levels == 0) return at;
        } else if (c == '"') {
            at = string_end(at, end);
            if (at == nullptr) return nullptr;
        }
    }
    return nullptr;
}

}  // namespace

std::size_t string_bytes(std::string_view text) noexcept {
    const char* const end = string_end(text.data() + 1, text.data() + text.size());
    return end == nullptr ? 0 : static_cast<std::size_t>(end - text.data());
}

void append_unescaped(std::string& out, const RawString& raw) {
    const char* at = raw.body.data();
    const char* const end = at + raw.body.size();
    while (at != end) {
        const auto* run_end = static_cast<const char*>(std::memchr(at, '\\', end - at));
        if (run_end == nullptr) run_end = end;
        out.append(at, run_end);
        if (run_end == end) return;
        at = run_end + 2;
        constexpr std::string_view kLetters = "bfnrt";
        const std::size_t letter = kLetters.find(at[-1]);
        if (letter != std::string_view::npos) {
            out.push_back("\b\f\n\r\t"[letter]);
        } else if (at[-1] == 'u') {
            unsigned code = *hex4_value(at);
            at += 4;
            if (code >= 0xd800 && code < 0xdc00) {
                code = 0x10000 + ((code - 0xd800) << 10) + (*hex4_value(at + 2) - 0xdc00);
                at += 6;
            }
            append_utf8(out, code);
        } else {
            out.push_back(at[-1]);
        }
    }
}

bool Lexer::text(std::string& out) {
    RawString raw;
    if (peek() != '"' || !string(raw)) return false;
    out.clear();
    append_unescaped(out, raw);
    return true;
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
        const char* const end = balanced_end(at_, end_);
        at_ = end == nullptr ? end_ : end;
        if (end == nullptr)
            return unexpected(c == '{' ? "the '}' of an object" : "the ']' of an array");
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
        } else if (!utf8_run()) {
            return false;
        }
    }
    out.body = std::string_view(first, static_cast<std::size_t>(at_ - first));
    ++at_;
    return true;
}

bool Lexer::hex4(unsigned& out) {
    const auto value = end_ - at_ < 4 ? std::nullopt : hex4_value(at_);
    if (!value)
        return fail_at(position(), Errc::invalid_json,
                       "expected four hexadecimal digits after \\u");
    out = *value;
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

// Characters of other scripts come in runs.
bool Lexer::utf8_run() {
    const char* end = at_;
    while (end != end_ && static_cast<unsigned char>(*end) >= 0x80)
        ++end;
    if (!is_utf8_) at_ += scan_utf8({at_, static_cast<std::size_t>(end - at_)}).valid_bytes;
    if (!is_utf8_ && at_ != end)
        return fail_at(position(), Errc::invalid_utf8, "not UTF-8; encode the text as UTF-8");
    at_ = end;
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
    const Decimal said = decimal_of(out.text);
    if (!said.digits.empty() && said.exponent > 0)
        return refuse_number(first, "is beyond the range of a double");
    out.real = 0;
    return true;
}

}  // namespace dyad::json
