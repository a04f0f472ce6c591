#include "core/view.hpp"

#include "base/check.hpp"

namespace dyad::core {
namespace {

bool is_live(const ContextPtr& context) {
    return context && !context->deleted;
}

template <class Value>
const Value* find_in(const std::map<std::string, Value, std::less<>>& map, std::string_view key) {
    const auto at = map.find(key);
    return at == map.end() ? nullptr : &at->second;
}

}  // namespace

const ContextPtr& View::context(std::string_view key) const {
    static const ContextPtr none;
    if (latest_ && latest_->key == key) return latest_;
    if (const auto touched = contexts_.find(key); touched != contexts_.end())
        return touched->second.now;
    const ContextPtr* const stored = find_in(durable_->contexts, key);
    return stored != nullptr ? *stored : none;
}

const ModeState* View::mode(std::string_view instance_id) const {
    if (const auto* const touched = find_in(modes_, instance_id))
        return touched->has_value() ? &**touched : nullptr;
    return find_in(durable_->modes, instance_id);
}

bool View::is_private(std::string_view instance_id) const {
    const ModeState* said = mode(instance_id);
    return said != nullptr ? said->current == Mode::inspired
                           : forgotten_private_.contains(instance_id);
}

std::vector<const ModeState*> View::modes() const {
    std::vector<const ModeState*> all;
    for (const auto& [id, state] : durable_->modes)
        if (!modes_.contains(id)) all.push_back(&state);
    for (const auto& [id, state] : modes_)
        if (state) all.push_back(&*state);
    return all;
}

const Conflict* View::conflict(std::string_view id) const {
    if (closed_conflicts_.contains(id)) return nullptr;
    if (const Conflict* const touched = find_in(conflicts_, id)) return touched;
    return find_in(durable_->conflicts, id);
}

std::vector<std::string> View::conflicts_of(std::string_view key) const {
    std::vector<std::string> ids;
    for (const auto* conflicts : {&durable_->conflicts, &conflicts_})
        for (const auto& [id, conflict] : *conflicts)
            if (conflict.context_key == key && !closed_conflicts_.contains(id)) ids.push_back(id);
    return ids;
}

std::size_t View::live_contexts() const noexcept {
    return static_cast<std::size_t>(static_cast<std::int64_t>(durable_->live_contexts) +
                                    live_contexts_delta_);
}
std::size_t View::live_bytes() const noexcept {
    return static_cast<std::size_t>(static_cast<std::int64_t>(durable_->live_bytes) +
                                    live_bytes_delta_);
}
std::size_t View::open_conflicts() const noexcept {
    return durable_->conflicts.size() + conflicts_.size() - closed_durable_;
}
std::size_t View::instances() const noexcept {
    return static_cast<std::size_t>(static_cast<std::int64_t>(durable_->modes.size()) +
                                    instances_delta_);
}

const Claim* View::claim(std::string_view resource) const {
    if (const auto* const touched = find_in(claims_, resource))
        return touched->has_value() ? &**touched : nullptr;
    return find_in(durable_->claims, resource);
}
std::size_t View::claims() const noexcept {
    return static_cast<std::size_t>(static_cast<std::int64_t>(durable_->claims.size()) +
                                    claims_delta_);
}

void View::add(const Change& change) {
    if (const auto* context = std::get_if<ContextChange>(&change)) {
        add_context(*context);
    } else if (const auto* mode = std::get_if<ModeChange>(&change)) {
        add_mode(*mode);
    } else if (const auto* claim = std::get_if<ClaimChange>(&change)) {
        add_claim(*claim);
    }
}

void View::add_claim(const ClaimChange& change) {
    const Claim& after = change.claim;
    claims_delta_ += (change.is_held() ? 1 : 0) - (claim(after.resource) != nullptr ? 1 : 0);
    claims_.insert_or_assign(after.resource, change.held());
}

void View::add_mode(const ModeChange& change) {
    for (const std::string& id : change.forgotten) {
        if (mode(id) != nullptr) instances_delta_ -= 1;
        if (is_private(id)) forgotten_private_.insert(id);
        modes_.insert_or_assign(id, std::nullopt);
    }
    if (mode(change.state.instance_id) == nullptr) instances_delta_ += 1;
    modes_.insert_or_assign(change.state.instance_id, change.state);
}

void View::add_context(const ContextChange& change) {
    CHECK(change.context);
    const ContextPtr& after = change.context;
    const auto count = [this](const ContextPtr& context, std::int64_t sign) {
        if (!is_live(context)) return;
        live_contexts_delta_ += sign;
        live_bytes_delta_ += sign * static_cast<std::int64_t>(context->data.size());
    };
    count(context(after->key), -1);
    count(after, 1);
    if (latest_ && latest_->key != after->key) {
        const auto [at, fresh] = contexts_.try_emplace(latest_->key, latest_, latest_);
        if (!fresh) at->second.now = latest_;
    }
    latest_ = after;
    for (const std::string& id : change.conflicts_closed) {
        conflicts_.erase(id);
        if (durable_->conflicts.contains(id) && closed_conflicts_.insert(id).second)
            closed_durable_ += 1;
    }
    for (const Conflict& conflict : change.conflicts_opened)
        conflicts_.insert_or_assign(conflict.id, conflict);
}

}  // namespace dyad::core
