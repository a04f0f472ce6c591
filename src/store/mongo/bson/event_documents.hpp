// An event as a document of `sync_events`: the fields that existing instances know, and ours.
//
//     userId sourceInstanceId eventType eventData targetInstances processedBy priority timestamp
//     offset:int64 epoch:int64 operationId kind scope version:int64 (of a context's event)
//     text                            the event's exact text (model/event.hpp)
//     prev hash contentHash salt      binary
//     fingerprint:int64               bits of an unsigned number, as epoch
//
// An event that has expired keeps userId, sourceInstanceId, operationId, `expired: true` and the
// negative of its offset: its operation stays known by the same index (retention.hpp).
#pragma once

#include "model/change.hpp"
#include "model/event.hpp"
#include "store/mongo/bson/bson.hpp"

#include <string>

namespace dyad::mongo {

// The document of the event at `offset` of `batch`, which is `change`.
// Requires: first <= offset <= last().
Bson event_document(const std::string& user_id, const EventBatch& batch, Offset offset,
                    const Change& change);

// Appends the event that a document holds to `batch`; its first one says where the batch begins.
// Errors: storage_damaged where it is none, or does not follow what the batch has.
Status add_event(EventBatch& batch, BsonView document);

// The end of a log, as the document of its last event has it. Errors: storage_damaged.
Result<LogHead> head_in(BsonView document);
// What head_in() reads.
Bson head_document(const LogHead& head);
// What head_in() needs.
Bson head_fields();

// Unsigned numbers as BSON has them: the same bits.
inline std::int64_t signed_bits(std::uint64_t value) noexcept {
    return static_cast<std::int64_t>(value);
}

}  // namespace dyad::mongo
