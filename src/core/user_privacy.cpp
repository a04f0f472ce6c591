#include "core/user_privacy.hpp"

#include "base/check.hpp"
#include "base/limits.hpp"
#include "core/mutation.hpp"
#include "core/user_log.hpp"

#include <algorithm>

namespace dyad::core {

bool UserPrivacy::is_private(std::string_view instance_id) const {
    const auto mode = user_.state().modes.find(instance_id);
    if (mode != user_.state().modes.end() && mode->second.current == Mode::inspired) return true;
    return asks_.standing(instance_id) != 0 && !broken(Mutation::private_once_durable);
}

bool UserPrivacy::is_private(const Pending& pending, std::span<const Pending> before) const {
    if (broken(Mutation::private_once_durable)) return false;
    const auto holds = [&](const std::string& instance, PrivacyAsks::Serial asked) {
        if (!asks_.stands(instance, asked)) return false;
        return std::none_of(before.begin(), before.end(), [&](const Pending& other) {
            const auto* set = std::get_if<SetMode>(&other.command->body);
            return set != nullptr && set->success && set->mode != Mode::inspired &&
                   other.serial > asked && mode_owner(*other.command) == instance;
        });
    };
    return holds(pending.command->instance_id, pending.asked) ||
           (!pending.command->via.empty() && holds(pending.command->via, pending.via_asked));
}

void UserPrivacy::hear(Pending& pending) {
    CHECK(pending.command && pending.serial == 0);
    const Command& command = *pending.command;
    pending.serial = ++heard_;
    if (!asks_.empty()) {
        pending.asked = asks_.standing(command.instance_id);
        pending.via_asked = asks_.standing(command.via);
    }
    if (!asks_for_privacy(command)) return;
    asks_.ask(mode_owner(command), pending.serial, pending.key);
    user_.delivery().privacy_changed(mode_owner(command));
}

void UserPrivacy::cannot_note(const std::string& instance_id, PrivacyAsks::Serial ask) {
    asks_.refuse(instance_id, ask);
    asks_.trim(static_cast<std::size_t>(limits::instances_per_user_max),
               [this](const std::string& id) { return user_.delivery().has_session(id); });
    user_.delivery().privacy_changed(instance_id);
    // Nobody else writes this log; or else what they wrote before the refusal is read first.
    if (!user_.heart().shared()) return;
    user_.reader().catch_up([this, instance_id, ask](const Status& read) {
        if (read) asks_.settle(instance_id, ask, user_.head().offset);
    });
}

// An ask for privacy that was carried out before is no new one; and another mode that was, is older
// than the asks that stand.
void UserPrivacy::repeated(const Pending& pending) {
    if (!asks_for_privacy(*pending.command)) return;
    asks_.forget_repeated(mode_owner(*pending.command), pending.serial);
    user_.delivery().privacy_changed(mode_owner(*pending.command));
}

// A backup in the log's place may not know a mode that was noted before: whoever is connected and
// private stays so, unless the log has a later word of it.
void UserPrivacy::keep_since(const State& before) {
    const State& state = user_.state();
    for (const std::string& id : user_.delivery().instances()) {
        const auto old = before.modes.find(id);
        if (old == before.modes.end() || old->second.current != Mode::inspired) continue;
        const auto now = state.modes.find(id);
        const auto age = [](const ModeState& mode) {
            return std::pair(mode.updated_at_ms, mode.sync_version);
        };
        if (now == state.modes.end() || age(now->second) < age(old->second))
            asks_.keep(id, user_.head().offset);
    }
    asks_.settle_all(user_.head().offset);
}

// Who made room for others while it is here stays private.
void UserPrivacy::before_mode(const ModeChange& change, Offset offset) {
    for (const std::string& id : change.forgotten)
        if (is_private(id) && user_.delivery().has_session(id)) asks_.keep(id, offset);
}

void UserPrivacy::after_mode(const ModeChange& change, std::uint64_t operation_key, Offset offset,
                             const Pending* own) {
    const ModeState& state = change.state;
    if (state.current == Mode::inspired)
        asks_.noted(state.instance_id, operation_key);
    else if (state.success && own != nullptr)
        asks_.ended(state.instance_id, own->serial);
    else if (state.success)
        asks_.ended_elsewhere(state.instance_id, offset);
    user_.delivery().privacy_changed(state.instance_id);
}

}  // namespace dyad::core
