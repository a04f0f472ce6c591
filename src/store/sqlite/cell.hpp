// One cell's end of the database. Holds what is posted to the cell for as long as the cell wants
// it. Threads: any, except where told otherwise.
#pragma once

#include <functional>
#include <mutex>
#include <utility>

namespace dyad::sqlite {

class Cell {
  public:
    using Post = std::function<void(std::function<void()>)>;

    explicit Cell(Post post) : post_(std::move(post)) {}
    // Runs `work` on the cell's thread; not at all once the cell is closed.
    void post(std::function<void()> work) {
        const std::lock_guard held(mutex_);
        if (post_) post_(std::move(work));
    }
    // On the cell's thread: nothing is posted, and nothing that was posted runs, from now on.
    void close() {
        const std::lock_guard held(mutex_);
        post_ = nullptr;
        open_ = false;
    }
    // On the cell's thread.
    bool is_open() const noexcept { return open_; }

  private:
    std::mutex mutex_;
    Post post_;
    bool open_ = true;  // written on the cell's thread only
};

}  // namespace dyad::sqlite
