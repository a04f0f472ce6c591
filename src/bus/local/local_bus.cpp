#include "bus/local/local_bus.hpp"

#include <algorithm>

namespace dyad::bus {

LocalBus::LocalBus(LocalHub& hub, std::function<void()> wake) : hub_(hub), wake_(std::move(wake)) {
    const MutexLock lock(hub_.mutex_);
    hub_.members_.push_back(this);
}

LocalBus::~LocalBus() {
    const MutexLock lock(hub_.mutex_);
    std::erase(hub_.members_, this);
    for (auto at = hub_.followers_.begin(); at != hub_.followers_.end();) {
        std::erase(at->second, this);
        at = at->second.empty() ? hub_.followers_.erase(at) : std::next(at);
    }
}

void LocalBus::publish(BusMessage message) {
    const MutexLock lock(hub_.mutex_);
    const std::string* user = user_of(message);
    const std::vector<LocalBus*>* to = &hub_.members_;
    if (user != nullptr) {
        const auto at = hub_.followers_.find(*user);
        if (at == hub_.followers_.end()) return;
        to = &at->second;
    }
    const auto shared = std::make_shared<const BusMessage>(std::move(message));
    for (LocalBus* member : *to)
        if (member != this || comes_back(*shared)) member->put(shared);
}

void LocalBus::put(const MessagePtr& message) {
    bool first = false;
    {
        const MutexLock lock(mutex_);
        if (inbox_.size() >= LocalHub::kInboxMax) return;
        first = inbox_.empty();
        inbox_.push_back(message);
    }
    if (first) wake_();
}

void LocalBus::follow(const std::string& user_id) {
    const MutexLock lock(hub_.mutex_);
    std::vector<LocalBus*>& followers = hub_.followers_[user_id];
    if (std::find(followers.begin(), followers.end(), this) == followers.end())
        followers.push_back(this);
}

void LocalBus::unfollow(const std::string& user_id) {
    const MutexLock lock(hub_.mutex_);
    const auto at = hub_.followers_.find(user_id);
    if (at == hub_.followers_.end()) return;
    std::erase(at->second, this);
    if (at->second.empty()) hub_.followers_.erase(at);
}

void LocalBus::set_receiver(std::function<void(const BusMessage&)> receive) {
    receive_ = std::move(receive);
}

void LocalBus::receive_all() {
    std::vector<MessagePtr> arrived;
    {
        const MutexLock lock(mutex_);
        arrived.swap(inbox_);
    }
    if (!receive_) return;
    for (const MessagePtr& message : arrived)
        receive_(*message);
}

}  // namespace dyad::bus
