#include "net/http_fields.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <ctime>

namespace dyad::net {
namespace {

// Takes what stands before the next `mark` outside of quotes, and the mark. A backslash escapes
// nothing inside an entity tag, and what it escapes in a parameter matters to nobody here.
std::string_view take_until(std::string_view& text, char mark) noexcept {
    bool quoted = false;
    std::size_t end = 0;
    for (; end < text.size() && (quoted || text[end] != mark); ++end)
        if (text[end] == '"') quoted = !quoted;
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return trimmed(part);
}

bool is_entity_tag(std::string_view text) noexcept {
    if (text.starts_with("W/")) text.remove_prefix(2);
    if (text.size() < 2 || text.front() != '"' || text.back() != '"') return false;
    const std::string_view opaque = text.substr(1, text.size() - 2);
    return std::all_of(opaque.begin(), opaque.end(), [](char c) {
        return c != '"' && static_cast<unsigned char>(c) > 0x20 && c != 0x7f;
    });
}

// "0.5" as 500; what is no weight counts for nothing.
int weight_of(std::string_view text) noexcept {
    if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return 0;
    int weight = (text[0] - '0') * 1000;
    if (text.size() > 1 && text[1] != '.') return 0;
    int worth = 100;
    for (std::size_t i = 2; i < text.size(); ++i, worth /= 10) {
        if (text[i] < '0' || text[i] > '9') return 0;
        weight += (text[i] - '0') * worth;
    }
    return std::min(weight, 1000);
}

int precision_of(std::string_view range, std::string_view media_type) noexcept {
    if (range == "*/*") return 0;
    if (same_ignoring_case(range, media_type)) return 2;
    const std::string_view type = media_type.substr(0, media_type.find('/') + 1);
    return range.ends_with("/*") && same_ignoring_case(range.substr(0, range.size() - 1), type)
               ? 1
               : -1;
}

}  // namespace

bool is_token(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    });
}

bool has_control(std::string_view text) noexcept {
    return std::any_of(text.begin(), text.end(), [](char c) {
        const auto u = static_cast<unsigned char>(c);
        return (u < 0x20 && c != '\t') || u == 0x7f;
    });
}

Result<Headers::value_type> read_field(std::string_view line) {
    const auto refuse = [](const char* why) { return fail(Errc::invalid_request, why); };
    if (has_control(line)) return refuse("header: control characters are not allowed");
    if (line.starts_with(' ') || line.starts_with('\t'))
        return refuse("header: folded lines are not allowed");
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return refuse("header: a line has no name");
    const std::string_view name = line.substr(0, colon);
    if (name.ends_with(' ') || name.ends_with('\t'))
        return refuse("header: white space before a colon is not allowed");
    if (!is_token(name)) return refuse("header: a name has a character that no name may have");
    return Headers::value_type(to_lower(name), trimmed(line.substr(colon + 1)));
}

bool same_ignoring_case(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
               return to_lower(x) == to_lower(y);
           });
}

std::size_t count_of(const Headers& headers, std::string_view name) noexcept {
    return static_cast<std::size_t>(
        std::count_if(headers.begin(), headers.end(),
                      [name](const auto& header) { return header.first == name; }));
}

std::vector<std::string_view> list_of(const Headers& headers, std::string_view name) {
    std::vector<std::string_view> members;
    for (const auto& [key, value] : headers) {
        if (key != name) continue;
        std::string_view rest = value;
        while (!rest.empty())
            if (const std::string_view member = take_until(rest, ','); !member.empty())
                members.push_back(member);
    }
    return members;
}

bool list_has(const Headers& headers, std::string_view name, std::string_view token) {
    const auto members = list_of(headers, name);
    return std::any_of(members.begin(), members.end(), [token](std::string_view member) {
        return same_ignoring_case(member, token);
    });
}

bool EntityTags::has_strong(std::string_view tag) const noexcept {
    return std::find(all.begin(), all.end(), tag) != all.end();
}

bool EntityTags::has_weak(std::string_view tag) const noexcept {
    return std::any_of(all.begin(), all.end(), [tag](std::string_view member) {
        if (member.starts_with("W/")) member.remove_prefix(2);
        return member == tag;
    });
}

EntityTags entity_tags(const Headers& headers, std::string_view name) {
    EntityTags tags;
    tags.present = count_of(headers, name) > 0;
    for (const std::string_view member : list_of(headers, name)) {
        if (member == "*")
            tags.any = true;
        else if (is_entity_tag(member))
            tags.all.push_back(member);
        else
            tags.malformed = true;
    }
    const bool both = tags.any && !tags.all.empty();
    tags.malformed = tags.malformed || both || (tags.present && !tags.any && tags.all.empty());
    return tags;
}

Preference preference(const Headers& headers, std::string_view media_type) {
    const auto members = list_of(headers, "accept");
    if (members.empty()) return {.weight = 1000, .precision = 0};
    Preference best;
    for (std::string_view member : members) {
        const int precision = precision_of(take_until(member, ';'), media_type);
        if (precision < 0 || precision < best.precision) continue;
        int weight = 1000;
        while (!member.empty()) {
            std::string_view parameter = take_until(member, ';');
            const std::string_view key = take_until(parameter, '=');
            if (same_ignoring_case(key, "q")) weight = weight_of(trimmed(parameter));
        }
        // Named twice: the better one.
        if (precision > best.precision || weight > best.weight)
            best = {.weight = weight, .precision = precision};
    }
    return best;
}

std::string_view http_date(std::int64_t wall_ms) {
    struct Kept {
        std::int64_t second = -1;
        std::string text;
    };
    thread_local Kept kept;
    const std::int64_t second = wall_ms / 1000;
    if (kept.second == second) return kept.text;
    const auto time = static_cast<std::time_t>(second);
    std::tm utc{};
    gmtime_r(&time, &utc);
    char text[64];
    // In English: the locale of this process is never set.
    const std::size_t size = std::strftime(text, sizeof text, "%a, %d %b %Y %T GMT", &utc);
    kept = {second, std::string(text, size)};
    return kept.text;
}

}  // namespace dyad::net
