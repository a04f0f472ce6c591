// Who may hold a claim, and what may be written under one.
#include "base/limits.hpp"
#include "core/decide_parts.hpp"
#include "core/proven_time.hpp"

#include <algorithm>

namespace dyad::core {
namespace {

std::int64_t end_ms(const Claim& claim, const Decision& at) {
    return at.time == nullptr ? claim.expires_at_ms
                              : at.time->end_ms(claim.renewed_at_ms, claim.expires_at_ms);
}

// By the time that is proved: a clock that is ahead for a moment takes nothing from anybody.
bool is_over(const Claim& claim, const Decision& at) {
    return end_ms(claim, at) <= at.proven_ms;
}

Rejection claim_lost(std::string_view field, const std::string& resource, Token token,
                     const Claim* stored) {
    std::string why = std::string(field) + ": claim " + std::to_string(token) + " on \"" +
                      resource + "\" is over";
    if (stored != nullptr && stored->token != token)
        why +=
            "; \"" + stored->instance_id + "\" has it under token " + std::to_string(stored->token);
    Rejection rejection =
        reject(Errc::claim_lost, why + "; claim it again, and look at what is stored first");
    if (stored != nullptr) rejection.claim = std::make_shared<const Claim>(*stored);
    return rejection;
}

Rejection claimed_by_other(const Claim& claim, const Decision& at) {
    std::string holder = "\"" + claim.instance_id + "\"";
    if (!claim.session.empty()) holder += " (session \"" + claim.session + "\")";
    if (!claim.note.empty()) holder += ", \"" + claim.note + "\",";
    const std::int64_t left_ms = std::max<std::int64_t>(0, claim.expires_at_ms - at.now_ms);
    Rejection rejection =
        reject(Errc::claimed, "resource: " + holder + " holds it for " +
                                  std::to_string((left_ms + 999) / 1000) +
                                  " s yet, and may renew it; work on something else, or claim it "
                                  "when its end is told");
    rejection.claim = std::make_shared<const Claim>(claim);
    return rejection;
}

}  // namespace

Decided decide_claim(const View& view, const Command& command, const AcquireClaim& acquire,
                     const Decision& at) {
    const Claim* const stored = view.claim(acquire.resource);
    const bool own = stored != nullptr && stored->is_held_by(command.instance_id, acquire.session);
    if (stored != nullptr && !own && !is_over(*stored, at)) return claimed_by_other(*stored, at);
    if (stored == nullptr && view.claims() >= limits::claims_per_user_max)
        return reject(Errc::limit_reached, "claims: a user has at most " +
                                               std::to_string(limits::claims_per_user_max) +
                                               "; release some first");
    ClaimChange change;
    Claim& next = change.claim;
    if (own) {
        change.action = ClaimAction::renewed;
        next = *stored;
    } else {
        next.resource = acquire.resource;
        next.instance_id = command.instance_id;
        next.session = acquire.session;
        next.token = at.offset;
        next.granted_at_ms = at.now_ms;
    }
    next.renewed_at_ms = at.now_ms;
    next.expires_at_ms = std::max(next.expires_at_ms, at.now_ms + acquire.ttl_ms);
    if (acquire.note) next.note = *acquire.note;
    return Change(std::move(change));
}

Decided decide_claim(const View& view, const ReleaseClaim& release) {
    const Claim* const stored = view.claim(release.resource);
    if (stored == nullptr || stored->token != release.token)
        return claim_lost("token", release.resource, release.token, stored);
    return Change(ClaimChange{*stored, ClaimAction::released});
}

Decided decide_claim(const View& view, const ExpireClaim& expire, const Decision& at) {
    const Claim* const stored = view.claim(expire.resource);
    if (stored == nullptr || stored->token != expire.token || !is_over(*stored, at))
        return NoChange{nullptr, "null"};
    return Change(ClaimChange{*stored, ClaimAction::expired});
}

std::optional<Rejection> check_fence(const View& view, const Fence& fence, const Decision& at) {
    const Claim* const stored = view.claim(fence.resource);
    const bool live =
        stored != nullptr && stored->token == fence.token && at.now_ms < end_ms(*stored, at);
    if (live) return std::nullopt;
    return claim_lost("fence", fence.resource, fence.token, stored);
}

}  // namespace dyad::core
