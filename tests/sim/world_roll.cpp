// Who is present, as every node says it, once all is quiet.
#include "sim/world.hpp"

#include <map>

namespace dyad::sim {

void World::call_the_roll() {
    std::map<std::string, Roll> rolls;
    for (const auto& connection : connections_) {
        const core::SessionRequest& request = connection->stream().request;
        Roll& roll = rolls[request.user_id];
        roll.sessions += 1;
        roll.attending[request.instance_id] += 1;
    }
    for (const auto& stream : history_.streams) {
        const std::int64_t moved_us =
            stream->detached_us == kNever ? stream->attached_us : stream->detached_us;
        if (moved_us > queue_.now_us() - 1000 * (settle_ms() - 100))
            rolls.erase(stream->request.user_id);
    }
    for (auto& [user_id, roll] : rolls) {
        roll.user_id = user_id;
        for (const auto& it : nodes_) {
            if (scenario_.nodes > 1 && !it->bus->followed().contains(user_id)) continue;
            roll.process = it->process;
            roll.said_sessions = it->engine->session_count(user_id);
            roll.said.clear();
            for (const Presence& one : it->engine->presence(user_id))
                roll.said[one.instance_id] = one.connections;
            if (scenario_.nodes > 1 || roll.said_sessions > 0) history_.rolls.push_back(roll);
        }
    }
}

}  // namespace dyad::sim
