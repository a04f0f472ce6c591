// A mutex whose use is checked where the compiler can (clang's -Wthread-safety): what is GUARDED_BY
// it is touched only while it is held.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#if defined(__clang__)
#define DYAD_CHECKED(rule) __attribute__((rule))
#else
#define DYAD_CHECKED(rule)
#endif
#define GUARDED_BY(mutex) DYAD_CHECKED(guarded_by(mutex))
// A function that is called while the mutex is held, or while it is not.
#define REQUIRES(...) DYAD_CHECKED(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) DYAD_CHECKED(locks_excluded(__VA_ARGS__))

namespace dyad {

class DYAD_CHECKED(capability("mutex")) Mutex {
  public:
    void lock() DYAD_CHECKED(acquire_capability()) { mutex_.lock(); }
    void unlock() DYAD_CHECKED(release_capability()) { mutex_.unlock(); }

  private:
    friend class Condition;
    std::mutex mutex_;
};

class DYAD_CHECKED(scoped_lockable) MutexLock {
  public:
    explicit MutexLock(Mutex& mutex) DYAD_CHECKED(acquire_capability(mutex)) : mutex_(mutex) {
        mutex_.lock();
    }
    ~MutexLock() DYAD_CHECKED(release_capability()) { mutex_.unlock(); }
    MutexLock(const MutexLock&) = delete;
    MutexLock& operator=(const MutexLock&) = delete;

  private:
    Mutex& mutex_;
};

// Waits may end without a notification.
class Condition {
  public:
    void wait(Mutex& mutex) REQUIRES(mutex) {
        std::unique_lock lock(mutex.mutex_, std::adopt_lock);
        changed_.wait(lock);
        lock.release();
    }
    void wait_for_ms(Mutex& mutex, std::int64_t ms) REQUIRES(mutex) {
        std::unique_lock lock(mutex.mutex_, std::adopt_lock);
        changed_.wait_for(lock, std::chrono::milliseconds(ms));
        lock.release();
    }
    void notify_one() noexcept { changed_.notify_one(); }
    void notify_all() noexcept { changed_.notify_all(); }

  private:
    std::condition_variable changed_;
};

}  // namespace dyad
