// When things were destroyed, by the only clock that is always right: the simulation's own.
#include "sim/checker.hpp"

namespace dyad::sim {
namespace {

std::string ms(std::int64_t us) {
    return std::to_string(us / 1'000) + " ms";
}

// Default lives only: what a writer dates itself ends by the writer's clock.
bool has_default_life(const LogEntry* entry, const Lifetimes& lives) {
    if (entry == nullptr || lives.context_ttl_ms == 0) return false;
    const auto* change = std::get_if<ContextChange>(&entry->change);
    return change != nullptr && change->context->expires_at_ms && !change->context->expiry_fixed;
}

void check_contexts(const std::string& user_id, const std::vector<const LogEntry*>& log,
                    const History& history, Violations& out) {
    const Lifetimes& lives = history.lifetimes;
    std::map<std::string, const LogEntry*> newest;
    for (const LogEntry* entry : log) {
        const auto* change = std::get_if<ContextChange>(&entry->change);
        if (change == nullptr) continue;
        const LogEntry*& last = newest[change->context->key];
        if (change->action == ContextAction::expired && has_default_life(last, lives)) {
            const std::int64_t lived_us = entry->journaled_us - last->journaled_us;
            if (lived_us < (lives.context_ttl_ms - lives.early_ms) * 1'000)
                out.push_back({13, user_id + ": " + change->context->key + " expired after " +
                                       ms(lived_us) + " of " +
                                       std::to_string(lives.context_ttl_ms) + ", at offset " +
                                       std::to_string(entry->event->first)});
        }
        last = entry;
    }
    if (!lives.punctual || history.quiet_us == kNever) return;
    for (const auto& [key, last] : newest)
        if (has_default_life(last, lives) &&
            history.quiet_us - last->journaled_us > (lives.context_ttl_ms + lives.late_ms) * 1'000)
            out.push_back({13, user_id + ": " + key + " is still there after " +
                                   ms(history.quiet_us - last->journaled_us)});
}

}  // namespace

void check_lifetimes(const Evidence& evidence, Violations& out) {
    const History& history = evidence.history;
    const Lifetimes& lives = history.lifetimes;
    if (!lives.judged) return;
    for (const auto& [user_id, log] : evidence.final_logs) {
        check_contexts(user_id, log, history, out);
        for (const LogEntry* entry : log) {
            const bool kept = entry->expired_us == kNever;
            const std::int64_t lived_us =
                (kept ? history.quiet_us : entry->expired_us) - entry->journaled_us;
            const std::string what =
                user_id + ": the event at offset " + std::to_string(entry->event->first);
            if (!kept && lived_us < (lives.event_ttl_ms - lives.early_ms) * 1'000)
                out.push_back({13, what + " was destroyed after " + ms(lived_us)});
            if (kept && lives.punctual && history.quiet_us != kNever && entry != log.back() &&
                lived_us > (lives.event_ttl_ms + lives.late_ms) * 1'000)
                out.push_back({13, what + " is still there after " + ms(lived_us)});
        }
    }
}

}  // namespace dyad::sim
