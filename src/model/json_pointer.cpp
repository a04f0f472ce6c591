#include "model/json_pointer.hpp"

#include "base/bytes.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace dyad::json {
namespace {

Value* child_of(Value& parent, const std::string& token) {
    if (parent.is_object()) return parent.get_object().if_contains(token);
    if (!parent.is_array()) return nullptr;
    const auto index = index_of(token);
    return index ? parent.get_array().if_contains(*index) : nullptr;
}

}  // namespace

std::optional<std::size_t> index_of(std::string_view token) {
    return read_number(token);
}

Value* find_in(Value& document, std::span<const std::string> tokens) {
    Value* at = &document;
    for (const std::string& token : tokens) {
        at = child_of(*at, token);
        if (at == nullptr) return nullptr;
    }
    return at;
}

bool remove_at(Value& document, std::span<const std::string> tokens) {
    CHECK(!tokens.empty());
    Value* parent = find_in(document, tokens.first(tokens.size() - 1));
    if (parent == nullptr || child_of(*parent, tokens.back()) == nullptr) return false;
    if (parent->is_object()) {
        parent->get_object().erase(tokens.back());
    } else {
        auto& array = parent->get_array();
        array.erase(array.begin() + static_cast<std::ptrdiff_t>(*index_of(tokens.back())));
    }
    return true;
}

Result<std::vector<std::string>> parse_pointer(std::string_view text) {
    std::vector<std::string> tokens;
    if (!text.empty() && text[0] != '/')
        return fail(Errc::invalid_field, "a JSON Pointer must be empty or begin with '/'");
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '/') {
            tokens.emplace_back();
        } else if (text[i] != '~') {
            tokens.back().push_back(text[i]);
        } else if (i + 1 < text.size() && (text[i + 1] == '0' || text[i + 1] == '1')) {
            tokens.back().push_back(text[++i] == '0' ? '~' : '/');
        } else {
            return fail(Errc::invalid_field, "in a JSON Pointer '~' is written \"~0\"");
        }
    }
    return tokens;
}

void append_token(std::string& pointer, std::string_view token) {
    pointer.push_back('/');
    for (const char c : token) {
        if (c == '~') {
            pointer.append("~0");
        } else if (c == '/') {
            pointer.append("~1");
        } else {
            pointer.push_back(c);
        }
    }
}

std::string to_pointer(std::span<const std::string> tokens) {
    std::string pointer;
    for (const std::string& token : tokens)
        append_token(pointer, token);
    return pointer;
}

Result<Value> set_at(Value document, std::span<const std::string> tokens,
                     std::optional<Value> value) {
    const auto failed = [&](std::string_view why) {
        return fail(Errc::patch_failed, to_pointer(tokens).append(": ").append(why));
    };
    if (!value) {
        if (tokens.empty())
            return fail(Errc::invalid_field, "path: the whole document cannot be removed here");
        remove_at(document, tokens);
        return document;
    }
    if (tokens.size() + depth(*value) > static_cast<std::size_t>(limits::json_depth_max))
        return fail(Errc::too_large, "the result is nested deeper than json_depth_max = " +
                                         std::to_string(limits::json_depth_max));
    Value* at = &document;
    for (const std::string& token : tokens) {
        Value* child = child_of(*at, token);
        if (child == nullptr && at->is_object()) {
            child = &at->get_object()[token];
            child->emplace_object();
        } else if (child == nullptr && at->is_array()) {
            auto& array = at->get_array();
            if (token != "-" && index_of(token) != array.size())
                return failed("past the end of an array");
            child = &array.emplace_back(boost::json::object_kind);
        } else if (child == nullptr) {
            return failed("leads through a value that is neither an object nor an array");
        }
        at = child;
    }
    *at = std::move(*value);
    return document;
}

}  // namespace dyad::json
