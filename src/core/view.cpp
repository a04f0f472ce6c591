#include "core/view.hpp"

namespace dyad::core {
namespace {

ContextPtr live(ContextPtr context) {
    return context && !context->deleted ? context : nullptr;
}

}  // namespace

ContextPtr View::context(std::string_view key) const {
    if (ContextPtr touched = over_.find(key)) return touched;
    return durable_->find(key);
}

const ModeState* View::mode(std::string_view instance_id) const {
    for (const State* state : {&over_, durable_}) {
        const auto at = state->modes.find(instance_id);
        if (at != state->modes.end()) return &at->second;
    }
    return nullptr;
}

const Conflict* View::conflict(std::string_view id) const {
    if (closed_conflicts_.contains(id)) return nullptr;
    for (const State* state : {&over_, durable_}) {
        const auto at = state->conflicts.find(id);
        if (at != state->conflicts.end()) return &at->second;
    }
    return nullptr;
}

std::vector<std::string> View::conflicts_of(std::string_view key) const {
    std::vector<std::string> ids;
    for (const State* state : {durable_, &over_})
        for (const auto& [id, conflict] : state->conflicts)
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
    return durable_->conflicts.size() + over_.conflicts.size() - closed_durable_;
}
std::size_t View::instances() const noexcept {
    return durable_->modes.size() + new_instances_;
}

void View::add(const Change& change) {
    if (const auto* context = std::get_if<ContextChange>(&change)) {
        const ContextPtr before = live(this->context(context->context->key));
        const ContextPtr after = live(context->context);
        live_contexts_delta_ += (after ? 1 : 0) - (before ? 1 : 0);
        live_bytes_delta_ += static_cast<std::int64_t>(after ? after->data.size() : 0) -
                             static_cast<std::int64_t>(before ? before->data.size() : 0);
        for (const std::string& id : context->conflicts_closed)
            if (durable_->conflicts.contains(id) && closed_conflicts_.insert(id).second)
                closed_durable_ += 1;
    } else if (const auto* mode = std::get_if<ModeChange>(&change)) {
        if (this->mode(mode->state.instance_id) == nullptr) new_instances_ += 1;
    }
    fold(over_, change);
}

}  // namespace dyad::core
