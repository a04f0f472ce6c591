#include "core/expiry.hpp"

#include "core/user_log.hpp"

namespace dyad::core {
namespace {

constexpr std::size_t kAtOnce = 64;

// The earliest moment of `ends`, pairs of it and a name. What a slow clock dated ends later than it
// says: then the first one is searched for. `dated_ms(name)`: when that was dated.
template <class Ends, class Dated>
std::int64_t first_end_ms(const ProvenTime& time, const Ends& ends, Dated dated_ms) {
    std::int64_t next = INT64_MAX;
    if (!time.has_corrections()) return ends.empty() ? next : ends.begin()->first;
    for (const auto& [when, name] : ends) {
        if (when >= next) break;
        next = std::min(next, time.end_ms(dated_ms(name), when));
    }
    return next;
}

}  // namespace

void Expiry::expire() {
    if (!user_.ready() || !user_.writer().idle()) return;
    expire_contexts();
    expire_claims();
}

void Expiry::submit(const std::string& operation_id, CommandBody&& end) {
    Pending pending;
    pending.command = std::make_unique<Command>();
    pending.command->instance_id = kServerInstance;
    pending.command->operation_id = operation_id;
    pending.command->body = std::move(end);
    pending.done = [](const Answer&) {};
    user_.writer().submit(std::move(pending));
}

void Expiry::expire_contexts() {
    const ProvenTime& time = *user_.heart().time;
    std::vector<ContextPtr> due;
    for (const auto& [when, key] : user_.state().expiries) {
        if (when > time.destroy_ms() || due.size() == kAtOnce) break;
        ContextPtr context = user_.state().find(key);
        if (time.end_ms(context->updated_at_ms, when) <= time.destroy_ms())
            due.push_back(std::move(context));
    }
    // By the offset: a version can come again once a deletion is forgotten.
    for (const ContextPtr& context : due)
        submit("expire:" + std::to_string(context->offset) + ":" + context->key,
               ExpireContext{context->key, context->version});
}

void Expiry::expire_claims() {
    const State& state = user_.state();
    const ProvenTime& time = *user_.heart().time;
    std::vector<const Claim*> due;
    for (const auto& [when, resource] : state.claim_ends) {
        if (when > time.destroy_ms() || due.size() == kAtOnce) break;
        const Claim& claim = state.claims.find(resource)->second;
        if (time.end_ms(claim.renewed_at_ms, when) <= time.destroy_ms()) due.push_back(&claim);
    }
    for (const Claim* const claim : due)
        submit("claim-end:" + std::to_string(claim->token),
               ExpireClaim{claim->resource, claim->token});
}

std::int64_t Expiry::next_ms() const {
    const State& state = user_.state();
    const ProvenTime& time = *user_.heart().time;
    return std::min(
        first_end_ms(time, state.expiries,
                     [&](const std::string& key) { return state.find(key)->updated_at_ms; }),
        first_end_ms(time, state.claim_ends, [&](const std::string& resource) {
            return state.claims.find(resource)->second.renewed_at_ms;
        }));
}

}  // namespace dyad::core
