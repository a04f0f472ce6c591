// What is derived from a user's log, as documents: the state in `dyad_state`, from which a start is
// made, and what existing instances read of modes and responses. Contexts are the projector's
// (documents.hpp).
//
// `dyad_state` has one document for each context, mode and open conflict:
//
//     _id userId kind:"context"|"mode"|"conflict" name offset:int64 text
//     deleted:true      a context that is; text has what is left of it
//     gone:true         a mode that was forgotten, a conflict that was closed
//     expires:date      of a live context
//
// A document is only ever replaced by one of a later event, whoever writes it and however late:
// what has gone leaves its place until no event is left that could bring it back.
//
// Errors: the client's; storage_damaged.
// Threads: one at a time, a driver thread's.
#pragma once

#include "model/change.hpp"
#include "store/mongo/client.hpp"

#include <functional>
#include <string>

namespace dyad::mongo {

class UserLogs;

// Calls `take` with each event's offset and change, in their order.
Status for_each_change(const EventBatch& batch,
                       const std::function<Status(Offset, const Change&)>& take);

// A name of its own for each document, so that one index does it all.
std::string state_id(const std::string& user_id, std::string_view kind, std::string_view name);
// What others look for in a document of the state.
struct StateDates {
    bool deleted = false;
    std::optional<std::int64_t> expires_at_ms{};
};
StateDates dates_of(const Context& context);
// `id`: state_id(), or empty where it is told elsewhere. Without a text it keeps the place of what
// is gone.
Bson state_document(std::string_view id, const std::string& user_id, std::string_view kind,
                    const std::string& name, Offset offset, std::string_view text,
                    const StateDates& dates = {});

// Folds the state as it is stored into `state`.
Status read_state(Client& client, const std::string& user_id, State& state);

// Brings what is derived up to the log's end, or to beyond where it was when this was called.
Status bring_up(Client& client, UserLogs& logs, const std::string& user_id);

// Forgets what no event before `first_kept` can bring back.
Status drop_places(Client& client, const std::string& user_id, Offset first_kept);

}  // namespace dyad::mongo
