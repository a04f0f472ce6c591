// Who is present, as every node says it, and what stands beside the logs, once all is quiet.
#include "sim/world.hpp"

#include <map>
#include <memory>

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

// As an existing instance does it: it reads nothing of the log, and may count its versions by its
// clock. Others may be told of it, or not.
void World::write_beside_the_log() {
    if (!availability_->up) return;
    const std::string user_id = "u" + std::to_string(random_.between(0, scenario_.users - 1));
    if (random_.chance(250)) return write_mode_beside_the_log(user_id);
    auto context = std::make_shared<Context>();
    context->key =
        "k" + std::to_string(random_.between(0, scenario_.keys_per_user - 1)) + "@" + user_id + "@";
    context->data =
        "{\"by\":\"@" + user_id + "@\",\"foreign\":" + std::to_string(new_value()) + "}";
    const SimDocuments::Document* const stored = database_.documents.find(user_id, context->key);
    const std::int64_t kind = random_.between(0, 2);
    context->version = kind == 0   ? 1
                       : kind == 1 ? 1'700'000'000'000 + static_cast<Version>(queue_.now_us())
                       : stored    ? stored->context->version + 1
                                   : 1;
    context->last_modified_by = "existing";
    for (ForeignWrite& before : history_.foreign)
        if (stored != nullptr && before.user_id == user_id && before.context == stored->context)
            before.gone_us = queue_.now_us();
    history_.foreign.push_back({user_id, context, queue_.now_us()});
    database_.documents.write(user_id, context);
    trace_.note("written beside the log", 0, context->version,
                [&] { return user_id + " " + context->key + " " + context->data; });
    if (random_.chance(500)) network_.send(-1, Hint{.user_id = user_id});
}

void World::write_mode_beside_the_log(const std::string& user_id) {
    ModeState state;
    state.instance_id = "existing" + std::to_string(random_.between(0, 1)) + "@" + user_id + "@";
    state.current = random_.chance(500) ? Mode::didactic : Mode::parallel;
    state.transition_duration_ms = static_cast<std::int64_t>(new_value());
    history_.foreign_modes.push_back({user_id, state});
    database_.documents.write(user_id, state);
    trace_.note("mode written beside the log", 0, 0,
                [&] { return user_id + " " + state.instance_id; });
    if (random_.chance(500)) network_.send(-1, Hint{.user_id = user_id});
}

bool World::may_write(const std::string& user_id) {
    const auto longest = longest_.find(user_id);
    return longest == longest_.end() || database_.users()[user_id].events.size() < longest->second;
}

// What was written for users whom nobody asks for is found once somebody does.
void World::wake_users() {
    for (int user = 0; user < scenario_.users; ++user)
        nodes_.front()->engine->snapshot("u" + std::to_string(user), [](const auto&) {});
}

void World::read_documents() {
    for (int user = 0; user < scenario_.users; ++user) {
        const std::string user_id = "u" + std::to_string(user);
        for (const std::string& key : database_.documents.keys(user_id)) {
            const SimDocuments::Document& document = *database_.documents.find(user_id, key);
            history_.documents.push_back({user_id, document.context, document.verifies});
        }
    }
}

}  // namespace dyad::sim
