#include "wire/private_wish.hpp"

#include "wire/payloads.hpp"

#include <map>

namespace dyad::wire {
namespace {

// Takes the string off the front of `text`. One that is no JSON is what stands between its quotes,
// where it has no escapes.
bool take_string(std::string_view& text, std::string& value) {
    const std::size_t end = json::string_bytes(text);
    if (end == 0) return false;
    const std::string_view string = text.substr(0, end);
    text.remove_prefix(end);
    if (json::Lexer(string).text(value)) return true;
    value = string.substr(1, end - 2);
    return value.find('\\') == std::string::npos;
}

// The members of the outermost object whose values are strings, as far as it can be read.
std::map<std::string, std::string> string_members(std::string_view text) {
    std::map<std::string, std::string> members;
    std::optional<std::string> name;  // the string before a colon
    std::optional<std::string> last;  // the last string
    int depth = 0;
    while (!text.empty()) {
        if (text.front() == '"') {
            std::string value;
            if (!take_string(text, value)) return members;
            if (depth == 1 && name) members.insert_or_assign(*name, value);
            name.reset();
            last = depth == 1 ? std::optional(std::move(value)) : std::nullopt;
            continue;
        }
        if (text.front() == '{' || text.front() == '[') ++depth;
        if (text.front() == '}' || text.front() == ']') --depth;
        if (text.front() == ':' && depth == 1) name = last;
        if (text.front() == ',') name.reset();
        text.remove_prefix(1);
    }
    return members;
}

}  // namespace

std::optional<std::string> private_wish(std::string_view payload, Said said) {
    const std::map<std::string, std::string> members = string_members(payload);
    const auto member = [&](const char* name) {
        const auto at = members.find(name);
        return at != members.end() ? std::optional(at->second) : std::nullopt;
    };
    if (said == Said::operation && member("op") != "mode.set") return std::nullopt;
    bool other = false;
    bool wish = false;
    for (const char* name : {"currentMode", "toMode", "mode"}) {
        const auto named = member(name);
        if (!named) continue;
        const std::optional<Mode> mode = mode_by_any_name(*named);
        const bool is_other = mode ? *mode != Mode::inspired : said != Said::mode_update;
        (is_other ? other : wish) = true;
    }
    if (other && !wish) return std::nullopt;
    return said == Said::operation ? member("instanceId").value_or("") : std::string();
}

}  // namespace dyad::wire
