#include "net/loop.hpp"

#include "base/clock.hpp"

#include <algorithm>
#include <cerrno>

#include <sys/eventfd.h>
#include <unistd.h>

namespace dyad::net {
namespace {

constexpr std::size_t kReceiveBytes = 64 * 1024;

std::int64_t steady_ms() {
    return SystemClock().steady_ms();
}

// The heap has its greatest element first: the timer that is due last is the least.
constexpr auto kLater = [](const auto& a, const auto& b) {
    return a.due_ms != b.due_ms ? a.due_ms > b.due_ms : a.id > b.id;
};

// After a failed epoll_ctl(2): add() had failed, too (EPERM: what cannot be waited for).
bool was_not_added() noexcept {
    return errno == ENOENT || errno == EPERM;
}

}  // namespace

Loop::Loop()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      now_ms_(steady_ms()),
      receive_buffer_(kReceiveBytes) {
    CHECK(epoll_.valid() && wake_.valid());
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = nullptr;  // the wake-up
    CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) == 0);
}

Loop::~Loop() = default;

void Loop::run() {
    while (!stopped_.load(std::memory_order_acquire))
        run_once(-1);
    run_posted();
}

void Loop::stop() {
    stopped_.store(true, std::memory_order_release);
    post([] {});
}

void Loop::post(std::function<void()> work) {
    bool wake = false;
    {
        const MutexLock lock(posted_mutex_);
        posted_.push_back(std::move(work));
        wake = !std::exchange(wake_sent_, true);
    }
    if (!wake) return;
    const std::uint64_t one = 1;
    CHECK(write(wake_.get(), &one, sizeof one) == sizeof one);
}

Status Loop::add(int fd, std::uint32_t epoll_events, Watcher* watcher) {
    epoll_event event{};
    event.events = epoll_events;
    event.data.ptr = watcher;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
        return fail(Errc::unavailable, "the system takes no more connections");
    return Done{};
}

void Loop::modify(int fd, std::uint32_t epoll_events, Watcher* watcher) {
    epoll_event event{};
    event.events = epoll_events;
    event.data.ptr = watcher;
    CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0 || was_not_added());
}

void Loop::remove(int fd, Watcher* watcher) {
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr) != 0) {
        CHECK(was_not_added());
        std::erase(failed_, watcher);
    }
    for (std::size_t i = ready_at_; i < ready_count_; ++i)
        if (ready_[i].data.ptr == watcher) ready_[i].events = 0;
}

Loop::TimerId Loop::after(std::int64_t delay_ms, std::function<void()> call) {
    const TimerId id = next_timer_++;
    timers_.push_back({now_ms_ + std::max<std::int64_t>(delay_ms, 0), id, std::move(call)});
    std::push_heap(timers_.begin(), timers_.end(), kLater);
    return id;
}

void Loop::cancel(TimerId id) {
    const auto at = std::find_if(timers_.begin(), timers_.end(),
                                 [id](const Timer& timer) { return timer.id == id; });
    if (at == timers_.end()) return;
    timers_.erase(at);  // it is to wake nobody up
    std::make_heap(timers_.begin(), timers_.end(), kLater);
}

int Loop::wait_ms(int timeout_ms) const {
    if (timers_.empty()) return timeout_ms;
    const std::int64_t left = std::max<std::int64_t>(timers_.front().due_ms - now_ms_, 0);
    const int until = static_cast<int>(std::min<std::int64_t>(left, 60'000));
    return timeout_ms < 0 ? until : std::min(timeout_ms, until);
}

void Loop::run_once(int timeout_ms) {
    now_ms_ = steady_ms();
    const int count = epoll_wait(epoll_.get(), ready_.data(), static_cast<int>(ready_.size()),
                                 failed_.empty() ? wait_ms(timeout_ms) : 0);
    CHECK(count >= 0 || errno == EINTR);
    now_ms_ = steady_ms();
    ready_count_ = count > 0 ? static_cast<std::size_t>(count) : 0;
    run_failed();
    run_ready();
    run_timers();
    if (end_of_turn_) end_of_turn_();
}

void Loop::run_failed() {
    // One at a time: a call may remove others.
    for (std::size_t left = failed_.size(); left > 0 && !failed_.empty(); --left) {
        Watcher* const watcher = failed_.front();
        failed_.erase(failed_.begin());
        watcher->on_ready(0);
    }
}

void Loop::run_ready() {
    bool woken = false;
    for (ready_at_ = 0; ready_at_ < ready_count_; ++ready_at_) {
        const epoll_event event = ready_[ready_at_];
        if (event.data.ptr == nullptr)
            woken = true;
        else if (event.events != 0)
            static_cast<Watcher*>(event.data.ptr)->on_ready(event.events);
    }
    ready_count_ = 0;
    if (!woken) return;
    std::uint64_t count_of_posts = 0;
    CHECK(read(wake_.get(), &count_of_posts, sizeof count_of_posts) == sizeof count_of_posts);
    run_posted();
}

void Loop::run_posted() {
    {
        const MutexLock lock(posted_mutex_);
        running_.swap(posted_);
        wake_sent_ = false;
    }
    for (auto& call : running_)
        call();
    running_.clear();
}

void Loop::run_timers() {
    // A timer that a timer asks for waits for the next turn, or it could keep this one for ever.
    const TimerId newer = next_timer_;
    while (!timers_.empty() && timers_.front().due_ms <= now_ms_ && timers_.front().id < newer) {
        std::pop_heap(timers_.begin(), timers_.end(), kLater);
        const std::function<void()> call = std::move(timers_.back().call);
        timers_.pop_back();
        call();
    }
}

}  // namespace dyad::net
