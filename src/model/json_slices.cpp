#include "model/json_slices.hpp"

#include "model/json.hpp"
#include "model/json_scan.hpp"

#include <charconv>

namespace dyad::json_slices {

namespace {

// The quote that ends the string which begins at `at`, its first character; `end` where none does.
const char* closing_quote(const char* at, const char* end, bool& escaped) {
    for (;;) {
        at = json::plain_end(at, end);
        if (at == end || *at == '"') return at;
        if (*at == '\\') {
            escaped = true;
            if (++at == end) return end;
        }
        ++at;
    }
}

}  // namespace

bool take_string(std::string_view& in, std::string& value) {
    if (in.empty() || in.front() != '"') return false;
    const char* const begin = in.data() + 1;
    const char* const end = in.data() + in.size();
    bool escaped = false;
    const char* const quote = closing_quote(begin, end, escaped);
    if (quote == end) return false;
    if (!escaped) {
        value.assign(begin, quote);
    } else {
        const Result<json::Value> parsed =
            json::parse({in.data(), static_cast<std::size_t>(quote + 1 - in.data())});
        if (!parsed || !parsed->is_string()) return false;
        value.assign(parsed->get_string().data(), parsed->get_string().size());
    }
    in.remove_prefix(static_cast<std::size_t>(quote + 1 - in.data()));
    return true;
}

namespace {

// Takes one JSON value off the front of `in`; nothing where it has no end.
std::optional<std::string_view> take_value(std::string_view& in) {
    std::size_t depth = 0;
    std::size_t i = 0;
    for (; i < in.size(); ++i) {
        const char c = in[i];
        if (c == '"') {
            bool escaped = false;
            const char* const quote =
                closing_quote(in.data() + i + 1, in.data() + in.size(), escaped);
            i = static_cast<std::size_t>(quote - in.data());
            if (i == in.size()) return std::nullopt;
        } else if (c == '{' || c == '[') {
            ++depth;
        } else if (c == '}' || c == ']') {
            if (depth == 0) break;
            --depth;
        } else if (c == ',' && depth == 0) {
            break;
        }
    }
    if (depth != 0 || i == 0) return std::nullopt;
    const std::string_view value = in.substr(0, i);
    in.remove_prefix(i);
    return value;
}

}  // namespace

std::optional<Object> Object::read(std::string_view text) {
    Object object;
    if (text.size() < 2 || text.front() != '{' || text.back() != '}') return std::nullopt;
    std::string_view in = text.substr(1, text.size() - 2);
    while (!in.empty()) {
        if (in.front() != '"') return std::nullopt;
        const std::size_t end = in.find('"', 1);  // the product's own names have no escapes
        if (end == std::string_view::npos || end + 1 >= in.size() || in[end + 1] != ':')
            return std::nullopt;
        const std::string_view key = in.substr(1, end - 1);
        in.remove_prefix(end + 2);
        const auto value = take_value(in);
        if (!value) return std::nullopt;
        object.members_.emplace_back(key, *value);
        if (in.empty()) break;
        if (in.front() != ',') return std::nullopt;
        in.remove_prefix(1);
    }
    return object;
}

std::optional<std::string_view> Object::raw(std::string_view key) const {
    for (const auto& [name, value] : members_)
        if (name == key) return value;
    return std::nullopt;
}

std::optional<std::string> Object::string(std::string_view key) const {
    auto text = raw(key);
    std::string value;
    if (!text || !take_string(*text, value) || !text->empty()) return std::nullopt;
    return value;
}

std::optional<std::int64_t> Object::integer(std::string_view key) const {
    const auto text = raw(key);
    std::int64_t value = 0;
    if (!text) return std::nullopt;
    const auto end = std::from_chars(text->data(), text->data() + text->size(), value);
    if (end.ec != std::errc() || end.ptr != text->data() + text->size()) return std::nullopt;
    return value;
}

std::optional<double> Object::number(std::string_view key) const {
    const auto text = raw(key);
    double value = 0;
    if (!text) return std::nullopt;
    const auto end = std::from_chars(text->data(), text->data() + text->size(), value);
    if (end.ec != std::errc() || end.ptr != text->data() + text->size()) return std::nullopt;
    return value;
}

std::vector<std::string> Object::strings(std::string_view key) const {
    std::vector<std::string> values;
    const auto text = raw(key);
    const auto items = text ? elements(*text) : std::nullopt;
    if (!items) return values;
    for (std::string_view item : *items) {
        std::string value;
        if (take_string(item, value)) values.push_back(std::move(value));
    }
    return values;
}

std::optional<std::vector<std::string_view>> elements(std::string_view text) {
    if (text.size() < 2 || text.front() != '[' || text.back() != ']') return std::nullopt;
    std::string_view in = text.substr(1, text.size() - 2);
    std::vector<std::string_view> items;
    while (!in.empty()) {
        const auto value = take_value(in);
        if (!value) return std::nullopt;
        items.push_back(*value);
        if (in.empty()) break;
        if (in.front() != ',') return std::nullopt;
        in.remove_prefix(1);
    }
    return items;
}

}  // namespace dyad::json_slices
