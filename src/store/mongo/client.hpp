// Questions and orders to the database, as commands of its protocol, each one round trip (a find
// of more than a page takes one for each page).
//
// Writes wait for the journal; on a replica set, for that of a majority. Reads are of the primary,
// and there of what a majority has. Nothing is ever sent twice: the driver's retries are off.
//
// Errors of all: storage_unavailable ("MongoDB not connected: …": not sent, or certainly without
// effect; a read that broke off), outcome_unknown (a write that may yet have been, or be, applied),
// storage_full, storage_newer (the driver and the server have no version in common), internal (the
// server refuses the command: its code and words).
//
// Threads: one at a time; a Client is one connection of the pool, held by a driver thread.
#pragma once

#include "base/result.hpp"
#include "store/mongo/bson/bson.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <mongoc/mongoc.h>

namespace dyad::mongo {

inline constexpr std::string_view kEvents = "sync_events";
inline constexpr std::string_view kContexts = "distributed_context";
inline constexpr std::string_view kModes = "mode_state";
inline constexpr std::string_view kTransitions = "mode_transitions";
inline constexpr std::string_view kResponses = "ai_response_sources";
inline constexpr std::string_view kState = "dyad_state";
inline constexpr std::string_view kHeads = "dyad_heads";
inline constexpr std::string_view kMeta = "dyad_meta";

inline constexpr std::int32_t kDuplicateKey = 11000;

struct FindOptions {
    Bson sort{};
    Bson fields{};           // empty: all
    std::int64_t limit = 0;  // 0: none
};

struct Update {
    Bson filter;
    Bson change;  // operators, or a whole document to put in its place
    bool upsert = false;
    bool all = false;  // of the documents that match, instead of the first
};

// What became of the writes of a command.
struct Written {
    struct Failure {
        std::size_t index = 0;  // of the write
        std::int32_t code = 0;
        std::string text;
        std::vector<std::string> key;  // of a duplicate key: the members of its index
        // A duplicate key of an index with this member.
        bool of_index(std::string_view member) const;
    };
    std::int64_t count = 0;               // documents inserted, matched or upserted, or removed
    std::int64_t modified = 0;            // documents that are other ones now
    std::vector<std::size_t> inserted{};  // the updates that found nothing and inserted
    std::vector<Failure> failures{};      // an ordered command has one at most, and stops there
};
// Why a write was certainly not done.
Error error_of(const Written::Failure& failure);

class Client {
  public:
    using Time = std::chrono::steady_clock::time_point;

    // Lifetime: `client` is the pool's, for as long as this; so is `stop_by`, after which nothing
    // new is asked (Errc::draining).
    Client(mongoc_client_t* client, std::string database, bool replica_set,
           const std::atomic<Time>* stop_by = nullptr)
        : client_(client),
          database_(std::move(database)),
          replica_set_(replica_set),
          stop_by_(stop_by) {}

    mongoc_client_t* driver() noexcept { return client_; }
    const std::string& database() const noexcept { return database_; }
    bool replica_set() const noexcept { return replica_set_; }

    // Any command, on this database or another, as it stands; its reply.
    Result<Bson> run(const Bson& command, std::string_view database = {});

    Result<std::vector<Bson>> find(std::string_view collection, const Bson& filter,
                                   const FindOptions& options = {});
    // The first, in the order of `options`.
    Result<std::optional<Bson>> find_one(std::string_view collection, const Bson& filter,
                                         FindOptions options = {});
    // Calls `take` with each until it says false.
    Status each(std::string_view collection, const Bson& filter, const FindOptions& options,
                const std::function<bool(BsonView)>& take);

    // In order, up to the first failure.
    Result<Written> insert(std::string_view collection, std::span<const Bson> documents);
    // Each for itself.
    Result<Written> update(std::string_view collection, std::span<const Update> updates);
    Result<Written> remove(std::string_view collection, const Bson& filter, bool only_one = false);
    // Of each filter the first that matches.
    Result<Written> remove(std::string_view collection, std::span<const Bson> filters);

  private:
    Bson concern() const;
    Status may_ask() const;
    Result<Written> write(std::string_view verb, Bson& command);

    mongoc_client_t* client_;
    std::string database_;
    bool replica_set_;
    const std::atomic<Time>* stop_by_;
};

}  // namespace dyad::mongo
