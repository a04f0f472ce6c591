#include "edit/lines.hpp"

#include <algorithm>

namespace dyad::edit {
namespace {

constexpr std::ptrdiff_t kEditsMax = 2048;  // more than that between two texts: nothing in common

// The greedy algorithm of Myers (1986): `furthest` after each number of edits, and the way back.
Matches middle_matches(const Lines& a, const Lines& b) {
    const auto n = std::ssize(a), m = std::ssize(b);
    const std::ptrdiff_t most = std::min(n + m, kEditsMax);
    std::vector<std::ptrdiff_t> reach(static_cast<std::size_t>(2 * most + 3), 0);
    const auto at = [&](std::ptrdiff_t k) -> std::ptrdiff_t& {
        return reach[static_cast<std::size_t>(k + most + 1)];
    };
    std::vector<std::vector<std::ptrdiff_t>> steps;  // of step d: at(-d..d)
    const auto down = [](auto&& row, std::ptrdiff_t k, std::ptrdiff_t d) {
        return k == -d || (k != d && row(k - 1) < row(k + 1));
    };
    for (std::ptrdiff_t d = 0; d <= most; ++d) {
        for (std::ptrdiff_t k = -d; k <= d; k += 2) {
            std::ptrdiff_t x = d == 0 ? 0 : down(at, k, d) ? at(k + 1) : at(k - 1) + 1;
            while (x < n && x - k < m &&
                   a[static_cast<std::size_t>(x)] == b[static_cast<std::size_t>(x - k)])
                ++x;
            at(k) = x;
        }
        steps.emplace_back(&at(-d), &at(d) + 1);
        if (const std::ptrdiff_t k = n - m; k >= -d && k <= d && (k + d) % 2 == 0 && at(k) >= n)
            break;
        if (d == most) return {};
    }
    Matches out;
    std::ptrdiff_t x = n, k = n - m;
    for (std::ptrdiff_t d = std::ssize(steps) - 1; d >= 0; --d) {
        std::ptrdiff_t from = 0;  // where the run of equal lines of this step begins
        std::ptrdiff_t before = k;
        if (d > 0) {
            const auto row = [&](std::ptrdiff_t i) {
                return steps[static_cast<std::size_t>(d - 1)][static_cast<std::size_t>(i + d - 1)];
            };
            const auto safe = [&](std::ptrdiff_t i) {
                return i < 1 - d || i > d - 1 ? -1 : row(i);
            };
            const bool goes_down = down(safe, k, d);
            before = goes_down ? k + 1 : k - 1;
            from = goes_down ? row(before) : row(before) + 1;
        }
        while (x > from) {
            --x;
            out.emplace_back(static_cast<std::size_t>(x), static_cast<std::size_t>(x - k));
        }
        x = d > 0 && before < k ? from - 1 : from;
        k = before;
    }
    std::reverse(out.begin(), out.end());
    return out;
}

}  // namespace

Lines lines_of(std::string_view text) {
    Lines out;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
        out.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
    return out;
}

Matches common_lines(const Lines& a, const Lines& b) {
    std::size_t front = 0, back = 0;
    const std::size_t least = std::min(a.size(), b.size());
    while (front < least && a[front] == b[front])
        ++front;
    while (back < least - front && a[a.size() - 1 - back] == b[b.size() - 1 - back])
        ++back;
    Matches out;
    for (std::size_t i = 0; i < front; ++i)
        out.emplace_back(i, i);
    const auto cut = [&](const Lines& lines) {
        return Lines(lines.begin() + std::ptrdiff_t(front), lines.end() - std::ptrdiff_t(back));
    };
    for (const auto& [i, j] : middle_matches(cut(a), cut(b)))
        out.emplace_back(front + i, front + j);
    for (; back > 0; --back)
        out.emplace_back(a.size() - back, b.size() - back);
    return out;
}

}  // namespace dyad::edit
