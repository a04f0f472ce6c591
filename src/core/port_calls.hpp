// Calls to ports that are under way for one user. While one is, the user is not let go; an answer
// that comes after the user has gone with its engine reaches nobody.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

namespace dyad::core {

// Lifetime: the user's. Threads: one owner.
class PortCalls {
  public:
    // `fn` as a callback for a port that calls it exactly once.
    template <class Fn>
    auto wrap(Fn fn) {
        ++*under_way_;
        return [calls = std::weak_ptr<std::size_t>(under_way_),
                call = std::move(fn)](auto&&... results) mutable {
            const std::shared_ptr<std::size_t> under_way = calls.lock();
            if (!under_way) return;
            --*under_way;
            call(std::forward<decltype(results)>(results)...);
        };
    }
    bool none() const noexcept { return *under_way_ == 0; }

  private:
    std::shared_ptr<std::size_t> under_way_ = std::make_shared<std::size_t>(0);
};

}  // namespace dyad::core
