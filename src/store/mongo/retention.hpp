// What goes when events are over: their content, their hashes and their place. Their operations
// stay known, the newest of each instance (base/limits.def), in the same index as before.
//
// Errors: the client's; storage_damaged.
// Threads: one at a time, a driver thread's.
#pragma once

#include "store/mongo/user_logs.hpp"

#include <string>
#include <vector>

namespace dyad::mongo {

// Users with events that may be older than `before_ms`, as far as `dyad_heads` says.
Result<std::vector<std::string>> users_due(Client& client, std::int64_t before_ms);

// Drops the events of one user that are older, and answers how many. Everything that is derived
// from them was brought up first.
Result<std::size_t> expire_user(Client& client, UserLogs& logs, const std::string& user_id,
                                std::int64_t before_ms);

}  // namespace dyad::mongo
