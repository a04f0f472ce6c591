#include "sim/node.hpp"

namespace dyad::sim {

namespace {

constexpr std::size_t kNewestMax = 16;

}  // namespace

void BusNetwork::send(int from, const Announcement& announcement) {
    const auto shared = std::make_shared<const Announcement>(announcement);
    newest_.push_back(shared);
    if (newest_.size() > kNewestMax) newest_.pop_front();
    for (std::size_t to = 0; to < buses_.size(); ++to) {
        if (static_cast<int>(to) == from) continue;
        if (!healed && random_.chance(faults.lose)) continue;
        send_one(to, shared);
        if (!healed && random_.chance(faults.repeat)) send_one(to, shared);
    }
}

void BusNetwork::repeat_newest() {
    for (const auto& announcement : newest_)
        for (std::size_t to = 0; to < buses_.size(); ++to)
            send_one(to, announcement, random_.between(0, 600'000));
}

void BusNetwork::send_one(std::size_t to, const std::shared_ptr<const Announcement>& announcement,
                          std::int64_t extra_us) {
    std::int64_t delay_us = extra_us + random_.between(20, faults.delay_max_us);
    if (!healed && random_.chance(faults.late)) delay_us += random_.between(1'000, 500'000);
    queue_.after(delay_us, [this, to, announcement, generation = generation_] {
        if (buses_[to] == nullptr || generation != generation_) return;
        trace_.note("announced", to, announcement->batch->first, [&] {
            return announcement->user_id + " " + std::to_string(announcement->batch->first) + ".." +
                   std::to_string(announcement->batch->last()) + " at node " + std::to_string(to);
        });
        buses_[to]->arrive(*announcement);
    });
}

}  // namespace dyad::sim
