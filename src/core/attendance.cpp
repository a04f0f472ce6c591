#include "core/attendance.hpp"

#include <algorithm>

namespace dyad::core {
namespace {

// Signs of life come all the time and are no news.
bool same(const std::vector<Presence>& a, const std::vector<Presence>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const Presence& x, const Presence& y) {
                          return x.instance_id == y.instance_id && x.connections == y.connections &&
                                 x.connected_at_ms == y.connected_at_ms;
                      });
}

}  // namespace

bool Attendance::take(const PresenceReport& report, std::int64_t now_ms) {
    nodes_[report.node].heard_ms = now_ms;
    Row& row = users_[report.user_id][report.node];
    if (report.serial <= row.serial) return false;
    const bool news = !same(row.instances, report.instances);
    row = {report.serial, now_ms, report.sessions, report.instances};
    return news;
}

void Attendance::take(const Heartbeat& beat, std::int64_t now_ms) {
    nodes_[beat.node] = {now_ms, beat.server, beat.clients};
}

std::vector<std::string> Attendance::expire(std::int64_t now_ms) {
    std::erase_if(
        nodes_, [&](const auto& node) { return now_ms - node.second.heard_ms >= leases_.node_ms; });
    std::vector<std::string> changed;
    for (auto user = users_.begin(); user != users_.end();) {
        bool gone = false;
        std::erase_if(user->second, [&](const auto& entry) {
            const auto& [node, row] = entry;
            const bool over = !nodes_.contains(node) || now_ms - row.heard_ms >= leases_.report_ms;
            gone = gone || (over && !row.instances.empty());
            return over;
        });
        if (gone) changed.push_back(user->first);
        user = user->second.empty() ? users_.erase(user) : std::next(user);
    }
    return changed;
}

std::size_t Attendance::sessions(const std::string& user_id) const {
    std::size_t count = 0;
    if (const auto user = users_.find(user_id); user != users_.end())
        for (const auto& [node, row] : user->second)
            count += row.sessions;
    return count;
}

std::vector<Presence> Attendance::instances(const std::string& user_id) const {
    std::vector<Presence> all;
    if (const auto user = users_.find(user_id); user != users_.end())
        for (const auto& [node, row] : user->second)
            all.insert(all.end(), row.instances.begin(), row.instances.end());
    return all;
}

std::size_t Attendance::clients(const std::string& server) const {
    std::size_t count = 0;
    for (const auto& [id, node] : nodes_)
        if (node.server == server) count += node.clients;
    return count;
}

}  // namespace dyad::core
