// Who is private: by the log, and by what was asked for and is not in it.
#include "base/limits.hpp"
#include "core/mutation.hpp"
#include "core/user_log.hpp"

#include <algorithm>

namespace dyad::core {

bool UserLog::is_private(std::string_view instance_id) const {
    const auto mode = state_.modes.find(instance_id);
    if (mode != state_.modes.end() && mode->second.current == Mode::inspired) return true;
    return privacy_.standing(instance_id) != 0 && !broken(Mutation::private_once_durable);
}

bool UserLog::is_private(const Pending& pending, const Flight& flight) const {
    if (broken(Mutation::private_once_durable)) return false;
    const auto holds = [&](const std::string& instance, PrivacyAsks::Serial asked) {
        if (!privacy_.stands(instance, asked)) return false;
        return std::none_of(flight.writes.begin(), flight.writes.end(), [&](const Pending& before) {
            const auto* set = std::get_if<SetMode>(&before.command->body);
            return set != nullptr && set->success && set->mode != Mode::inspired &&
                   before.serial > asked && mode_owner(*before.command) == instance;
        });
    };
    return holds(pending.command->instance_id, pending.asked) ||
           (!pending.command->via.empty() && holds(pending.command->via, pending.via_asked));
}

void UserLog::keep_private(const std::string& instance_id) {
    cannot_note(instance_id, ++heard_);
}

void UserLog::cannot_note(const std::string& instance_id, PrivacyAsks::Serial ask) {
    privacy_.refuse(instance_id, ask);
    privacy_.trim(static_cast<std::size_t>(limits::instances_per_user_max),
                  [this](const std::string& id) { return delivery_.has_session(id); });
    delivery_.privacy_changed(instance_id);
    // Nobody else writes this log; or else what they wrote before the refusal is read first.
    if (!ports().store.shared()) return;
    catch_up([this, instance_id, ask](const Status& read) {
        if (read) privacy_.settle(instance_id, ask, head_.offset);
    });
}

// A backup in the log's place may not know a mode that was noted before: whoever is connected and
// private stays so, unless the log has a later word of it.
void UserLog::keep_private_since(const State& before) {
    for (const std::string& id : delivery_.instances()) {
        const auto old = before.modes.find(id);
        if (old == before.modes.end() || old->second.current != Mode::inspired) continue;
        const auto now = state_.modes.find(id);
        const auto age = [](const ModeState& mode) {
            return std::pair(mode.updated_at_ms, mode.sync_version);
        };
        if (now == state_.modes.end() || age(now->second) < age(old->second))
            privacy_.keep(id, head_.offset);
    }
    privacy_.settle_all(head_.offset);
}

const Pending* UserLog::find_pending(std::uint64_t operation_key) const {
    const auto is_it = [operation_key](const Pending& one) { return one.key == operation_key; };
    if (flight_) {
        const auto at = std::find_if(flight_->writes.begin(), flight_->writes.end(), is_it);
        if (at != flight_->writes.end()) return &*at;
    }
    const auto at = std::find_if(queue_.begin(), queue_.end(), is_it);
    return at != queue_.end() ? &*at : nullptr;
}

void UserLog::adopt_mode(const ModeChange& change, std::uint64_t operation_key, Offset offset,
                         const Pending* own) {
    const ModeState& state = change.state;
    // Who made room for others while it is here stays private.
    for (const std::string& id : change.forgotten)
        if (is_private(id) && delivery_.has_session(id)) privacy_.keep(id, offset);
    fold(state_, change);
    if (state.current == Mode::inspired)
        privacy_.noted(state.instance_id, operation_key);
    else if (state.success && own != nullptr)
        privacy_.ended(state.instance_id, own->serial);
    else if (state.success)
        privacy_.ended_elsewhere(state.instance_id, offset);
    delivery_.privacy_changed(state.instance_id);
}

}  // namespace dyad::core
