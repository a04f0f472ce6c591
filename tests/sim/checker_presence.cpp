#include "sim/checker.hpp"

#include <algorithm>

namespace dyad::sim {
namespace {

// The log says inspired, and not that it has forgotten the instance since.
bool is_private_by_log(const Evidence& evidence, const std::string& user_id,
                       const std::string& instance_id) {
    bool is_private = false;
    const auto log = evidence.final_logs.find(user_id);
    if (log == evidence.final_logs.end()) return false;
    for (const LogEntry* entry : log->second) {
        const auto* mode = std::get_if<ModeChange>(&entry->change);
        if (mode == nullptr) continue;
        if (std::find(mode->forgotten.begin(), mode->forgotten.end(), instance_id) !=
            mode->forgotten.end())
            is_private = false;
        if (mode->state.instance_id == instance_id)
            is_private = mode->state.current == Mode::inspired;
    }
    return is_private;
}

std::string of(const Roll& roll) {
    return " of " + roll.user_id + " at node " + std::to_string(roll.process.node);
}

}  // namespace

void check_rolls(const Evidence& evidence, Violations& out) {
    for (const Roll& roll : evidence.history.rolls) {
        if (roll.said_sessions != roll.sessions)
            out.push_back({15, std::to_string(roll.sessions) + " sessions" + of(roll) +
                                   " are counted as " + std::to_string(roll.said_sessions)});
        for (const auto& [instance, count] : roll.said)
            if (!roll.attending.contains(instance))
                out.push_back({15, instance + of(roll) + " is said to be present"});
        for (const auto& [instance, count] : roll.attending) {
            const auto said = roll.said.find(instance);
            const std::size_t said_count = said == roll.said.end() ? 0 : said->second;
            if (is_private_by_log(evidence, roll.user_id, instance)) {
                if (said_count != 0)
                    out.push_back({15, instance + of(roll) + " is private and listed"});
            } else if (said_count != count && !may_be_private(evidence, roll.user_id, instance)) {
                out.push_back({15, instance + of(roll) + " has " + std::to_string(count) +
                                       " connections, " + std::to_string(said_count) +
                                       " are listed"});
            }
        }
    }
}

}  // namespace dyad::sim
