// What a client may ask for, typed. A command carries the client's operation id: sent again, it is
// answered from the log and not applied again.
#pragma once

#include "model/claim.hpp"
#include "model/context.hpp"
#include "model/event.hpp"
#include "model/mode.hpp"
#include "model/response.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace dyad {

struct PutContext {
    std::string key;
    std::string data;  // canonical JSON of an object
    MergeStrategy strategy = MergeStrategy::replace;
    bool force = false;  // replace whatever is stored
    std::optional<ContextType> type;
    std::optional<std::vector<std::string>> tags;
    // When it expires; outer absent: the default of the server, or unchanged; inner absent: never.
    std::optional<std::optional<std::int64_t>> expires_at_ms;
    // The same, counted from the event; 0: never.
    std::optional<std::int64_t> ttl_days;
    // Filled by the heart: the data at the expected version, where a three-way merge needs it.
    std::optional<std::optional<std::string>> base_data;
};
struct MergePatchContext {  // RFC 7396
    std::string key;
    std::string patch;  // canonical JSON
};
struct JsonPatchContext {  // RFC 6902
    std::string key;
    std::string patch;  // canonical JSON
};
struct DeleteContext {
    std::string key;
};
struct RestoreContext {
    std::string key;
    Version version = 0;
    ContextPtr snapshot;  // filled by the heart: the context at `version`
};
struct ResolveConflict {
    enum class Choice : std::uint8_t { stored, incoming, value };
    std::string conflict_id;
    Choice choice = Choice::stored;
    std::optional<std::string> value;  // canonical JSON, with Choice::value
};
template <>
inline constexpr std::array<std::string_view, 3> kNamesOf<ResolveConflict::Choice> = {
    "stored", "incoming", "value"};
struct SetMode {
    Mode mode = Mode::inspired;
    std::optional<std::string> instance_id;       // whose mode; absent: the sender's
    std::optional<std::string> configuration;     // canonical JSON
    std::optional<std::string> context_snapshot;  // canonical JSON
    std::int64_t transition_duration_ms = 0;
    bool success = true;
    std::optional<std::string> error_message;
};
struct RecordResponse {
    ResponseRecord record;
};
struct AnnounceMcp {
    EventKind kind = EventKind::mcp_tool_executed;
    std::string payload;  // canonical JSON
};
struct ExpireContext {  // the server's own
    std::string key;
    Version version = 0;
};
struct AdoptContext {     // the same: what somebody wrote beside the log
    ContextPtr document;  // as it stands, with its writer's version
};
struct AcquireClaim {
    std::string resource;
    std::int64_t ttl_ms = 0;          // from the event on
    std::optional<std::string> note;  // absent: as it was, where it is renewed
    std::string session;
};
struct ReleaseClaim {
    std::string resource;
    Token token = 0;
};
struct ExpireClaim {  // the server's own
    std::string resource;
    Token token = 0;
};

using CommandBody =
    std::variant<PutContext, MergePatchContext, JsonPatchContext, DeleteContext, RestoreContext,
                 ResolveConflict, SetMode, RecordResponse, AnnounceMcp, ExpireContext, AdoptContext,
                 AcquireClaim, ReleaseClaim, ExpireClaim>;

// Who writes what the server does by itself.
inline constexpr std::string_view kServerInstance = "dyad-server";
// Who wrote what was adopted.
inline constexpr std::string_view kForeignInstance = "foreign";

// Versions that a condition names.
struct VersionSet {
    bool any = false;  // whatever is stored
    std::vector<Version> versions;

    // 0: nothing is stored.
    bool holds(Version stored) const noexcept;
};

// If-Match and If-None-Match of a request (RFC 9110 section 13.1): tested before all else, whatever
// the strategy and `force`.
struct Conditions {
    std::optional<VersionSet> match;       // what is stored must be one of these
    std::optional<VersionSet> none_match;  // and none of these

    bool present() const noexcept { return match || none_match; }
    bool hold(Version stored) const noexcept {
        return (!match || match->holds(stored)) && (!none_match || !none_match->holds(stored));
    }
    // They hold only for versions that they name: whoever set them knows what is stored.
    bool exact() const noexcept { return match && !match->any; }
};

struct Command {
    std::string instance_id;
    std::string operation_id;
    std::string via;  // the instance whose connection it came through, where that is another one
    std::optional<Version> expected_version;  // of the context or the mode; 0: must not exist
    Conditions conditions;
    std::optional<Provenance> provenance;  // of what it writes into a context
    std::optional<Fence> fence;            // the claim that it is made under
    CommandBody body;
    bool brief = false;  // the reply's result is not wanted, and not made

    // About how much memory it takes.
    std::size_t bytes() const;
    // Equal for equal commands: exposes an operation id used for something else.
    std::uint64_t fingerprint() const;
};

// The instance whose mode a SetMode sets. Requires: it is one.
const std::string& mode_owner(const Command& command);
// It asks for inspired mode. An attempt that failed asks for nothing.
bool asks_for_privacy(const Command& command) noexcept;

// Checks every field against base/limits.def. Errors: missing_field, invalid_field, too_large,
// naming the field as it is called on the wire.
Status validate(const Command& command);
// The same but for who says it: of commands of the server's own.
Status validate_content(const Command& command);

// The answer to a command that is in the log; a pure function of its event, so that a repeated
// command gets the same one.
struct Reply {
    Position position;  // of the event
    bool duplicate = false;
    EventKind kind = EventKind::context_changed;
    // Empty for a brief command:
    std::string operation_id;
    // Canonical JSON of the result:
    // {"action":"…","conflicts":[…],"context":{…},"previousVersion":N} or {"mode":{…}} or
    // {"response":{…}} or
    // {"mcp":{…}} or {"action":"…","claim":{…}}; "ignored": true and "incoming" for "action" and
    // "previousVersion" where `ignore` kept what is stored.
    std::string result;
    Version version = 0;  // of the context or the mode; 0 where it has none
};

// An error that a command got; where the version did not match, what is stored.
struct Rejection {
    Error error;
    ContextPtr current{};        // with version_conflict
    std::string operation_id{};  // of the command; set where it is answered
    ClaimPtr claim{};            // with claimed: the one that stands
};

}  // namespace dyad
