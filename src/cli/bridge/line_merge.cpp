#include "cli/bridge/line_merge.hpp"

#include "base/check.hpp"

#include <algorithm>

namespace dyad::cli {
namespace {

using edit::Lines;
using edit::lines_of;

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
    for (const auto& [i, j] : edit::common_lines(a, b))
        out[i] = j;
    return out;
}

}  // namespace

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
    for (const auto& [i, j] : edit::common_lines(m, t))
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
