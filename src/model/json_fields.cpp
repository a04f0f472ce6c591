#include "model/json_fields.hpp"

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "model/time_text.hpp"

#include <cmath>
#include <utility>

namespace dyad::json {
namespace {

bool begins_number(char c) noexcept {
    return c == '-' || (c >= '0' && c <= '9');
}

}  // namespace

void Source::open(std::string_view text, std::size_t start, bool is_utf8) {
    constexpr std::size_t kKept = 64 * 1024;
    if (text_bytes_ > kKept / 8) {  // a smaller text cannot have taken that much
        if (unescaped_.capacity() > kKept) unescaped_ = std::string();
        canonicalizer_.forget_large();
    }
    unescaped_.clear();
    text_bytes_ = text.size();
    lexer_.emplace(text, start, is_utf8);
}

bool Source::special_string(std::string_view& text) {
    RawString raw;
    if (!lexer_->string(raw)) return false;
    text = raw.body;
    if (!raw.escaped) return true;
    // An escape is longer than what it stands for: all strings of the text have room.
    if (unescaped_.empty()) unescaped_.reserve(text_bytes_);
    const std::size_t start = unescaped_.size();
    CHECK(unescaped_.capacity() - start >= raw.body.size());
    append_unescaped(unescaped_, raw);
    text = std::string_view(unescaped_).substr(start);
    return true;
}

bool Source::refuse_repeated(std::string_view name) {
    return lexer_->refuse(
        fail(Errc::invalid_field, shown(name) + ": stands twice in one object; send it once"));
}

bool Source::add_other(std::vector<std::string_view>& others, std::string_view name) {
    if (std::find(others.begin(), others.end(), name) != others.end()) return refuse_repeated(name);
    if (others.size() >= kUnknownMembersMax)
        return lexer_->refuse(fail(Errc::too_large, "a message has at most " +
                                                        std::to_string(kUnknownMembersMax) +
                                                        " members beyond those that are known"));
    others.push_back(name);
    return true;
}

Error not_known(std::string_view name, std::span<const std::string_view> known) {
    std::string list;
    for (const std::string_view each : known)
        list.append(list.empty() ? "" : ", ").append(each);
    return fail(Errc::invalid_field, shown(name) + ": is not known here; known are " + list);
}

bool Field::wrong(std::string_view wanted) {
    return source_.lexer().refuse(
        fail(Errc::invalid_field, shown(name_) + ": must be " + std::string(wanted)));
}

bool Field::too_large(std::string_view limit) {
    return source_.lexer().refuse(fail(Errc::too_large, shown(name_) + ": " + std::string(limit)));
}

bool Field::add_name_to_error() {
    Error error = source_.lexer().take_error();
    error.detail.insert(0, shown(name_) + ": ");
    return source_.lexer().refuse(std::move(error));
}

bool Field::add_name_to_member() {
    Error error = source_.lexer().take_error();
    if (error.code != Errc::invalid_json) error.detail.insert(0, shown(name_) + ".");
    return source_.lexer().refuse(std::move(error));
}

bool Field::null_or_wrong(std::string_view wanted) {
    Lexer& lexer = source_.lexer();
    const char c = lexer.peek();
    if (c == 'n') return lexer.literal("null") || add_name_to_error();
    if (c == '{' || c == '[' || c == '"' || c == 't' || c == 'f' || begins_number(c))
        return wrong(wanted);
    return lexer.unexpected(kAnyValue) || add_name_to_error();
}

Taken<std::string_view> Field::special_string() {
    if (source_.lexer().peek() != '"') return {null_or_wrong("a string"), std::nullopt};
    std::string_view text;
    if (!source_.string(text)) return {add_name_to_error(), std::nullopt};
    return {true, text};
}

Taken<Number> Field::any_number(std::string_view wanted) {
    Lexer& lexer = source_.lexer();
    if (!begins_number(lexer.peek())) return {null_or_wrong(wanted), std::nullopt};
    Number number;
    if (lexer.number(number)) return {true, number};
    Error error = lexer.take_error();
    // One that is too large is JSON, and still not what this field takes.
    if (error.code == Errc::invalid_field) return {wrong(wanted), std::nullopt};
    lexer.refuse(std::move(error));
    return {add_name_to_error(), std::nullopt};
}

// 7.0 and 7e0 are the integer 7 (JSON Schema draft 2020-12, section 4.2.1 of its core).
template <class Integer>
Taken<Integer> Field::whole(std::string_view wanted) {
    constexpr double kExact = 9007199254740992;  // 2^53
    Taken<Number> taken = any_number(wanted);
    if (!taken.value) return {taken.good, std::nullopt};
    Number& number = *taken.value;
    if (!number.is_integer && std::abs(number.real) <= kExact &&
        std::trunc(number.real) == number.real) {
        if (!source_.lexer().keeps(number)) return {add_name_to_error(), std::nullopt};
        number.is_integer = true;
        number.negative = number.real < 0;
        number.magnitude = static_cast<std::uint64_t>(std::abs(number.real));
    }
    Integer value = 0;
    if (!number.into(value)) return {wrong(wanted), std::nullopt};
    return {true, value};
}

Taken<std::int64_t> Field::integer() {
    return whole<std::int64_t>("a whole number");
}

Taken<std::uint64_t> Field::unsigned_integer() {
    return whole<std::uint64_t>("a whole number from 0");
}

Taken<std::int64_t> Field::time() {
    if (source_.lexer().peek() != '"') return whole<std::int64_t>(kTimeForms);
    const Taken<std::string_view> text = string();
    if (!text.value) return {text.good, std::nullopt};
    const auto moment = read_time(*text.value);
    return {moment || wrong(kTimeForms), moment};
}

bool Field::clock() {
    return source_.lexer().peek() == '"' ? time().good : any_number("a number").good;
}

Taken<double> Field::number() {
    const Taken<Number> taken = any_number("a number");
    if (!taken.value) return {taken.good, std::nullopt};
    const Number& number = *taken.value;
    if (!source_.lexer().keeps(number)) return {add_name_to_error(), std::nullopt};
    if (!number.is_integer) return {true, number.real};
    const auto magnitude = static_cast<double>(number.magnitude);
    return {true, number.negative ? -magnitude : magnitude};
}

Taken<bool> Field::boolean() {
    Lexer& lexer = source_.lexer();
    const char c = lexer.peek();
    if (c != 't' && c != 'f') return {null_or_wrong("true or false"), std::nullopt};
    if (!lexer.literal(c == 't' ? "true" : "false")) return {add_name_to_error(), std::nullopt};
    return {true, c == 't'};
}

bool Field::raw(std::string_view& out) {
    return source_.lexer().raw(out) || add_name_to_error();
}

bool Field::skip() {
    return source_.canonicalizer().read(source_.lexer()) || add_name_to_error();
}

bool Field::document(std::string& out) {
    if (!skip()) return false;
    out = std::string(source_.canonicalizer().text());
    return true;
}

Taken<bool> Field::begin_array(std::string_view wanted) {
    if (source_.lexer().peek() != '[') return {null_or_wrong(wanted), std::nullopt};
    bool more = false;
    source_.lexer().enter(']', more);
    return {true, more};
}

Taken<std::vector<std::string>> Field::strings() {
    constexpr std::string_view kWanted = "an array of strings";
    const Taken<bool> begun = begin_array(kWanted);
    if (!begun.value) return {begun.good, std::nullopt};
    std::vector<std::string> all;
    for (bool more = *begun.value; more;) {
        if (source_.lexer().peek() != '"') return {wrong(kWanted), std::nullopt};
        if (all.size() >= limits::json_members_max)
            return {too_large("has too many elements"), std::nullopt};
        if (!source_.lexer().text(all.emplace_back())) return {add_name_to_error(), std::nullopt};
        if (!end_element(more)) return {false, std::nullopt};
    }
    return {true, std::move(all)};
}

}  // namespace dyad::json
