// The wrapper of callbacks that go through a port; only for the sources of UserLog and Delivery.
#pragma once

#include "core/user_log.hpp"

#include <utility>

namespace dyad::core {

template <class Fn>
auto UserLog::guarded(Fn fn) {
    ++calls_;
    return [this, alive = std::weak_ptr<bool>(engine_.alive_),
            call = std::move(fn)](auto&&... results) mutable {
        if (alive.expired()) return;
        --calls_;
        call(std::forward<decltype(results)>(results)...);
    };
}

}  // namespace dyad::core
