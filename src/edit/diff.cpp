#include "edit/diff.hpp"

#include "edit/lines.hpp"

#include <algorithm>
#include <vector>

namespace dyad::edit {
namespace {

constexpr std::size_t kContext = 3;

struct Line {
    char mark;  // ' ', '-' or '+'
    std::string_view text;
};

// What is between two lines of both goes away first.
std::vector<Line> script(const Lines& a, const Lines& b) {
    std::vector<Line> out;
    std::size_t i = 0, j = 0;
    const auto go_to = [&](std::size_t next_i, std::size_t next_j) {
        for (; i < next_i; ++i)
            out.push_back({'-', a[i]});
        for (; j < next_j; ++j)
            out.push_back({'+', b[j]});
    };
    for (const auto& [same, as] : common_lines(a, b)) {
        go_to(same, as);
        out.push_back({' ', a[i++]});
        ++j;
    }
    go_to(a.size(), b.size());
    return out;
}

std::string span(std::size_t first, std::size_t count) {
    return std::to_string(count == 0 ? first : first + 1) +
           (count == 1 ? "" : "," + std::to_string(count));
}

}  // namespace

std::string unified_diff(std::string_view before, std::string_view after,
                         std::string_view before_name, std::string_view after_name) {
    if (before == after) return {};
    const std::vector<Line> all = script(lines_of(before), lines_of(after));
    std::string out = "--- ";
    out.append(before_name).append("\n+++ ").append(after_name).append("\n");
    std::size_t old_at = 0, new_at = 0;  // of the line at `i`
    for (std::size_t i = 0; i < all.size();) {
        std::size_t change = i;
        while (change < all.size() && all[change].mark == ' ')
            ++change;
        if (change == all.size()) break;
        const std::size_t begin = std::max(i, change - std::min(change, kContext));
        old_at += begin - i;
        new_at += begin - i;
        std::size_t end = change, last = change;  // behind what is shown; the last change in it
        for (; end < all.size() && end - last <= 2 * kContext; ++end)
            if (all[end].mark != ' ') last = end;
        end = std::min(last + 1 + kContext, all.size());
        std::string body;
        std::size_t old_count = 0, new_count = 0;
        for (std::size_t at = begin; at < end; ++at) {
            old_count += all[at].mark != '+' ? 1 : 0;
            new_count += all[at].mark != '-' ? 1 : 0;
            body.append(1, all[at].mark).append(all[at].text);
            if (!all[at].text.ends_with('\n')) body.append("\n\\ No newline at end of file\n");
        }
        out.append("@@ -").append(span(old_at, old_count)).append(" +");
        out.append(span(new_at, new_count)).append(" @@\n").append(body);
        old_at += old_count;
        new_at += new_count;
        i = end;
    }
    return out;
}

}  // namespace dyad::edit
