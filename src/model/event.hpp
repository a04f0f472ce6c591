// The event: one entry of a user's log; its hash chain; and the batch, in which events travel from
// the heart to the store and to every client.
//
// An event's text is one JSON object with its members in this order and no white space:
//
//     {"offset":N,"hash":"<16 hex>","timestamp":MS,"eventType":"…","kind":"…","scope":"…",
//      "sourceInstanceId":"…","operationId":"…","data":{…}}
//
// It is what negotiated clients receive and what the log keeps, so delivery and replay copy
// nothing. `data` is canonical JSON: the state after the event (change.hpp).
//
//     content_hash = SHA-256(salt | data)
//     hash         = SHA-256(prev_hash | epoch | offset | timestamp | lengths and bytes of kind,
//                            scope, sourceInstanceId, operationId | content_hash)
//     prev_hash of the first event = SHA-256("dyad-log-1" | user id | epoch)
//
// (integers as 8 bytes, little-endian). The salt lets a content be erased while the chain stays
// verifiable.
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "model/names.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dyad {

namespace json {
class Writer;
}

using Offset = std::uint64_t;  // 1, 2, 3 … within a user's log, no holes
using Epoch = std::uint64_t;   // of a log, which it tells from others; never 0

// The finer kind of an event. The five legal eventType values of wire.md 1.4 are derived from it.
enum class EventKind : std::uint8_t {
    context_changed,
    mode_changed,
    response_recorded,
    mcp_tool_executed,
    mcp_server_added,
    mcp_server_removed,
    event_lost,  // its place is kept; what stood there could not be saved (salvage)
    claim_changed,
};
template <>
inline constexpr std::array<std::string_view, 8> kNamesOf<EventKind> = {
    "context-changed",  "mode-changed",       "response-recorded", "mcp-tool-executed",
    "mcp-server-added", "mcp-server-removed", "event-lost",        "claim-changed"};
// Kinds that the five legal values do not have travel as config-updated.
constexpr std::string_view event_type_name(EventKind kind) noexcept {
    constexpr std::string_view kTypes[] = {"context-updated", "mode-changed", "response-generated",
                                           "mcp-tool-executed", "config-updated"};
    return kTypes[std::min(static_cast<std::size_t>(kind), std::size(kTypes) - 1)];
}

// Where a client or a node is in a log. The hash exposes a restored backup.
struct Position {
    Epoch epoch = 0;
    Offset offset = 0;
    std::array<std::uint8_t, 8> hash{};  // first bytes of the hash of the event at `offset`

    bool operator==(const Position&) const = default;
    // "<16 hex epoch>.<offset>.<16 hex hash>": the resume token, Last-Event-ID.
    std::string to_string() const;
    static Result<Position> parse(std::string_view text);
};

// The end of a log, as far as somebody has read or written it.
struct LogHead {
    Epoch epoch = 0;
    Offset offset = 0;
    Hash hash{};  // of the event at `offset`; the log's first prev_hash where offset is 0
    std::int64_t timestamp_ms = 0;

    Position position() const noexcept;
};

// The prev_hash of a log's first event.
Hash genesis_hash(std::string_view user_id, Epoch epoch);
// Where a user's log begins in a store with this seed, which is random and the store's own.
LogHead first_head(std::string_view user_id, std::uint64_t store_seed);

// One event, as views into a text that outlives it.
struct EventView {
    Offset offset = 0;
    std::int64_t timestamp_ms = 0;
    EventKind kind = EventKind::context_changed;
    std::string_view text;  // the whole JSON object
    std::string_view data;
    // Unescaped:
    std::string scope;
    std::string source_instance_id;
    std::string operation_id;
};

// What an event says beside its change.
struct EventOrigin {
    Offset offset = 0;
    Hash hash{};
    std::int64_t timestamp_ms = 0;
    std::string_view source_instance_id;
};

// Takes an event's text apart. Errors: storage_damaged where it is not of the form above.
Result<EventView> decode_event(std::string_view text);
// The same, into an event that many are read into, one after the other.
Status decode_event(std::string_view text, EventView& event);

