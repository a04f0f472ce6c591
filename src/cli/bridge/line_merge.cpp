#include "cli/bridge/line_merge.hpp"

#include "base/check.hpp"

#include <algorithm>

namespace dyad::cli {
namespace {

using Lines = std::vector<std::string_view>;

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

std::string joined(const Lines& lines, std::size_t from, std::size_t to) {
    std::string out;
    for (; from < to; ++from)
        out.append(lines[from]);
    return out;
}

// Theirs first; what is the same at their ends is there once.
std::string both_inserted(const Lines& mine, const Lines& theirs) {
    std::size_t front = 0, back = 0;
    const std::size_t least = std::min(mine.size(), theirs.size());
    while (front < least && mine[front] == theirs[front])
        ++front;
    while (back < least - front && mine[mine.size() - 1 - back] == theirs[theirs.size() - 1 - back])
        ++back;
    return joined(theirs, 0, theirs.size() - back) + joined(mine, front, mine.size());
}

// Of each line, the one that it is on the other side, or `none`.
constexpr std::size_t kNone = SIZE_MAX;
std::vector<std::size_t> partners(const Lines& a, const Lines& b) {
    std::vector<std::size_t> out(a.size(), kNone);
    for (const auto& [i, j] : common_lines(a, b))
        out[i] = j;
    return out;
}

}  // namespace

std::vector<std::string_view> lines_of(std::string_view text) {
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

const std::string& MergePart::of(Side side) const {
    switch (side) {
        case Side::base:
            return base;
        case Side::mine:
            return mine;
        case Side::theirs:
            return theirs;
        case Side::merged:
            return merged;
    }
    CHECK(false);
}

Merge::Merge(std::string_view base, std::string_view mine, std::string_view theirs, bool unites)
    : unites_(unites) {
    merge(lines_of(base), lines_of(mine), lines_of(theirs));
}

Merge::Merge(std::string_view mine, std::string_view theirs) {
    const Lines m = lines_of(mine), t = lines_of(theirs);
    Lines common;
    for (const auto& [i, j] : common_lines(m, t))
        common.push_back(m[i]);
    merge(common, m, t);
}

void Merge::merge(const Lines& base, const Lines& mine, const Lines& theirs) {
    const std::vector<std::size_t> to_mine = partners(base, mine),
                                   to_theirs = partners(base, theirs);
    for (std::size_t b = 0, m = 0, t = 0;;) {
        std::size_t stable = b;  // the next line that all three have
        while (stable < base.size() && (to_mine[stable] == kNone || to_theirs[stable] == kNone))
            ++stable;
        const bool end = stable == base.size();
        const std::size_t m_end = end ? mine.size() : to_mine[stable];
        const std::size_t t_end = end ? theirs.size() : to_theirs[stable];
        if (stable > b || m_end > m || t_end > t)
            add({joined(base, b, stable), joined(mine, m, m_end), joined(theirs, t, t_end), {}});
        if (end) return;
        const std::string line(base[stable]);
        add({line, line, line, {}});
        b = stable + 1;
        m = m_end + 1;
        t = t_end + 1;
    }
}

void Merge::add(MergePart part) {
    if (part.mine == part.base || part.mine == part.theirs) {
        part.merged = part.theirs;
    } else if (part.theirs == part.base) {
        part.merged = part.mine;
    } else if (unites_ && part.base.empty() && part.mine.ends_with('\n') &&
               part.theirs.ends_with('\n')) {
        part.merged = both_inserted(lines_of(part.mine), lines_of(part.theirs));
    } else {
        part.conflict = true;
    }
    if (!parts_.empty() && !part.conflict && !parts_.back().conflict) {
        MergePart& last = parts_.back();
        for (const auto member :
             {&MergePart::base, &MergePart::mine, &MergePart::theirs, &MergePart::merged})
            last.*member += part.*member;
        return;
    }
    parts_.push_back(std::move(part));
}

std::size_t Merge::conflicts() const {
    return static_cast<std::size_t>(std::count_if(
        parts_.begin(), parts_.end(), [](const MergePart& part) { return part.conflict; }));
}

std::string Merge::text(Side in_conflicts, Side elsewhere) const {
    std::string out;
    for (const MergePart& part : parts_)
        out.append(part.of(part.conflict ? in_conflicts : elsewhere));
    return out;
}

}  // namespace dyad::cli
