// Three-way merging of texts by lines (edit/lines.hpp): texts with and without a final newline
// differ in their last line. Pure; memory and time are bounded as there.
#pragma once

#include "edit/lines.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dyad::cli {

enum class Side : std::uint8_t { base, mine, theirs, merged };

// A part of a merge. Where it is in conflict both sides changed the same lines, each otherwise.
struct MergePart {
    std::string base, mine, theirs;
    std::string merged;  // of a part that is not in conflict
    bool conflict = false;

    const std::string& of(Side side) const;
};

class Merge {
  public:
    // What one side changed is taken. Where both only put lines in at one place, both stay, theirs
    // first. Laws: (b, b, x) and (b, x, b) and (b, x, x) give x without a conflict; exchanging the
    // sides exchanges the conflicts; merging again what came out changes nothing.
    // Without `unites` there is a conflict where both put something in.
    Merge(std::string_view base, std::string_view mine, std::string_view theirs,
          bool unites = true);
    // Of two texts that have no common ancestor: what only one of them has is taken, and where
    // both have something of their own there is a conflict.
    Merge(std::string_view mine, std::string_view theirs);

    std::size_t conflicts() const;
    // The text, with one side in conflicts and one elsewhere.
    std::string text(Side in_conflicts, Side elsewhere = Side::merged) const;
    const std::vector<MergePart>& parts() const noexcept { return parts_; }

  private:
    void merge(const edit::Lines& base, const edit::Lines& mine, const edit::Lines& theirs);
    void add(MergePart part);

    bool unites_ = false;
    std::vector<MergePart> parts_;
};

}  // namespace dyad::cli
