// Notes in Markdown, a context for each section.
#include "base/limits.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "import/items.hpp"
#include "model/identity.hpp"
#include "model/json_text.hpp"

#include <algorithm>
#include <set>

namespace dyad::import {
namespace {

struct Section {
    std::vector<std::string> headings;  // from the outermost on; none: what stands before them
    std::string text;
    std::size_t line = 1;
};

// The level of an ATX heading; 0: the line is none.
std::size_t level_of(std::string_view line) {
    const std::size_t marks = std::min(line.find_first_not_of('#'), line.size());
    const bool spaced = marks == line.size() || line[marks] == ' ' || line[marks] == '\t';
    return marks <= 6 && spaced ? marks : 0;
}

std::string_view title_of(std::string_view line, std::size_t level) {
    const std::string_view title = trimmed(line.substr(level), " \t\r");
    // `## Title ##` ends with marks that belong to nothing.
    const std::size_t end = title.find_last_not_of('#');
    if (end == std::string_view::npos) return {};
    const bool closed = end + 1 < title.size() && (title[end] == ' ' || title[end] == '\t');
    return closed ? trimmed(title.substr(0, end)) : title;
}

// A fence that begins or ends code: its marks, at least three.
std::string_view fence_of(std::string_view line) {
    const std::string_view text = trimmed(line, " \t\r");
    for (const char mark : {'`', '~'}) {
        const std::size_t count = std::min(text.find_first_not_of(mark), text.size());
        if (count >= 3) return text.substr(0, count);
    }
    return {};
}

std::vector<Section> sections_of(std::string_view text) {
    std::vector<Section> out(1);
    std::vector<std::pair<std::size_t, std::string>> open;  // levels and titles
    std::string fence;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const std::string_view marks = fence_of(line);
        if (fence.empty())
            fence = marks;
        else if (marks.starts_with(fence))
            fence.clear();
        const std::size_t level = fence.empty() && marks.empty() ? level_of(line) : 0;
        if (level == 0) {
            out.back().text.append(line).append("\n");
            continue;
        }
        while (!open.empty() && open.back().first >= level)
            open.pop_back();
        open.emplace_back(level, title_of(line, level));
        Section section{.line = number};
        for (const auto& entry : open)
            section.headings.push_back(entry.second);
        out.push_back(std::move(section));
    }
    return out;
}

// A title as a part of a key: words with dashes between them.
std::string slug_of(std::string_view title) {
    std::string out;
    for (const char c : title) {
        const bool stays = (c & 0x80) != 0 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                           (c >= 'A' && c <= 'Z');
        if (stays)
            out += to_lower(c);
        else if (!out.empty() && out.back() != '-')
            out += '-';
    }
    while (out.ends_with('-'))
        out.pop_back();
    return out.empty() ? "section" : out;
}

std::string key_of(const Section& section, std::string_view label, std::set<std::string>& used) {
    std::string key = "notes:" + std::string(label);
    for (const std::string& heading : section.headings)
        key.append(key.find('#') == std::string::npos ? "#" : "/").append(slug_of(heading));
    if (!check_name("key", key, limits::context_key_bytes_max - 8, NameRule::label))
        key = "notes:#" + to_hex(sha256({key})).substr(0, 32);
    std::string unique = key;
    for (int count = 2; !used.insert(unique).second; ++count)
        unique = key + "-" + std::to_string(count);
    return unique;
}

}  // namespace

Result<std::vector<Item>> read_markdown(std::string_view text, std::string_view label) {
    std::vector<Item> items;
    std::set<std::string> used;
    for (const Section& section : sections_of(text)) {
        const std::string_view body = trimmed(section.text, " \t\r\n");
        if (body.empty()) continue;
        Item item{.key = key_of(section, label, used), .data = {}, .line = section.line};
        item.data = json::written(body.size() + 256, [&](json::Writer& out) {
            out.object("file", label, "headings", section.headings, "text", body);
        });
        if (std::cmp_greater(item.data.size(), limits::document_bytes_max))
            return fail(Errc::too_large, "line " + std::to_string(section.line) +
                                             ": the section is larger than document_bytes_max = " +
                                             std::to_string(limits::document_bytes_max) +
                                             "; divide it by headings");
        items.push_back(std::move(item));
    }
    return items;
}

}  // namespace dyad::import
