#include "driver/backlog.hpp"

namespace dyad::driver {

Status Backlog::admit() {
    if (closed_) return closing();
    const std::size_t before = waiting_.fetch_add(1, std::memory_order_relaxed);
    if (before < requests_max_) return Done{};
    answered();
    return fail(Errc::unavailable,
                std::to_string(before) + " requests wait for " + driver_ + " already");
}

Error Backlog::closing() const {
    return fail(Errc::draining, driver_ + " is closing");
}

}  // namespace dyad::driver
