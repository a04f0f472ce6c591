#include "core/heart.hpp"

#include "base/check.hpp"
#include "core/user_log.hpp"

#include <array>
#include <bit>

namespace dyad::core {
namespace {

NodeId draw_node(Random& random) {
    std::array<std::uint8_t, sizeof(NodeId)> bytes;
    random.fill(bytes);
    return std::bit_cast<NodeId>(bytes);
}

}  // namespace

Heart::Heart(Config from, Ports to, Neighbours::LocalFn local)
    : config(std::move(from)),
      ports(to),
      feeds(config.feeds_bytes_max),
      time(config.proof, ports.clock, ports.archive),
      neighbours(config.neighbours, ports.bus, draw_node(ports.random), std::move(local),
                 [this](const std::string& id) {
                     if (on_presence) on_presence(id);
                 }) {}

void Heart::sessions_changed(const std::string& user_id) {
    if (shared()) neighbours.presence_changed(user_id);
}

void Heart::presence_changed(const std::string& user_id) {
    sessions_changed(user_id);
    if (on_presence) on_presence(user_id);
}

void Heart::look_at_documents(UserLog& user) {
    if (ports.documents != nullptr) to_look_at.insert(user.user_id());
}

void Heart::announce(const std::string& user_id, const EventBatchPtr& batch) {
    CHECK(batch && !batch->empty());
    if (!shared()) return;
    neighbours.wrote(user_id, batch->head().position());
    ports.bus.publish(Announcement{user_id, batch});
}

}  // namespace dyad::core
