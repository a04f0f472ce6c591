// What becomes of an instance's mode, and who makes room for it.
#include "core/decide_parts.hpp"

#include <algorithm>
#include <tuple>

namespace dyad::core {
namespace {

// Of the instances that are in inspired mode, and of the others, the one that said its mode longest
// ago makes room for one more; rather one without a live session here. Who is named in the event is
// forgotten by everybody who folds it, whoever lives where.
std::vector<std::string> make_room(const View& view, const Decision& at, const ModeState* before,
                                   const ModeState& after) {
    const auto is_private = [](const ModeState& mode) { return mode.current == Mode::inspired; };
    const bool wanted = is_private(after);
    const std::size_t most = wanted ? at.private_instances_max : at.instances_max;
    if ((before != nullptr && is_private(*before) == wanted) || view.instances() < most) return {};
    std::vector<const ModeState*> others = view.modes();
    std::erase_if(others, [&](const ModeState* mode) { return is_private(*mode) != wanted; });
    std::erase_if(others, [&](const ModeState* mode) { return mode == before; });
    if (others.size() < most) return {};
    const auto rank = [&](const ModeState* mode) {
        const bool present = at.is_present != nullptr && (*at.is_present)(mode->instance_id);
        return std::tuple(present, mode->updated_at_ms, std::string_view(mode->instance_id));
    };
    return {(*std::min_element(
                 others.begin(), others.end(),
                 [&](const ModeState* a, const ModeState* b) { return rank(a) < rank(b); }))
                ->instance_id};
}

}  // namespace

Decided decide_mode(const View& view, const Command& command, const Decision& at) {
    const auto& set = std::get<SetMode>(command.body);
    const std::string& instance = mode_owner(command);
    const ModeState* stored = view.mode(instance);
    const std::uint64_t version = stored ? stored->sync_version : 0;
    if (!command.conditions.hold(version))
        return reject(Errc::version_conflict, broken_condition(command.conditions, version) +
                                                  "the mode is at version " +
                                                  std::to_string(version));
    if (command.expected_version && *command.expected_version != version)
        return reject(Errc::version_conflict,
                      "expectedVersion: " + std::to_string(*command.expected_version) +
                          " was expected, the mode is at version " + std::to_string(version));
    ModeState next;
    next.instance_id = instance;
    next.activated_at_ms = at.now_ms;
    if (set.success) {
        next.current = set.mode;
        next.configuration = set.configuration;
        if (stored) next.previous = stored->current;
        if (stored && stored->current == set.mode) next.activated_at_ms = stored->activated_at_ms;
    } else {
        // What failed leaves the mode as it was: what is private stays private.
        if (stored) next = *stored;
        next.attempted = set.mode;
    }
    next.context_snapshot = set.context_snapshot;
    next.updated_at_ms = at.now_ms;
    next.sync_version = version + 1;
    next.transition_duration_ms = set.transition_duration_ms;
    next.success = set.success;
    next.error_message = set.error_message;
    std::vector<std::string> forgotten = make_room(view, at, stored, next);
    return Change(ModeChange{std::move(next), std::move(forgotten)});
}

}  // namespace dyad::core
