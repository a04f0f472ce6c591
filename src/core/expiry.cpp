#include "core/expiry.hpp"

#include "core/user_log.hpp"

namespace dyad::core {
namespace {

constexpr std::size_t kAtOnce = 64;

}  // namespace

void Expiry::expire() {
    if (!user_.ready() || !user_.writer().idle()) return;
    const ProvenTime& time = *user_.heart().time;
    std::vector<ContextPtr> due;
    for (const auto& [when, key] : user_.state().expiries) {
        if (when > time.destroy_ms() || due.size() == kAtOnce) break;
        ContextPtr context = user_.state().find(key);
        if (time.end_ms(context->updated_at_ms, when) <= time.destroy_ms())
            due.push_back(std::move(context));
    }
    for (const ContextPtr& context : due) {
        Pending pending;
        pending.command = std::make_unique<Command>();
        pending.command->instance_id = kServerInstance;
        // By the offset: a version can come again once a deletion is forgotten.
        pending.command->operation_id =
            "expire:" + std::to_string(context->offset) + ":" + context->key;
        pending.command->body = ExpireContext{context->key, context->version};
        pending.done = [](const Answer&) {};
        user_.writer().submit(std::move(pending));
    }
}

// What a slow clock dated ends later than it says: then the first one is searched for.
std::int64_t Expiry::next_ms() const {
    const State& state = user_.state();
    const ProvenTime& time = *user_.heart().time;
    std::int64_t next = INT64_MAX;
    if (!time.has_corrections())
        return state.expiries.empty() ? next : state.expiries.begin()->first;
    for (const auto& [when, key] : state.expiries) {
        if (when >= next) break;
        next = std::min(next, time.end_ms(state.find(key)->updated_at_ms, when));
    }
    return next;
}

}  // namespace dyad::core
