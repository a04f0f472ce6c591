// Who held what when, by the log alone.
#include "sim/checker.hpp"

namespace dyad::sim {
namespace {

constexpr std::int64_t kLateMs = 1'000;  // ticks, polls, and a commit

class Ledger {
  public:
    Ledger(std::string user_id, const History& history, Violations& out)
        : user_id_(std::move(user_id)), history_(history), out_(out) {}

    void take(const LogEntry& entry, const Operation* operation) {
        entry_ = &entry;
        at_ms_ = entry.event->entries.front().timestamp_ms;
        const auto* change = std::get_if<ClaimChange>(&entry.change);
        if (operation != nullptr && operation->command.fence)
            check_fence(*operation->command.fence);
        if (change == nullptr) return;
        const auto before = held_.find(change->claim.resource);
        const Claim* const old = before == held_.end() ? nullptr : &before->second.claim;
        if (change->action == ClaimAction::granted)
            check_grant(*change, old);
        else if (old == nullptr)
            say(*change, "of what nobody holds");
        else if (change->claim.token != old->token)
            say(*change, "of another claim than the one that is held");
        else if (change->action == ClaimAction::expired && at_ms_ < old->expires_at_ms)
            say(*change, "before its time");
        else if (change->action == ClaimAction::renewed)
            check_renewal(*change, *old);
        const bool lasts =
            change->action == ClaimAction::granted || change->action == ClaimAction::renewed;
        if (lasts && operation != nullptr) check_end(*change, old, operation->command.body);
        if (lasts)
            held_.insert_or_assign(change->claim.resource, Held{change->claim, &entry});
        else
            held_.erase(change->claim.resource);
    }

    void end() {
        if (!history_.clocks_are_right || history_.quiet_us == kNever) return;
        for (const auto& [resource, held] : held_) {
            const std::int64_t lasts_ms = held.claim.expires_at_ms - held.claim.renewed_at_ms;
            const std::int64_t over_us = held.since->journaled_us + (lasts_ms + kLateMs) * 1'000;
            if (over_us < history_.quiet_us)
                out_.push_back({17, user_id_ + ": the claim on " + resource + " of offset " +
                                        std::to_string(held.claim.token) +
                                        " is over, and still there at the end"});
        }
    }

  private:
    struct Held {
        Claim claim;
        const LogEntry* since;
    };

    void say(const ClaimChange& change, const std::string& what) {
        out_.push_back({17, user_id_ + ": offset " + std::to_string(entry_->event->first) + ", " +
                                change.claim.resource + " is " +
                                std::string(name_of(change.action)) + ", " + what});
    }
    void check_fence(const Fence& fence) {
        const auto at = held_.find(fence.resource);
        const bool held = at != held_.end() && at->second.claim.token == fence.token;
        // What a slow clock dated lasts longer than it says.
        const bool over = held && at_ms_ >= at->second.claim.expires_at_ms;
        if (held && (!over || !history_.clocks_are_right)) return;
        out_.push_back({17, user_id_ + ": offset " + std::to_string(entry_->event->first) +
                                " was written under claim " + std::to_string(fence.token) + " on " +
                                fence.resource + ", which is over"});
    }
    void check_grant(const ClaimChange& change, const Claim* old) {
        if (change.claim.token != entry_->event->first)
            say(change, "under a token that is not its offset");
        if (old == nullptr) return;
        if (at_ms_ < old->expires_at_ms) say(change, "while " + old->instance_id + " holds it");
        if (old->is_held_by(change.claim.instance_id, change.claim.session))
            say(change, "to who holds it already");
    }
    void check_renewal(const ClaimChange& change, const Claim& old) {
        if (!old.is_held_by(change.claim.instance_id, change.claim.session))
            say(change, "by somebody else");
        if (change.claim.expires_at_ms < old.expires_at_ms) say(change, "to an earlier end");
        if (change.claim.granted_at_ms != old.granted_at_ms) say(change, "as if granted anew");
    }
    void check_end(const ClaimChange& change, const Claim* old, const CommandBody& body) {
        const auto* acquire = std::get_if<AcquireClaim>(&body);
        if (acquire == nullptr) return;  // of the wrong command: point 1 says so
        std::int64_t end_ms = at_ms_ + acquire->ttl_ms;
        if (change.action == ClaimAction::renewed && old != nullptr)
            end_ms = std::max(end_ms, old->expires_at_ms);
        if (change.claim.expires_at_ms != end_ms)
            say(change, "for another time than was asked for");
    }

    const std::string user_id_;
    const History& history_;
    Violations& out_;
    const LogEntry* entry_ = nullptr;
    std::int64_t at_ms_ = 0;
    std::map<std::string, Held> held_;
};

}  // namespace

void check_claims(const Evidence& evidence, Violations& out) {
    for (const auto& [user_id, log] : evidence.final_logs) {
        Ledger ledger(user_id, evidence.history, out);
        for (const LogEntry* entry : log) {
            const Result<EventView> view = decode_event(entry->event->texts);
            if (!view) continue;
            const auto at = evidence.operations.find(
                {user_id, operation_key(view->source_instance_id, view->operation_id)});
            ledger.take(*entry, at == evidence.operations.end() ? nullptr : at->second);
        }
        ledger.end();
    }
}

}  // namespace dyad::sim
