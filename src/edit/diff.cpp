#include "edit/diff.hpp"

#include <algorithm>
#include <vector>

namespace dyad::edit {
namespace {

constexpr std::size_t kContext = 3;
constexpr std::size_t kEditsMax = 2000;  // beyond, all that differs is one change

using Lines = std::vector<std::string_view>;
struct Line {
    char mark;  // ' ', '-' or '+'
    std::string_view text;
};

Lines lines_of(std::string_view text) {
    Lines out;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
        out.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
    return out;
}

// The shortest way from one to the other (Myers, "An O(ND) Difference Algorithm", 1986).
std::vector<Line> script(const Lines& a, const Lines& b) {
    const auto n = static_cast<std::ptrdiff_t>(a.size()), m = static_cast<std::ptrdiff_t>(b.size());
    const auto most = std::min<std::ptrdiff_t>(n + m, kEditsMax);
    std::vector<std::ptrdiff_t> furthest(static_cast<std::size_t>(2 * most + 3), 0);
    const auto at = [most](std::ptrdiff_t k) { return static_cast<std::size_t>(k + most + 1); };
    std::vector<std::vector<std::ptrdiff_t>> trace;
    bool found = false;
    for (std::ptrdiff_t d = 0; d <= most && !found; ++d) {
        trace.push_back(furthest);
        for (std::ptrdiff_t k = -d; k <= d && !found; k += 2) {
            const bool down = k == -d || (k != d && furthest[at(k - 1)] < furthest[at(k + 1)]);
            std::ptrdiff_t x = down ? furthest[at(k + 1)] : furthest[at(k - 1)] + 1;
            while (x < n && x - k < m &&
                   a[static_cast<std::size_t>(x)] == b[static_cast<std::size_t>(x - k)])
                ++x;
            furthest[at(k)] = x;
            found = x >= n && x - k >= m;
        }
    }
    std::vector<Line> out;
    std::ptrdiff_t x = n, y = m;
    for (auto d = static_cast<std::ptrdiff_t>(trace.size()) - 1; found && d >= 0; --d) {
        const auto& v = trace[static_cast<std::size_t>(d)];
        const std::ptrdiff_t k = x - y;
        const bool down = k == -d || (k != d && v[at(k - 1)] < v[at(k + 1)]);
        const std::ptrdiff_t from_x = d == 0 ? 0 : down ? v[at(k + 1)] : v[at(k - 1)];
        const std::ptrdiff_t from_y = d == 0 ? 0 : from_x - (down ? k + 1 : k - 1);
        for (; x > from_x && y > from_y; --x, --y)
            out.push_back({' ', a[static_cast<std::size_t>(x - 1)]});
        if (y > from_y) out.push_back({'+', b[static_cast<std::size_t>(--y)]});
        if (x > from_x) out.push_back({'-', a[static_cast<std::size_t>(--x)]});
    }
    std::reverse(out.begin(), out.end());
    if (found) return out;
    for (const std::string_view line : a)
        out.push_back({'-', line});
    for (const std::string_view line : b)
        out.push_back({'+', line});
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