// What is kept of each event beside its text.
struct EventEntry {
    std::int64_t timestamp_ms = 0;
    Salt salt{};
    Hash content_hash{};
    Hash hash{};
    std::uint64_t operation_key = 0;  // operation_key() of its instance and operation id
    std::uint64_t fingerprint = 0;    // of the command: exposes a reused operation id
    std::uint64_t scope_key = 0;      // hash64 of its scope
    std::uint32_t text_end = 0;       // end of its text in EventBatch::texts
};

// hash64 over the pair; equal keys are compared in full before anything is decided by them.
std::uint64_t operation_key(std::string_view instance_id, std::string_view operation_id) noexcept;

// Consecutive events of one user, immutable once shared.
struct EventBatch {
    Epoch epoch = 0;
    Offset first = 1;
    Hash prev_hash{};
    std::string texts;  // the events' texts, with a comma between two
    std::vector<EventEntry> entries;

    bool empty() const noexcept { return entries.empty(); }
    std::size_t size() const noexcept { return entries.size(); }
    Offset last() const noexcept { return first + entries.size() - 1; }
    // Requires: first <= offset <= last().
    const EventEntry& entry(Offset offset) const { return entries[offset - first]; }
    std::string_view text(Offset offset) const;
    // The texts of [from, to], commas between them.
    std::string_view text_range(Offset from, Offset to) const;
    LogHead head() const;  // after its last event. Requires: !empty().
};
using EventBatchPtr = std::shared_ptr<const EventBatch>;

// What an event consists of before it has its place.
struct EventDraft {
    EventKind kind = EventKind::context_changed;
    std::string_view scope;
    std::string_view source_instance_id;
    std::string_view operation_id;
    std::string_view data;  // canonical JSON
    std::uint64_t fingerprint = 0;
    std::int64_t timestamp_ms = 0;  // not before the previous event's
    Salt salt{};
};

// The draft of the same event again. Its texts are the view's.
EventDraft draft_of(const EventView& event, std::uint64_t fingerprint, const Salt& salt);

// Appends the event that follows `head` to `batch` and moves `head` on to it. Requires:
// draft.timestamp_ms >= head.timestamp_ms; an empty batch, or one that ends at `head`.
void append_event(EventBatch& batch, LogHead& head, const EventDraft& draft);
// The same for data that is not a text yet: `write_data` writes it, about `data_bytes`, where it
// stays. draft.data is not looked at.
void append_event(EventBatch& batch, LogHead& head, const EventDraft& draft, std::size_t data_bytes,
                  const std::function<void(json::Writer&)>& write_data);

// The events of `batch` from `from` on. Requires: first <= from <= last().
EventBatch batch_from(const EventBatch& batch, Offset from);
// Its events up to `last`. Requires: first <= last <= last().
EventBatch batch_up_to(const EventBatch& batch, Offset last);

// Recomputes every hash from the texts. Errors: storage_damaged, with the offset.
Status verify_batch(const EventBatch& batch);

// The stored form of a batch (journal, segments, bus): a fixed header, the entries, the texts.
//
//     batch := "DB01" epoch:u64 first:u64 prev_hash:32 count:u32 texts_bytes:u32 entry*count texts
//     entry := timestamp:i64 salt:16 content_hash:32 hash:32 operation_key:u64 fingerprint:u64
//              scope_key:u64 text_end:u32
//
inline constexpr std::size_t kBatchHeaderBytes = 4 + 8 + 8 + 32 + 4 + 4;
inline constexpr std::size_t kBatchEntryBytes = 8 + 16 + 32 + 32 + 8 + 8 + 8 + 4;
// Errors of decode: storage_damaged. Decoding does not verify the hashes.
std::string encode_batch(const EventBatch& batch);
void encode_batch(const EventBatch& batch, std::string& out);
Result<EventBatch> decode_batch(std::string_view bytes);
// Its events from `from` on, until they have `texts_max` bytes of text; at least one. Empty where
// it ends before. Looks at no other event.
Result<EventBatch> decode_from(std::string_view bytes, Offset from, std::size_t texts_max);
// Takes an entry off the front of `bytes`. Requires: at least kBatchEntryBytes are there.
EventEntry take_entry(std::string_view& bytes);

}  // namespace dyad
