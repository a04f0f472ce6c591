// A cell's thread for tests: what is posted to it is run by whoever waits here.
#pragma once

#include "base/mutex.hpp"

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace dyad::test {

class Posted {
  public:
    using Work = std::function<void()>;

    // To be given to whoever posts. Lifetime: not beyond this one.
    std::function<void(Work)> post() {
        return [this](Work work) {
            const MutexLock held(mutex_);
            work_.push_back(std::move(work));
            posts_ += 1;
            changed_.notify_one();
        };
    }
    // What was posted; waits so long where there is nothing.
    void run_once(std::int64_t patience_ms) {
        std::vector<Work> due;
        {
            const MutexLock held(mutex_);
            if (work_.empty() && patience_ms > 0) changed_.wait_for_ms(mutex_, patience_ms);
            due.swap(work_);
        }
        for (Work& work : due)
            work();
    }
    void run_until(const std::function<bool()>& done) {
        while (!done())
            run_once(1000);
    }
    // So far, whether it was run or not.
    int posts() {
        const MutexLock held(mutex_);
        return posts_;
    }

  private:
    Mutex mutex_;
    Condition changed_;
    std::vector<Work> work_ GUARDED_BY(mutex_);
    int posts_ GUARDED_BY(mutex_) = 0;
};

}  // namespace dyad::test
