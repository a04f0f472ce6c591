#include "model/change.hpp"

#include "base/check.hpp"
#include "base/limits.hpp"
#include "base/overloaded.hpp"
#include "model/json_text.hpp"

#include <algorithm>
#include <tuple>

namespace dyad {
namespace {

using json::Writer;

// Beside the context's own data.
constexpr std::size_t kContextChangeBytes = 416;
constexpr std::size_t kOtherChangeBytes = 768;

void write(Writer& out, const Change& change) {
    std::visit(Overloaded{[&](const ResponseChange& r) { write(out, r.record); },
                          [&](const McpChange& m) { out.raw(std::string_view(m.payload)); },
                          [&](const auto& other) { write(out, other); }},
               change);
}

// About how many bytes write() writes.
std::size_t expected_bytes(const Change& change) {
    const auto* context = std::get_if<ContextChange>(&change);
    return context != nullptr ? kContextChangeBytes + context->context->data.size()
                              : kOtherChangeBytes;
}

void append_scope(std::string& out, const Change& change) {
    std::visit(
        Overloaded{[&](const ContextChange& c) { out.append("ctx:").append(c.context->key); },
                   [&](const ModeChange& m) { out.append("mode:").append(m.state.instance_id); },
                   [&](const ResponseChange& r) {
                       out.append("response:").append(r.record.chat_id);
                       out.append("/").append(r.record.message_id);
                   },
                   [&](const McpChange& m) {
                       out.append(m.kind == EventKind::event_lost ? "lost" : "mcp");
                   },
                   [&](const ClaimChange& c) { out.append("claim:").append(c.claim.resource); }},
        change);
}

// `read` into a change, or whose event it was that is damaged.
template <class As, class Read>
Result<Change> decoded(const EventView& event, Read read) {
    auto content = read(event.data);
    if (content) return Change(As{*std::move(content)});
    return fail(Errc::storage_damaged,
                "event " + std::to_string(event.offset) + ": its content is not well formed");
}

// When a live context expires; nothing where it does not, and where there is none.
std::optional<std::int64_t> expiry_of(const Context* context) {
    return context != nullptr && !context->deleted ? context->expires_at_ms : std::nullopt;
}

void move_expiry(State& state, const std::string& key, std::optional<std::int64_t> from,
                 std::optional<std::int64_t> to) {
    if (from == to) return;
    if (!from) {
        state.expiries.emplace(*to, key);
        return;
    }
    const auto at = state.expiries.find(std::pair<std::int64_t, std::string_view>(*from, key));
    CHECK(at != state.expiries.end());
    if (!to) {
        state.expiries.erase(at);
        return;
    }
    auto entry = state.expiries.extract(at);
    entry.value().first = *to;
    state.expiries.insert(state.expiries.end(), std::move(entry));  // most are the latest now
}

// Of too many deleted contexts the one that went first is forgotten; but for the greatest version.
void forget_deletions(State& state) {
    while (state.deletions.size() > limits::deleted_contexts_per_user_max) {
        const auto at = state.contexts.find(state.deletions.begin()->second);
        state.forgotten_version = std::max(state.forgotten_version, at->second->version);
        state.contexts.erase(at);
        state.deletions.erase(state.deletions.begin());
    }
}

void fold_context(State& state, const ContextChange& change) {
    const Context& next = *change.context;
    ContextPtr& current = state.contexts.try_emplace(next.key).first->second;
    move_expiry(state, next.key, expiry_of(current.get()), expiry_of(&next));
    if (current != nullptr && !current->deleted) {
        state.live_contexts -= 1;
        state.live_bytes -= current->data.size();
    }
    if (!next.deleted) {
        state.live_contexts += 1;
        state.live_bytes += next.data.size();
    }
    if (current != nullptr && current->deleted) state.deletions.erase({current->offset, next.key});
    if (next.deleted) state.deletions.emplace(next.offset, next.key);
    current = change.context;
    for (const std::string& id : change.conflicts_closed)
        state.conflicts.erase(id);
    for (const Conflict& conflict : change.conflicts_opened)
        state.conflicts.insert_or_assign(conflict.id, conflict);
    forget_deletions(state);
}

void fold_claim(State& state, const ClaimChange& change) {
    const Claim& next = change.claim;
    const auto at = state.claims.find(next.resource);
    if (at != state.claims.end()) state.claim_ends.erase({at->second.expires_at_ms, next.resource});
    if (change.is_held()) {
        state.claim_ends.emplace(next.expires_at_ms, next.resource);
        state.claims.insert_or_assign(next.resource, next);
    } else if (at != state.claims.end()) {
        state.claims.erase(at);
    }
}

}  // namespace

EventKind kind_of(const Change& change) noexcept {
    return std::visit(Overloaded{[](const ContextChange&) { return EventKind::context_changed; },
                                 [](const ModeChange&) { return EventKind::mode_changed; },
                                 [](const ResponseChange&) { return EventKind::response_recorded; },
                                 [](const McpChange& mcp) { return mcp.kind; },
                                 [](const ClaimChange&) { return EventKind::claim_changed; }},
                      change);
}

std::string scope_of(const Change& change) {
    std::string scope;
    append_scope(scope, change);
    return scope;
}

std::string encode_change(const Change& change) {
    return json::written(expected_bytes(change), [&change](Writer& out) { write(out, change); });
}

void append_change(EventBatch& batch, LogHead& head, const Change& change, EventDraft draft) {
    thread_local std::string scope;
    scope.clear();
    append_scope(scope, change);
    draft.kind = kind_of(change);
    draft.scope = scope;
    append_event(batch, head, draft, expected_bytes(change),
                 [&change](Writer& out) { write(out, change); });
}

Result<Change> decode_change(const EventView& event) {
    switch (event.kind) {
        case EventKind::context_changed:
            return decoded<ContextChange>(event, read_context_change);
        case EventKind::mode_changed:
            return decoded<ModeChange>(event, read_mode_change);
        case EventKind::response_recorded:
            return decoded<ResponseChange>(event, read_response);
        case EventKind::claim_changed:
            return decoded<ClaimChange>(event, read_claim_change);
        case EventKind::mcp_tool_executed:
        case EventKind::mcp_server_added:
        case EventKind::mcp_server_removed:
        case EventKind::event_lost:
            break;
    }
    return Change(McpChange{event.kind, std::string(event.data)});
}

ContextPtr State::find(std::string_view key) const {
    const auto at = contexts.find(key);
    return at == contexts.end() ? nullptr : at->second;
}

void fold(State& state, const Change& change) {
    std::visit(Overloaded{[&](const ContextChange& c) { fold_context(state, c); },
                          [&](const ModeChange& m) {
                              for (const std::string& id : m.forgotten)
                                  state.modes.erase(id);
                              state.modes.insert_or_assign(m.state.instance_id, m.state);
                          },
                          [](const ResponseChange&) {}, [](const McpChange&) {},
                          [&](const ClaimChange& c) { fold_claim(state, c); }},
               change);
}

ResponseRecord merge_responses(const ResponseRecord& stored, const ResponseRecord& addition) {
    ResponseRecord merged = addition;
    for (const ResponseSource& old : stored.sources) {
        const bool newer = std::any_of(
            addition.sources.begin(), addition.sources.end(), [&](const ResponseSource& source) {
                return source.provider == old.provider && source.model == old.model &&
                       source.type == old.type;
            });
        if (!newer && merged.sources.size() < limits::response_sources_max)
            merged.sources.push_back(old);
    }
    std::sort(merged.sources.begin(), merged.sources.end(),
              [](const ResponseSource& a, const ResponseSource& b) {
                  return std::tie(a.timestamp_ms, a.provider, a.model, a.type) <
                         std::tie(b.timestamp_ms, b.provider, b.model, b.type);
              });
    if (!merged.local_provider) merged.local_provider = stored.local_provider;
    if (!merged.external_provider) merged.external_provider = stored.external_provider;
    if (!merged.harmonization_strategy)
        merged.harmonization_strategy = stored.harmonization_strategy;
    return merged;
}

}  // namespace dyad
