#include "wire/fields.hpp"

#include "base/limits.hpp"
#include "model/json.hpp"

#include <cstring>

namespace dyad::wire {
namespace {

std::string quoted(std::string_view name) {
    // Names come from clients: as much as a message needs, without what could break a log line.
    std::string text;
    for (char c : name.substr(0, 64))
        text += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
    return text;
}

std::string_view trimmed(std::string_view text) {
    const auto space = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
    while (!text.empty() && space(text.back()))
        text.remove_suffix(1);
    return text;
}

}  // namespace

Error json_error(simdjson::error_code code) {
    switch (code) {
        case simdjson::UTF8_ERROR:
            return fail(Errc::invalid_utf8);
        case simdjson::DEPTH_ERROR:
            return fail(Errc::too_large, "the message is nested deeper than json_depth_max = " +
                                             std::to_string(limits::json_depth_max));
        case simdjson::INCORRECT_TYPE:
            return fail(Errc::invalid_json, "the message must be a JSON object");
        default:
            return fail(Errc::invalid_json, simdjson::error_message(code));
    }
}

Error repeated(std::string_view name) {
    return fail(Errc::invalid_field, quoted(name) + ": stands twice in one object; send it once");
}

Status add_other(std::vector<std::string>& others, std::string_view name) {
    if (std::find(others.begin(), others.end(), name) != others.end()) return repeated(name);
    if (others.size() >= kUnknownMembersMax)
        return fail(Errc::too_large, "a message has at most " + std::to_string(kUnknownMembersMax) +
                                         " members beyond those that are known");
    others.emplace_back(name);
    return Done{};
}

Result<simdjson::ondemand::document> Source::open(std::string_view text) {
    const std::size_t needed = text.size() + simdjson::SIMDJSON_PADDING;
    if (padded_.size() < needed) padded_.resize(needed);
    std::memcpy(padded_.data(), text.data(), text.size());
    // The parser must not take what an earlier text left there for part of this one.
    std::memset(padded_.data() + text.size(), ' ', simdjson::SIMDJSON_PADDING);
    simdjson::ondemand::document document;
    const simdjson::padded_string_view view(padded_.data(), text.size(), needed);
    if (auto code = parser_.iterate(view).get(document)) return json_error(code);
    return document;
}

void Source::forget_large() {
    constexpr std::size_t kKept = 64 * 1024;
    if (padded_.size() <= kKept) return;
    padded_ = std::string();
    parser_ = simdjson::ondemand::parser();
}

Status Source::at_end(simdjson::ondemand::document& document) {
    // The parser knows no current location once every token is used up.
    const char* rest = nullptr;
    if (document.current_location().get(rest) == simdjson::SUCCESS)
        return fail(Errc::invalid_json, "something follows the message's closing brace");
    return Done{};
}

Result<std::string_view> raw_text(simdjson::ondemand::value& value) {
    simdjson::ondemand::json_type type;
    if (auto code = value.type().get(type)) return json_error(code);
    std::string_view text;
    if (type == simdjson::ondemand::json_type::object) {
        simdjson::ondemand::object object;
        if (auto code = value.get_object().get(object)) return json_error(code);
        if (auto code = object.raw_json().get(text)) return json_error(code);
        return trimmed(text);
    }
    if (type == simdjson::ondemand::json_type::array) {
        simdjson::ondemand::array array;
        if (auto code = value.get_array().get(array)) return json_error(code);
        if (auto code = array.raw_json().get(text)) return json_error(code);
        return trimmed(text);
    }
    return trimmed(value.raw_json_token());
}

bool Field::is_null() {
    bool null = false;
    return value_.is_null().get(null) == simdjson::SUCCESS && null;
}

Error Field::wrong(std::string_view wanted) const {
    return fail(Errc::invalid_field, quoted(name_) + ": must be " + std::string(wanted));
}

Result<std::optional<std::string_view>> Field::string() {
    std::string_view text;
    const auto code = value_.get_string().get(text);
    if (code == simdjson::SUCCESS) return std::optional<std::string_view>(text);
    if (code != simdjson::INCORRECT_TYPE) return json_error(code);
    if (is_null()) return std::optional<std::string_view>();
    return wrong("a string");
}

Result<std::optional<std::int64_t>> Field::integer() {
    std::int64_t number = 0;
    if (value_.get_int64().get(number) == simdjson::SUCCESS)
        return std::optional<std::int64_t>(number);
    if (is_null()) return std::optional<std::int64_t>();
    return wrong("a whole number");
}

Result<std::optional<std::uint64_t>> Field::unsigned_integer() {
    std::uint64_t number = 0;
    if (value_.get_uint64().get(number) == simdjson::SUCCESS)
        return std::optional<std::uint64_t>(number);
    if (is_null()) return std::optional<std::uint64_t>();
    return wrong("a whole number from 0");
}

Result<std::optional<double>> Field::number() {
    double number = 0;
    if (value_.get_double().get(number) == simdjson::SUCCESS) return std::optional<double>(number);
    if (is_null()) return std::optional<double>();
    return wrong("a number");
}

Result<std::optional<bool>> Field::boolean() {
    bool truth = false;
    if (value_.get_bool().get(truth) == simdjson::SUCCESS) return std::optional<bool>(truth);
    if (is_null()) return std::optional<bool>();
    return wrong("true or false");
}

Result<std::string_view> Field::raw() {
    return raw_text(value_);
}

Result<std::string> Field::document() {
    Result<std::string_view> text = raw_text(value_);
    if (!text) return text.error();
    Result<std::string> canonical = json::canonicalize(*text);
    if (!canonical) {
        Error error = canonical.error();
        error.detail.insert(0, quoted(name_) + ": ");
        return error;
    }
    return canonical;
}

Result<std::vector<std::string>> Field::strings() {
    simdjson::ondemand::array array;
    std::vector<std::string> texts;
    if (value_.get_array().get(array) != simdjson::SUCCESS) return wrong("an array of strings");
    for (auto item : array) {
        std::string_view text;
        if (item.get_string().get(text) != simdjson::SUCCESS) return wrong("an array of strings");
        if (texts.size() >= limits::json_members_max)
            return fail(Errc::too_large, quoted(name_) + ": has too many elements");
        texts.emplace_back(text);
    }
    return texts;
}

Status Field::skip() {
    Result<std::string> read = document();
    if (!read) return read.error();
    return Done{};
}

}  // namespace dyad::wire
