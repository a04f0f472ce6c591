// What a plain client wrote through its connection and has not been gone past yet: it is left out
// of what that connection is sent. Shared by the session and its commands under way.
#pragma once

#include "model/event.hpp"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <utility>

#include <boost/smart_ptr/intrusive_ptr.hpp>

namespace dyad::core {

// Threads: one owner.
class OwnWrites {
  public:
    // Bounded: of a client that writes much and reads nothing the oldest are forgotten, and sent to
    // it like those of others.
    static constexpr std::size_t kRangesMax = 1024;

    void add(Offset offset) {
        if (!ranges_.empty() && ranges_.back().second >= offset) return;
        if (!ranges_.empty() && ranges_.back().second + 1 == offset) {
            ranges_.back().second = offset;
            return;
        }
        if (ranges_.size() == kRangesMax) ranges_.pop_front();
        ranges_.emplace_back(offset, offset);
    }
    void clear() { ranges_.clear(); }  // the log is another one now
    void drop_before(Offset next) {
        while (!ranges_.empty() && ranges_.front().second < next)
            ranges_.pop_front();
    }
    bool has_any_of(Offset first, Offset last) const {
        const auto at = from(first);
        return at != ranges_.end() && at->first <= last;
    }
    // Calls `part(first, last)` for the parts of [first, last] that are not among them.
    template <class Part>
    void without(Offset first, Offset last, Part part) const {
        for (auto at = from(first); at != ranges_.end() && at->first <= last; ++at) {
            if (at->first > first) part(first, at->first - 1);
            first = at->second + 1;
        }
        if (first <= last) part(first, last);
    }

  private:
    friend void intrusive_ptr_add_ref(OwnWrites* own) noexcept { ++own->holders_; }
    friend void intrusive_ptr_release(OwnWrites* own) noexcept {
        if (--own->holders_ == 0) delete own;
    }

    std::deque<std::pair<Offset, Offset>>::const_iterator from(Offset first) const {
        return std::lower_bound(ranges_.begin(), ranges_.end(), first,
                                [](const auto& range, Offset at) { return range.second < at; });
    }

    std::size_t holders_ = 0;
    std::deque<std::pair<Offset, Offset>> ranges_;  // first and last, in their order
};
using OwnWritesPtr = boost::intrusive_ptr<OwnWrites>;

}  // namespace dyad::core
