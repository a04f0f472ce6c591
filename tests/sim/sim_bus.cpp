#include "sim/sim_bus.hpp"

#include <algorithm>

namespace dyad::sim {
namespace {

constexpr std::size_t kNewestMax = 16;

}  // namespace

bool BusNetwork::loses(const BusMessage& message) {
    if (happens(faults.lose)) return true;
    return std::holds_alternative<Announcement>(message) && happens(faults.lose_announcements);
}

void BusNetwork::send(int from, BusMessage message) {
    // Strangers know no heads.
    if (auto* beat = std::get_if<Heartbeat>(&message))
        if (flaws.drops_heads || faults.strangers > 0) beat->heads.clear();
    if (flaws.drops_reports && std::holds_alternative<PresenceReport>(message)) return;
    if (const auto* announcement = std::get_if<Announcement>(&message))
        if (faults.strangers > 0 && happens(faults.strangers))
            message = Hint{announcement->user_id};
    if (flaws.drops_hints && std::holds_alternative<Hint>(message)) return;
    const bool to_sender = comes_back(message);
    const auto shared = std::make_shared<const BusMessage>(std::move(message));
    if (std::holds_alternative<Announcement>(*shared)) newest_.push_back(shared);
    if (newest_.size() > kNewestMax) newest_.pop_front();
    for (std::size_t to = 0; to < buses_.size(); ++to) {
        if (static_cast<int>(to) == from && !to_sender) continue;
        if (loses(*shared)) continue;
        send_one(to, shared);
        if (happens(faults.repeat)) send_one(to, shared);
    }
}

void BusNetwork::repeat_newest() {
    for (const auto& announcement : newest_)
        for (std::size_t to = 0; to < buses_.size(); ++to)
            send_one(to, announcement, random_.between(0, 600'000));
}

void BusNetwork::send_one(std::size_t to, const std::shared_ptr<const BusMessage>& message,
                          std::int64_t extra_us) {
    std::int64_t delay_us = extra_us + random_.between(20, faults.delay_max_us);
    if (happens(faults.late)) delay_us += random_.between(1'000, 500'000);
    queue_.after(delay_us, [this, to, message, generation = generation_] {
        if (buses_[to] == nullptr || generation != generation_) return;
        if (const auto* announcement = std::get_if<Announcement>(message.get()))
            trace_.note("announced", to, announcement->batch->first, [&] {
                return announcement->user_id + " " + std::to_string(announcement->batch->first) +
                       ".." + std::to_string(announcement->batch->last()) + " at node " +
                       std::to_string(to);
            });
        buses_[to]->arrive(*message);
    });
}

SimBus::SimBus(BusNetwork& network, int node)
    : network_(network), node_(node), id_(++network.subscriptions_) {
    network_.buses_[static_cast<std::size_t>(node_)] = this;
}

SimBus::~SimBus() {
    network_.buses_[static_cast<std::size_t>(node_)] = nullptr;
}

void SimBus::publish(BusMessage message) {
    if (network_.flaws.echoes_without_probe && std::holds_alternative<Heartbeat>(message))
        network_.queue_.after(1, [&network = network_, node = node_, id = id_, message] {
            SimBus* const bus = network.buses_[static_cast<std::size_t>(node)];
            if (bus != nullptr && bus->id_ == id && bus->receive_) bus->receive_(message);
        });
    if (!cut) network_.send(node_, std::move(message));
}

void SimBus::follow(const std::string& user_id) {
    followed_.insert(user_id);
    if (subscribed_) subscribe(user_id);
}

void SimBus::subscribe(const std::string& user_id) {
    if (network_.flaws.follows_nobody) return;
    const std::int64_t delay_us = network_.random_.between(0, 2 * network_.faults.delay_max_us);
    network_.queue_.after(
        delay_us, [&network = network_, node = node_, id = id_, session = session_, user_id] {
            SimBus* const bus = network.buses_[static_cast<std::size_t>(node)];
            if (bus == nullptr || bus->id_ != id || bus->session_ != session) return;
            if (!bus->followed_.contains(user_id)) return;
            bus->heard_.insert(user_id);
            if (bus->receive_ && !network.flaws.follows_silently)
                bus->receive_(Hint{user_id, true});
        });
}

void SimBus::unfollow(const std::string& user_id) {
    followed_.erase(user_id);
    heard_.erase(user_id);
}

void SimBus::renew() {
    ++session_;
    subscribed_ = true;
    heard_.clear();
    for (const std::string& user_id : followed_)
        subscribe(user_id);
}

void SimBus::lose_subscriptions() {
    ++session_;
    subscribed_ = false;
    heard_.clear();
}

void SimBus::arrive(const BusMessage& message) {
    const std::string* const user = user_of(message);
    if (cut || !receive_ || (user != nullptr ? !heard_.contains(*user) : !subscribed_)) return;
    const auto* announcement = std::get_if<Announcement>(&message);
    if (network_.flaws.stops_at_gaps && announcement != nullptr && stops(*announcement)) return;
    receive_(message);
}

bool SimBus::stops(const Announcement& announcement) {
    const auto [at, fresh] = last_.try_emplace(announcement.user_id, announcement.batch->last());
    if (!fresh && announcement.batch->first > at->second + 1) return true;
    at->second = std::max(at->second, announcement.batch->last());
    return false;
}

}  // namespace dyad::sim
