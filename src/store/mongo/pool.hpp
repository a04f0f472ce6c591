// The driver's pool of connections, as the settings of a store make it.
#pragma once

#include "base/result.hpp"
#include "store/mongo/shared.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <mongoc/mongoc.h>

namespace dyad::mongo {

struct MongoOptions {
    std::string url = "mongodb://localhost:27017";
    std::string database = "dyad_distributed";
    std::size_t pool_max = 10;            // connections that work; the keeper has another one
    std::size_t pool_min = 2;             // of them opened at once
    bool tls = false;                     // where the URL does not say it
    std::string ca_file;                  // of the authorities to trust beside the system's
    std::uint64_t seed = 0;               // of a new store's epochs; 0: random
    std::size_t requests_max = 65536;     // without an answer
    std::int64_t project_after_ms = 200;  // after a commit, and later where that takes long
    std::int64_t ping_ms = 2000;
    std::int64_t retry_max_ms = 2000;  // between two looks for a server
};

// Threads: any.
class Pool {
  public:
    // `heads`: who hears of new primaries; null: nobody. Lifetime: it outlives the pool.
    // Errors: invalid_field.
    static Result<std::unique_ptr<Pool>> make(const MongoOptions& options, KnownHeads* heads);

    // A connection, for as long as a thread has it. Lifetime: within the pool's.
    class Held {
      public:
        explicit Held(const Pool& pool)
            : pool_(pool.clients_.get()), client_(mongoc_client_pool_pop(pool_)) {}
        ~Held() { mongoc_client_pool_push(pool_, client_); }
        Held(const Held&) = delete;
        Held& operator=(const Held&) = delete;
        mongoc_client_t* get() const noexcept { return client_; }

      private:
        mongoc_client_pool_t* pool_;
        mongoc_client_t* client_;
    };

  private:
    using Uri = std::unique_ptr<mongoc_uri_t, void (*)(mongoc_uri_t*)>;
    using Clients = std::unique_ptr<mongoc_client_pool_t, void (*)(mongoc_client_pool_t*)>;

    Pool() = default;
    void set_options(const MongoOptions& options);
    void tell(KnownHeads& heads);

    Uri uri_{nullptr, mongoc_uri_destroy};
    Clients clients_{nullptr, mongoc_client_pool_destroy};
};

}  // namespace dyad::mongo
