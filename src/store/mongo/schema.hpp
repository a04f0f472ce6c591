// What a database must be like before anything is kept in it: a server that waits for its journal,
// the indexes of existing instances exactly as they make them, ours beside them, and the store's
// own word of who it is.
//
// Threads: one at a time.
#pragma once

#include "base/clock.hpp"
#include "store/mongo/client.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace dyad::mongo {

// A server as it introduces itself.
struct Deployment {
    bool replica_set = false;  // or a router of several
    std::string version;
    std::int64_t clock_offset_ms = 0;  // what to add to our clock for its own
    std::int64_t latency_us = 0;
};
// One round trip. Errors: the client's; storage_unavailable where it is no primary; storage_newer
// where it is older than 4.4.
Result<Deployment> greet(Client& client, Clock& clock);

// The store's own word, made by whoever comes first.
struct Identity {
    std::uint64_t seed = 0;  // of epochs
    std::string secret;      // by which its nodes know each other, 32 bytes
};
// `seed`: for a new store, where it is not 0. Errors: the client's; storage_newer; storage_damaged.
Result<Identity> identify(Client& client, Random& random, std::uint64_t seed = 0);

// Whether the database is still this store, with the indexes that decide every race. Who replaces a
// database under a running server takes both away for a while. Errors: the client's.
Result<bool> still_stands(Client& client, const Identity& identity);

// Before a log is written into a database by something else than a server, and after it: until then
// no server takes it for a store.
Status begin_move(Client& client, const Identity& identity);
Status end_move(Client& client);
// A move into it was begun and not ended. Errors: the client's.
Result<bool> is_moving(Client& client);

// Those of a collection, as listIndexes shows them.
Bson index_list(std::string_view collection);
// Makes the indexes that are missing. Errors: the client's; invalid_field where one exists with
// other options, with the remedy.
Status make_indexes(Client& client);

// Which of the indexes are there, as "collection.index"; makes none. Errors: the client's.
struct IndexReport {
    std::size_t good = 0;
    std::vector<std::string> missing;
    std::vector<std::string> other;  // there, with other options
};
Result<IndexReport> look_at_indexes(Client& client);

}  // namespace dyad::mongo
