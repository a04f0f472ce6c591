// The requests that a driver took and did not answer yet: a bounded count, whatever mailboxes they
// are in and however many threads take them. One more than that is refused, and every one once the
// driver is closing.
//
// Threads: any.
#pragma once

#include "base/result.hpp"
#include "driver/mailbox.hpp"

#include <atomic>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace dyad::driver {

class Backlog {
  public:
    // `driver`: its name in errors, with its article.
    Backlog(std::string driver, std::size_t requests_max)
        : driver_(std::move(driver)), requests_max_(requests_max) {}

    // Counts the request and puts it into the mailbox, or says why it is refused: `request` is as
    // it was. Errors: draining; unavailable (too many wait already).
    template <class T>
    Status submit(Mailbox<T>& mailbox, T& request) {
        TRY(admit());
        if (mailbox.put(std::move(request))) return Done{};
        answered();
        return closing();
    }
    // The same for many at once; those that are refused, the last ones, are left in `requests`.
    template <class T>
    Status submit_all(Mailbox<T>& mailbox, std::vector<T>& requests) {
        Status why = Done{};
        std::size_t count = 0;
        while (why && count < requests.size()) {
            why = admit();
            count += why ? 1 : 0;
        }
        if (!mailbox.put_all(requests, count)) {
            answered(count);
            return closing();
        }
        return why;
    }
    // One more, which is not refused: the driver's own.
    void count() noexcept { waiting_.fetch_add(1, std::memory_order_relaxed); }
    // So many were answered, or are about to be.
    void answered(std::size_t requests = 1) noexcept {
        waiting_.fetch_sub(requests, std::memory_order_relaxed);
    }
    std::size_t waiting() const noexcept { return waiting_.load(std::memory_order_relaxed); }

    // From now on everything is refused.
    void close() noexcept { closed_ = true; }
    Error closing() const { return fail(Errc::draining, driver_ + " is closing"); }

  private:
    Status admit() {
        if (closed_) return closing();
        const std::size_t before = waiting_.fetch_add(1, std::memory_order_relaxed);
        if (before < requests_max_) return Done{};
        answered();
        return fail(Errc::unavailable,
                    std::to_string(before) + " requests wait for " + driver_ + " already");
    }

    const std::string driver_;
    const std::size_t requests_max_;
    std::atomic<std::size_t> waiting_{0};
    std::atomic<bool> closed_{false};
};

}  // namespace dyad::driver
