// The documents that existing instances read, field by field as they write them themselves, and
// back: what they wrote, as a context.
//
// Ours carry one member more, which nobody else writes:
//
//     dyad: { offset: int64          the event that made the document so
//             check: int64           hash64 of the BSON of all other members but _id, in order
//             updatedAt, version     of a context: as they stand above, so that a server can tell
//                                    for itself which documents others have written since
//             text }                 of transitions and responses: the exact JSON of the model
//
// Who sets fields in a document of ours leaves `dyad` behind, which then does not fit any more; who
// replaces one, or removes it and makes a new one, leaves no `dyad` at all.
//
// Errors of what is written: storage_damaged, where what is kept as JSON is none.
// Threads: pure.
#pragma once

#include "base/result.hpp"
#include "model/change.hpp"
#include "store/documents.hpp"
#include "store/mongo/bson/bson.hpp"

#include <cstdint>
#include <string_view>

namespace dyad::mongo {

// sync_events.eventData.
Result<Bson> event_data(const Change& change);
// Of distributed_context. Requires: it is not deleted. A deleted context has no document: existing
// instances know no other way to say so.
Result<Bson> context_document(std::string_view user_id, const Context& context);
// Of mode_state, and of mode_transitions for the event at `offset`.
Result<Bson> mode_document(std::string_view user_id, Offset offset, const ModeState& state);
Result<Bson> transition_document(std::string_view user_id, Offset offset, const ModeState& state);
// Of ai_response_sources: the final answer as the document's own fields, each contributing one in
// `sources`.
Result<Bson> response_document(std::string_view user_id, const ResponseRecord& record);

// Of what others see of the document.
std::uint64_t check_of(BsonView document);
// Whether all of that is as we wrote it.
bool is_ours(BsonView document);
// Of the event that made it so, or made it what others then changed; 0: it is none of ours.
Offset offset_of(BsonView document);
// Of all of it.
Fingerprint fingerprint_of(BsonView document);

// What stands in a document of distributed_context, whoever wrote it; its offset is 0. What is
// missing is as in a new context; what no client could have sent is taken for missing, but for the
// key and the data. Errors: missing_field, invalid_field, too_large, invalid_utf8 (it cannot be a
// context).
Result<Context> context_of(BsonView document);

}  // namespace dyad::mongo
