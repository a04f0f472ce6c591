#include "server/mcp/product/shown.hpp"

namespace dyad::server::mcp {

Shown& Shown::of_process() {
    static Shown shown;
    return shown;
}

void Shown::with(const std::string& user, const std::string& session,
                 const std::function<void(Facts&)>& look) {
    constexpr std::size_t kNodeBytes = 96;  // of a map, beside the key
    const MutexLock lock(mutex_);
    const auto [at, is_new] = by_name_.try_emplace(Name(user, session), sessions_.end());
    if (is_new)
        sessions_.push_front({.name = at->first, .facts = {}});
    else
        sessions_.splice(sessions_.begin(), sessions_, at->second);
    at->second = sessions_.begin();
    Session& used = sessions_.front();
    look(used.facts);
    bytes_ -= used.bytes;
    used.bytes = 2 * kNodeBytes + 2 * (user.size() + session.size());
    for (const auto& fact : used.facts)
        used.bytes += kNodeBytes + fact.first.size();
    bytes_ += used.bytes;
    while (!sessions_.empty() && (bytes_ > bytes_max_ || sessions_.size() > sessions_max_)) {
        bytes_ -= sessions_.back().bytes;
        by_name_.erase(sessions_.back().name);
        sessions_.pop_back();
    }
}

std::size_t Shown::sessions() {
    const MutexLock lock(mutex_);
    return sessions_.size();
}

}  // namespace dyad::server::mcp
