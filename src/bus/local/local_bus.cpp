#include "bus/local/local_bus.hpp"

#include <utility>

namespace dyad::bus {

LocalBus::LocalBus(LocalHub& hub, std::function<void()> wake) : hub_(hub), wake_(std::move(wake)) {
    const std::lock_guard lock(hub_.mutex_);
    hub_.members_.push_back(this);
}

LocalBus::~LocalBus() {
    const std::lock_guard lock(hub_.mutex_);
    std::erase(hub_.members_, this);
}

void LocalBus::announce(Announcement announcement) {
    const std::lock_guard lock(hub_.mutex_);
    for (LocalBus* member : hub_.members_)
        if (member != this) member->put(announcement);
}

void LocalBus::put(const Announcement& announcement) {
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        if (inbox_.size() >= LocalHub::kInboxMax) return;
        first = inbox_.empty();
        inbox_.push_back(announcement);
    }
    if (first) wake_();
}

void LocalBus::set_receiver(std::function<void(const Announcement&)> receive) {
    receive_ = std::move(receive);
}

void LocalBus::receive_all() {
    std::vector<Announcement> arrived;
    {
        const std::lock_guard lock(mutex_);
        arrived.swap(inbox_);
    }
    if (!receive_) return;
    for (const Announcement& announcement : arrived)
        receive_(announcement);
}

}  // namespace dyad::bus
