// How many live sessions each user has in all cells of this node.
// Threads: any; nothing else of the cells' work is behind its mutex.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <unordered_map>

namespace dyad::server {

class SessionCounts {
  public:
    // One more, unless the user has `most` already.
    bool take(const std::string& user_id, std::size_t most) {
        const std::lock_guard held(mutex_);
        if (most == 0) return false;
        const auto [at, fresh] = counts_.try_emplace(user_id, 1);
        if (fresh) return true;
        if (at->second >= most) return false;
        at->second += 1;
        return true;
    }
    void release(const std::string& user_id) {
        const std::lock_guard held(mutex_);
        const auto at = counts_.find(user_id);
        if (at != counts_.end() && --at->second == 0) counts_.erase(at);
    }

  private:
    std::mutex mutex_;
    std::unordered_map<std::string, std::size_t> counts_;
};

}  // namespace dyad::server
