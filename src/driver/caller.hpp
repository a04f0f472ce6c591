// The way back from a driver's threads to the cell that asked: a cell has one Caller for each
// driver, and closes it when it no longer wants to hear of anything.
//
// Threads: any, except where told otherwise.
#pragma once

#include "base/mutex.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace dyad::driver {

class Caller : public std::enable_shared_from_this<Caller> {
  public:
    // Runs what it is given on the cell's thread, soon. Called on any thread.
    using Post = std::function<void(std::function<void()>)>;

    static std::shared_ptr<Caller> make(Post post) {
        return std::shared_ptr<Caller>(new Caller(std::move(post)));
    }
    // Runs `work` on the cell's thread, unless it is closed by then. False where it is closed.
    template <class Work>
    bool post(Work work) EXCLUDES(mutex_) {
        const MutexLock held(mutex_);
        if (post_)
            post_([self = shared_from_this(), work = std::move(work)]() mutable {
                if (self->is_open_) work();
            });
        return post_ != nullptr;
    }
    // On the cell's thread: nothing is posted, and nothing that was posted runs, from now on.
    void close() EXCLUDES(mutex_) {
        const MutexLock held(mutex_);
        post_ = nullptr;
        is_open_ = false;
    }
    // On the cell's thread.
    bool is_open() const noexcept { return is_open_; }

  private:
    explicit Caller(Post post) : post_(std::move(post)) {}

    Mutex mutex_;
    Post post_ GUARDED_BY(mutex_);
    bool is_open_ = true;  // the cell's thread alone knows it
};

using CallerPtr = std::shared_ptr<Caller>;

// Gives the answer to `done` on the caller's thread.
template <class Answer>
void answer(const CallerPtr& caller, std::function<void(Answer)> done,
            std::type_identity_t<Answer> result) {
    caller->post([done = std::move(done), held = std::make_shared<Answer>(std::move(result))] {
        done(std::move(*held));
    });
}

// Calls `give` with each of `answers`, in their order, on the thread of its `caller`. Each caller
// is posted to once. What an answer holds is released there, too.
template <class Answer, class Give>
void answer_all(std::vector<Answer> answers, Give give) {
    std::vector<std::shared_ptr<std::vector<Answer>>> rounds;  // one for each caller: a few
    for (Answer& one : answers) {
        auto at = std::find_if(rounds.begin(), rounds.end(), [&](const auto& round) {
            return round->front().caller == one.caller;
        });
        if (at == rounds.end()) {
            at = rounds.insert(at, std::make_shared<std::vector<Answer>>());
            (*at)->reserve(answers.size());
        }
        (*at)->push_back(std::move(one));
    }
    for (auto& round : rounds) {
        const CallerPtr caller = round->front().caller;
        caller->post([round = std::move(round), give] {
            for (Answer& one : *round)
                if (one.caller->is_open()) give(one);
        });
    }
}

}  // namespace dyad::driver
