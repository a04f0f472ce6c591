#include "core/neighbours.hpp"

#include "base/check.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"

#include <algorithm>

namespace dyad::core {
namespace {

constexpr std::string_view kScope = "distributed_memory";

}  // namespace

Neighbours::Neighbours(const NeighbourConfig& config, Bus& bus, NodeId self, LocalFn local,
                       ChangedFn changed)
    : config_(config),
      bus_(bus),
      self_(self),
      local_(std::move(local)),
      changed_(std::move(changed)),
      elsewhere_({.report_ms = config.renewals_missed * config.presence_ms,
                  .node_ms = (config.beats_missed + 1) * config.beat_ms}) {
    CHECK(local_ && changed_);
    CHECK(config.beat_ms > 0 && config.report_ms > 0 && config.presence_ms > config.report_ms);
}

void Neighbours::follow(const std::string& user_id, std::int64_t now_ms) {
    CHECK(!user_id.empty());
    if (!followed_.try_emplace(user_id, Followed{.since_ms = now_ms}).second) return;
    bus_.follow(user_id);
    to_report_[user_id] = true;
}

void Neighbours::unfollow(const std::string& user_id) {
    const auto at = followed_.find(user_id);
    if (at == followed_.end()) return;
    renew_by(user_id, at->second, 0);
    followed_.erase(at);
    bus_.unfollow(user_id);
    to_report_.erase(user_id);
    elsewhere_.forget(user_id);
}

void Neighbours::subscribed(const std::string& user_id) {
    if (followed_.contains(user_id)) to_report_[user_id] = true;
}

void Neighbours::presence_changed(const std::string& user_id) {
    to_report_.try_emplace(user_id, false);
}

void Neighbours::clients_changed(std::size_t count, std::int64_t now_ms) {
    if (std::exchange(clients_, count) == count) return;
    next_beat_ms_ = std::min(next_beat_ms_, std::max(now_ms, last_beat_ms_ + config_.report_ms));
}

void Neighbours::wrote(const std::string& user_id, const Position& head) {
    if (heads_.size() < static_cast<std::size_t>(limits::heartbeat_heads_max) ||
        heads_.contains(user_id))
        heads_.insert_or_assign(user_id, head);
}

void Neighbours::take(const PresenceReport& report, std::int64_t now_ms) {
    if (!followed_.contains(report.user_id)) return;
    if (report.asks && local_(report.user_id).sessions > 0) presence_changed(report.user_id);
    if (elsewhere_.take(report, now_ms)) changed_(report.user_id);
}

void Neighbours::tell(SessionNote note) {
    note.server = config_.server;
    note.node = self_;
    note.serial = ++notes_;
    bus_.publish(std::move(note));
}

void Neighbours::take(const Heartbeat& beat, std::int64_t now_ms) {
    if (beat.node != self_) return elsewhere_.take(beat, now_ms);
    unheard_ = 0;
    if (std::exchange(deaf_, false)) log::info(kScope, "the bus can be heard again");
}

void Neighbours::flush(std::int64_t now_ms) {
    for (auto at = renewals_.begin(); at != renewals_.end() && at->first <= now_ms; ++at)
        presence_changed(at->second);  // which gives it another place
    if (!to_report_.empty() && now_ms >= next_report_ms_) report(now_ms);
    if (is_lively()) next_beat_ms_ = std::min(next_beat_ms_, last_beat_ms_ + config_.beat_ms);
    if (has_something_to_tell() && now_ms >= next_beat_ms_) beat(now_ms);
}

void Neighbours::beat(std::int64_t now_ms) {
    last_beat_ms_ = now_ms;
    for (const std::string& user_id : elsewhere_.expire(now_ms))
        changed_(user_id);
    if (++unheard_ > config_.beats_missed) {
        if (!std::exchange(deaf_, true))
            log::warn(kScope, "the bus cannot be heard; subscribing again");
        unheard_ = 1;  // it has as long again
        bus_.renew();
    }
    Heartbeat beat{.node = self_, .server = config_.server, .clients = clients_};
    beat.heads.assign(heads_.begin(), heads_.end());
    heads_.clear();
    clients_told_ = clients_;
    bus_.publish(std::move(beat));
    next_beat_ms_ = now_ms + (is_lively() ? config_.beat_ms : config_.presence_ms);
}

void Neighbours::report(std::int64_t now_ms) {
    next_report_ms_ = now_ms + config_.report_ms;
    for (const auto& [user_id, asks] : std::exchange(to_report_, {})) {
        const auto at = followed_.find(user_id);
        if (at == followed_.end()) continue;
        Local here = local_(user_id);
        renew_by(user_id, at->second, here.sessions > 0 ? now_ms + config_.presence_ms : 0);
        bus_.publish(PresenceReport{.user_id = user_id,
                                    .node = self_,
                                    .serial = ++serial_,
                                    .asks = asks,
                                    .sessions = here.sessions,
                                    .instances = std::move(here.instances)});
    }
}

void Neighbours::renew_by(const std::string& user_id, Followed& followed, std::int64_t when_ms) {
    if (followed.renew_ms != 0) renewals_.erase({followed.renew_ms, user_id});
    followed.renew_ms = when_ms;
    if (when_ms != 0) renewals_.emplace(when_ms, user_id);
}

std::int64_t Neighbours::next_ms() const {
    std::int64_t next = INT64_MAX;
    if (has_something_to_tell()) next = next_beat_ms_;
    if (!to_report_.empty()) next = std::min(next, next_report_ms_);
    if (!renewals_.empty()) next = std::min(next, renewals_.begin()->first);
    return next;
}

std::int64_t Neighbours::known_ms(const std::string& user_id) const {
    const auto at = followed_.find(user_id);
    return at == followed_.end() ? 0 : at->second.since_ms + config_.report_ms;
}

}  // namespace dyad::core
