// What an event does to the state: its `data`, typed. encode/decode are inverse, and fold is the
// one place where state comes from: recovery, commit and projections all use it.
#pragma once

#include "base/result.hpp"
#include "model/claim.hpp"
#include "model/context.hpp"
#include "model/event.hpp"
#include "model/mode.hpp"
#include "model/response.hpp"

#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace dyad {

struct ContextChange {
    ContextPtr context;
    ContextAction action = ContextAction::updated;
    MergeStrategy strategy = MergeStrategy::replace;
    Version previous_version = 0;
    std::vector<Conflict> conflicts_opened;
    std::vector<std::string> conflicts_closed;  // ids
};

struct ModeChange {
    ModeState state;
    std::vector<std::string> forgotten{};  // instances that made room for this one
};

struct ResponseChange {
    ResponseRecord record;
};

// Also of event_lost: neither has a part in the state.
struct McpChange {
    EventKind kind = EventKind::mcp_tool_executed;
    std::string payload;  // canonical JSON
};

struct ClaimChange {
    Claim claim;  // as it is after it, or was when it ended
    ClaimAction action = ClaimAction::granted;

    bool is_held() const noexcept {
        return action == ClaimAction::granted || action == ClaimAction::renewed;
    }
    // The claim as it is after it; nothing where it is over.
    std::optional<Claim> held() const { return is_held() ? std::optional(claim) : std::nullopt; }
};

using Change = std::variant<ContextChange, ModeChange, ResponseChange, McpChange, ClaimChange>;

EventKind kind_of(const Change& change) noexcept;
// "ctx:<key>", "mode:<instanceId>", "response:<chat>/<message>", "mcp", "lost", "claim:<resource>".
std::string scope_of(const Change& change);
// Canonical JSON.
std::string encode_change(const Change& change);
// append_event() of a change, which is written where it stays. The kind, the scope and the data are
// those of the change, whatever `draft` says.
void append_change(EventBatch& batch, LogHead& head, const Change& change, EventDraft draft);
// Errors: storage_damaged.
Result<Change> decode_change(const EventView& event);

// The canonical JSON of single documents, as they stand inside events, snapshots and REST answers.
void write_context(std::string& out, const Context& context);
void write_mode(std::string& out, const ModeState& state);
void write_response(std::string& out, const ResponseRecord& record);
void write_conflict(std::string& out, const Conflict& conflict);
void write_claim(std::string& out, const Claim& claim);
// The same amid a text that is being written.
void write(json::Writer& out, const Context& context);
void write(json::Writer& out, const ModeState& state);
void write(json::Writer& out, const ResponseRecord& record);
void write(json::Writer& out, const Conflict& conflict);
void write(json::Writer& out, const Claim& claim);
Result<Context> read_context(std::string_view text);
Result<ModeState> read_mode(std::string_view text);
Result<ResponseRecord> read_response(std::string_view text);
Result<Conflict> read_conflict(std::string_view text);
Result<Claim> read_claim(std::string_view text);
// What an event's data is; of a mode, its document with `forgotten` in it where somebody was.
void write(json::Writer& out, const ContextChange& change);
void write(json::Writer& out, const ModeChange& change);
void write(json::Writer& out, const ClaimChange& change);
Result<ContextChange> read_context_change(std::string_view text);
Result<ModeChange> read_mode_change(std::string_view text);
Result<ClaimChange> read_claim_change(std::string_view text);

// By the moment, then by the key; looks up a key that is a view, too.
struct ByTime {
    using is_transparent = void;
    bool operator()(const auto& a, const auto& b) const noexcept {
        return a.first != b.first ? a.first < b.first
                                  : std::string_view(a.second) < std::string_view(b.second);
    }
};

// One user's memory at one offset. Responses and MCP events live in the log and the projections,
// not here: no decision depends on them.
struct State {
    // Deleted ones too, for their version: the last deleted_contexts_per_user_max of them.
    std::map<std::string, ContextPtr, std::less<>> contexts;
    std::set<std::pair<Offset, std::string>> deletions;  // (offset, key) of the deleted ones
    Version forgotten_version = 0;                       // the greatest of those that are forgotten
    std::map<std::string, ModeState, std::less<>> modes;     // by instance id
    std::map<std::string, Conflict, std::less<>> conflicts;  // open ones, by id
    std::set<std::pair<std::int64_t, std::string>, ByTime>
        expiries;                                      // (when, key) of live contexts
    std::map<std::string, Claim, std::less<>> claims;  // by resource
    std::set<std::pair<std::int64_t, std::string>, ByTime> claim_ends;  // (when, resource)
    std::size_t live_contexts = 0;
    std::size_t live_bytes = 0;  // of the data of live contexts

    // The context, deleted or not; null where it never existed.
    ContextPtr find(std::string_view key) const;
};

// The state after `change`.
void fold(State& state, const Change& change);

}  // namespace dyad
